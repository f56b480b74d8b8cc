"""Bytes of strangers to text, whatever they say their encoding is."""

from __future__ import annotations

from typing import Final

HTML_TYPES: Final = frozenset(("text/html", "application/xhtml+xml"))

_LIGHT_BYTES: Final = 16 * 1024
_LIGHT_TAGS: Final = 800
_LIGHT_WORDS: Final = 3_000

# Codecs of Python that are no encodings of documents; one takes time by the square, others run escapes.
_NO_ENCODINGS: Final = frozenset(
    ("idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem", "utf-7")
)


def is_light(body: bytes) -> bool:
    """Return whether any markup parser is done with a document in a few milliseconds, whatever is in it.

    Only such a one may be parsed on the event loop; parsers take time by the square of tags and attributes.
    """
    return (
        len(body) <= _LIGHT_BYTES
        and body.count(b"<") <= _LIGHT_TAGS
        and body.count(b"/") + len(body.split()) <= _LIGHT_WORDS
    )


def decoded(body: bytes, charset: str = "") -> str:
    """Return a document's text: by its byte order mark, its header's charset, what it declares, or as UTF-8.

    Never fails: what cannot be decoded becomes U+FFFD.
    """
    from w3lib.encoding import html_body_declared_encoding, read_bom, resolve_encoding

    encoding, mark = read_bom(body)
    if encoding is not None and mark is not None:
        return body[len(mark) :].decode(encoding, "replace")
    for name in (resolve_encoding(charset) if charset else None, html_body_declared_encoding(body)):
        # What says UTF-16 without its mark is not that: its declaration could not have been read.
        if name is not None and name not in _NO_ENCODINGS and not name.startswith(("utf-16", "utf-32")):
            try:
                return body.decode(name, "replace")
            except (LookupError, ValueError):
                continue  # "zip" is a codec too
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        # Text that is not UTF-8 and does not say what it is, is Western most of the time.
        return body.decode("cp1252", "replace")
