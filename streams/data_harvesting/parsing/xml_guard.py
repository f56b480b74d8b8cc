"""Keeps XML that is a weapon from every parser here: entities that unfold, or that lead out of the document."""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias

from streams.data_harvesting.parsing.markup_guard import MAX_ATTRIBUTES, has_crowded_tag

WeaponReason: TypeAlias = Literal["entity_bomb", "external_entity", "too_many_elements"]

MAX_ELEMENTS: Final = 200_000
_MAX_ENTITIES: Final = 100
_MAX_ENTITY_LENGTH: Final = 64
"""A reference is at least four characters: a document grows sixteenfold at most."""

MAX_DEPTH: Final = 1_000
"""Deeper than any feed; feedparser takes time by its square."""

_MAX_PROLOG: Final = 64 * 1024
_MAX_DECLARATIONS: Final = 500
_FIRST_ELEMENT: Final = re.compile(r"<[A-Za-z_:]")
_ENTITY: Final = re.compile(r"<!ENTITY\b([^>]*)", re.IGNORECASE)
_PLAIN_ENTITY: Final = re.compile(r"\s+[\w.:-]{1,60}\s+(?:\"([^\"%&<]*|&#\w{1,8};)\"|'([^'%&<]*|&#\w{1,8};)')\s*")
_PART: Final = re.compile(
    r"<!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)"
    r"|<(?P<close>/?)[A-Za-z_:](?:[^<>\"']++|\"[^\"]*+\"|'[^']*+'){0,200}+>",
    re.DOTALL,
)
_EXTERNAL: Final = re.compile(r"\b(?:SYSTEM|PUBLIC)\b")


class XmlWeapon(Exception):
    """A document that would harm who parses it.

    Attributes:
        reason: Its kind.
    """

    def __init__(self, reason: WeaponReason, detail: str) -> None:
        super().__init__(detail)
        self.reason: WeaponReason = reason


def guard(document: str) -> None:
    """Look at a document before any parser does.

    Short entities of plain text are harmless, and old feeds have them; a DOCTYPE that names a DTD elsewhere is
    too, as nobody fetches it.

    Raises:
        XmlWeapon: It declares entities of entities, long ones, many, or external ones, or is too large.
    """
    if document.count("<") > MAX_ELEMENTS * 2:
        raise XmlWeapon("too_many_elements", f"more than {MAX_ELEMENTS} elements")
    if has_crowded_tag(document):
        raise XmlWeapon("too_many_elements", f"a tag with more than {MAX_ATTRIBUTES} attributes")
    if _is_deep(document):
        raise XmlWeapon("too_many_elements", f"elements in elements, more than {MAX_DEPTH} deep")
    # Only a DOCTYPE can declare entities; in an article about XML they are text.
    start = _FIRST_ELEMENT.search(document)
    prolog = document[: start.start()] if start is not None else document
    if len(prolog) > _MAX_PROLOG or prolog.count("<!") > _MAX_DECLARATIONS:
        raise XmlWeapon("too_many_elements", "too much before its first element")
    declared = _ENTITY.findall(prolog)
    for number, declaration in enumerate(declared):
        plain = _PLAIN_ENTITY.fullmatch(declaration)
        if plain is None:
            if _EXTERNAL.search(declaration):
                raise XmlWeapon("external_entity", "declares an external entity")
            raise XmlWeapon("entity_bomb", "declares an entity that holds others")
        if number >= _MAX_ENTITIES or len(plain[1] or plain[2] or "") > _MAX_ENTITY_LENGTH:
            raise XmlWeapon("entity_bomb", "declares long entities, or many")


def _is_deep(document: str) -> bool:
    depth = 0
    for part in _PART.finditer(document):
        if part["close"] is None:
            continue  # a comment, or text
        if part["close"]:
            depth = max(0, depth - 1)
        elif document[part.end() - 2] != "/":
            depth += 1
            if depth > MAX_DEPTH:
                return True
    return False
