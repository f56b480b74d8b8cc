"""HTML pages: where they lead, what they call themselves, and what they say about their use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec

from streams.data_harvesting.fetching.urls import UrlError, absolute_url, canonical_url
from streams.data_harvesting.parsing.directives import Directives, all_of, directives_of
from streams.data_harvesting.parsing.documents import decoded
from streams.data_harvesting.parsing.licenses import known_license
from streams.data_harvesting.parsing.markup_guard import MAX_ATTRIBUTES, has_crowded_tag
from streams.data_harvesting.parsing.text import plain_text

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

MAX_PAGE_BYTES: Final = 4 * 1024 * 1024
MAX_LINKS: Final = 2_000

PageRejectedBecause: TypeAlias = Literal["too_large", "too_many_elements"]
LicenseSource: TypeAlias = Literal["rel", "schema.org", "link"]

_MAX_TAGS: Final = 30_000
_MAX_ELEMENTS: Final = 500_000
_MAX_LICENSES: Final = 20
_MAX_JSON_LD_BYTES: Final = 256 * 1024
_MAX_JSON_LD_DEPTH: Final = 12
# Of these the licence is their own: that of a photograph says nothing of the page that shows it.
_SHOWN_ON_PAGES: Final = frozenset(
    ("imageobject", "photograph", "barcode", "videoobject", "audioobject", "musicvideoobject", "mediaobject", "3dmodel")
)
# By the HTML standard an unclosed one of these is opened anew in every later block, so that kilobytes become
# millions of elements; but without attributes only three of a kind are.
_REOPENED: Final = re.compile(
    r"<(b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)[\s/][^>]*+(?:>|\Z)", re.IGNORECASE
)


class PageRejected(Exception):
    """A page that is not given to a parser.

    Attributes:
        reason: Why.
    """

    def __init__(self, reason: PageRejectedBecause, detail: str) -> None:
        super().__init__(detail)
        self.reason: PageRejectedBecause = reason


class PageLink(msgspec.Struct, frozen=True):
    """A link on a page.

    Attributes:
        url: Absolute, without fragment.
        rel: Its relations, lower case.
        nofollow: Whether it is not to be followed, by one of them.
    """

    url: str
    rel: tuple[str, ...] = ()
    nofollow: bool = False


class FoundLicense(msgspec.Struct, frozen=True):
    """A licence that a page states.

    Attributes:
        url: Its address.
        source: Where: a link with rel=license; structured data; or a plain link to a licence that is known.
    """

    url: str
    source: LicenseSource


class ParsedPage(msgspec.Struct, frozen=True):
    """A page.

    Attributes:
        title: Plain text.
        canonical: The address that it gives itself, canonical; empty without.
        language: Of its root element.
        links: Each address once, in order.
        directives: What meta elements and X-Robots-Tag ask for.
        licenses: Each address once; the most explicit first.
        tree: The document, for selectors.
    """

    title: str
    canonical: str
    language: str
    links: tuple[PageLink, ...]
    directives: Directives
    licenses: tuple[FoundLicense, ...]
    tree: LexborHTMLParser


def parse_html(body: bytes, charset: str = "") -> LexborHTMLParser:
    """Parse HTML that is not so large, or so made, that it takes longer than it may. Some 3 ms for 75 KB.

    The parser lets other threads run, so in one it disturbs nobody; the worst that gets here takes two seconds.

    Raises:
        PageRejected: It is.
    """
    from selectolax.lexbor import LexborHTMLParser

    if len(body) > MAX_PAGE_BYTES:
        raise PageRejected("too_large", f"larger than {MAX_PAGE_BYTES} bytes")
    text = decoded(body, charset)
    tags = text.count("<")
    if tags > _MAX_TAGS:
        raise PageRejected("too_many_elements", f"more than {_MAX_TAGS} tags")
    if has_crowded_tag(text):
        raise PageRejected("too_many_elements", f"a tag with more than {MAX_ATTRIBUTES} attributes")
    if tags * sum(1 for _ in _REOPENED.finditer(text)) > _MAX_ELEMENTS:
        text = _REOPENED.sub(r"<\1>", text)
    return LexborHTMLParser(text)


def parse_page(
    body: bytes, *, url: str, charset: str = "", headers: Mapping[str, str] | None = None, product_token: str = ""
) -> ParsedPage:
    """Read a page.

    Args:
        body: The document.
        url: Its address.
        charset: Of its header.
        headers: By lower-case name; `x-robots-tag` is read.
        product_token: Our name, for directives that are said to some robots only.

    Raises:
        PageRejected: It is too large, or made to be.
    """
    tree = parse_html(body, charset)
    base = _base_of(tree, url)
    title = tree.css_first("title")
    root = tree.root
    said = [directives_of((headers or {}).get("x-robots-tag", ""), product_token)]
    canonical = ""
    for node in tree.css("meta[name], link[rel]"):
        attributes = node.attributes
        name = (attributes.get("name") or "").strip().lower()
        if name == "robots" or (name and name == product_token.lower()):
            said.append(directives_of(attributes.get("content") or ""))
        elif not canonical and "canonical" in (attributes.get("rel") or "").lower().split():
            canonical = _canonical(absolute_url(base, attributes.get("href") or ""))
    links, licences = _links_of(tree, base)
    return ParsedPage(
        title=plain_text(title.text(), 500) if title is not None else "",
        canonical=canonical,
        language=plain_text(root.attributes.get("lang") or "", 40) if root is not None else "",
        links=links,
        directives=all_of(said),
        licenses=_licenses_of(tree, base, licences),
        tree=tree,
    )


def _base_of(tree: LexborHTMLParser, url: str) -> str:
    node = tree.css_first("base[href]")
    return (absolute_url(url, node.attributes.get("href") or "") if node is not None else None) or url


def _links_of(tree: LexborHTMLParser, base: str) -> tuple[tuple[PageLink, ...], list[FoundLicense]]:
    links: dict[str, PageLink] = {}
    licenses: list[FoundLicense] = []
    for node in tree.css("a[href], area[href], link[href]"):
        attributes = node.attributes
        address = absolute_url(base, attributes.get("href") or "")
        if address is None:
            continue
        rel = tuple((attributes.get("rel") or "").lower().split()[:10])
        if "license" in rel:
            licenses.append(FoundLicense(address, "rel"))
        elif node.tag != "link" and known_license(address) is not None:
            licenses.append(FoundLicense(address, "link"))
        if node.tag != "link" and address not in links and len(links) < MAX_LINKS:
            links[address] = PageLink(address, rel, "nofollow" in rel)
    return tuple(links.values()), licenses


def _licenses_of(tree: LexborHTMLParser, base: str, linked: list[FoundLicense]) -> tuple[FoundLicense, ...]:
    explicit = [each for each in linked if each.source == "rel"]
    structured = [FoundLicense(url, "schema.org") for url in _structured_licenses(tree, base)]
    plain = [each for each in linked if each.source == "link"]
    found: dict[str, FoundLicense] = {}
    for each in (*explicit, *structured, *plain):
        found.setdefault(each.url, each)
    return tuple(found.values())[:_MAX_LICENSES]


def _structured_licenses(tree: LexborHTMLParser, base: str) -> Iterator[str]:
    for node in tree.css('[itemprop~="license"]'):
        if _is_of_something_shown(node):
            continue
        value = node.attributes.get("href") or node.attributes.get("content")
        if value is None and (text := node.text().strip()).startswith(("http://", "https://")):
            value = text  # in words it is the name of a licence, which says too little
        if value is not None and (address := absolute_url(base, value)) is not None:
            yield address
    for node in tree.css('script[type="application/ld+json"]'):
        for value in _json_ld_licenses(node):
            if (address := absolute_url(base, value)) is not None:
                yield address


def _is_of_something_shown(node: LexborNode) -> bool:
    parent = node.parent
    while parent is not None and "itemscope" not in parent.attributes:
        parent = parent.parent
    return parent is not None and _is_shown([parent.attributes.get("itemtype") or ""])


def _is_shown(types: Iterable[object]) -> bool:
    return any(
        isinstance(each, str) and each.strip().rpartition("/")[2].rpartition(":")[2].lower() in _SHOWN_ON_PAGES
        for each in types
    )


def _json_ld_licenses(node: LexborNode) -> list[str]:
    text = node.text()
    if "license" not in text or len(text) > _MAX_JSON_LD_BYTES:
        return []
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return []
    found: list[str] = []
    _gather_licenses(document, found, _MAX_JSON_LD_DEPTH)
    return found


def _gather_licenses(value: Any, found: list[str], depth: int) -> None:
    if depth == 0 or len(found) >= _MAX_LICENSES:
        return
    if isinstance(value, list):
        for each in value:
            _gather_licenses(each, found, depth - 1)
    elif isinstance(value, dict):
        types = value.get("@type")
        if _is_shown(types if isinstance(types, list) else [types]):
            return
        said = value.get("license")
        for each in said if isinstance(said, list) else (said,):
            if isinstance(each, dict):
                each = each.get("@id") or each.get("url")
            if isinstance(each, str):
                found.append(each.strip())
        for each in value.values():
            _gather_licenses(each, found, depth - 1)


def _canonical(url: str | None) -> str:
    try:
        return canonical_url(url) if url else ""
    except UrlError:
        return ""
