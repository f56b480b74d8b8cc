"""JSON Schema (2020-12) of the six files, for people, editors and other programs.

The descriptions are the attributes of the sections' own docstrings, so that there is one place to write them.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

import msgspec

from config.sections import SECTIONS, section_named

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_ATTRIBUTE = re.compile(r"^    (\w+): (.+(?:\n {8,}.+)*)", re.MULTILINE)


def schema() -> dict[str, Any]:
    """Return one schema of an object that has a member for each file, by the file's name."""
    types = [section.type for section in SECTIONS]
    references, components = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    for component in components.values():
        _describe_members(component)
    # msgspec gives defaults as they are in Python: tuples, where JSON has lists.
    components = msgspec.json.decode(msgspec.json.encode(components))
    return {
        "$schema": DIALECT,
        "title": "Configuration of automate",
        "type": "object",
        "properties": {section.file_name: reference for section, reference in zip(SECTIONS, references, strict=True)},
        "additionalProperties": False,
        "$defs": components,
    }


def section_schema(section: str) -> dict[str, Any]:
    """Return the schema of one file; raises `UnknownSection`."""
    file_name = section_named(section).file_name
    everything = schema()
    reference = everything["properties"][file_name]
    return {
        "$schema": DIALECT,
        "title": file_name,
        **reference,
        "$defs": _needed(reference, everything["$defs"]),
    }


def _describe_members(component: dict[str, Any]) -> None:
    """Move each attribute's line of the docstring to its property."""
    description = inspect.cleandoc(component.get("description", ""))
    head, _, attributes = description.partition("\n\nAttributes:\n")
    component["description"] = " ".join(head.split())
    for name, text in _ATTRIBUTE.findall(attributes):
        if name in component.get("properties", {}):
            component["properties"][name]["description"] = " ".join(text.split())


def _needed(reference: object, components: dict[str, Any]) -> dict[str, Any]:
    """Return the components that a schema refers to, directly or not."""
    needed: dict[str, Any] = {}
    waiting = _references(reference)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed[name] = components[name]
            waiting += _references(components[name])
    return needed


def _references(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"].rpartition("/")[2]] if isinstance(value.get("$ref"), str) else []
        return own + [name for member in value.values() for name in _references(member)]
    if isinstance(value, list):
        return [name for element in value for name in _references(element)]
    return []
