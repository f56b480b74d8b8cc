from __future__ import annotations

from typing import Any, get_args

import pytest

from config.document import content_faults, parse, render
from config.errors import UnknownSection
from config.schema import DIALECT, schema, section_schema
from config.sections import SECTIONS, SectionName, default_settings
from config.store import section_document

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")

STREAMS = {"api_services": 3.0}
NAMES = get_args(SectionName)


def accepts(section: str, document: object) -> bool:
    validator = jsonschema.Draft202012Validator(section_schema(section))
    return bool(validator.is_valid(document))


def test_every_section_has_a_file_and_a_schema_of_the_dialect() -> None:
    assert tuple(section.name for section in SECTIONS) == NAMES
    jsonschema.Draft202012Validator.check_schema(schema())
    for name in NAMES:
        jsonschema.Draft202012Validator.check_schema(section_schema(name))
        assert section_schema(name)["$schema"] == DIALECT


def test_the_schema_is_a_document_that_can_be_printed_and_read_back() -> None:
    assert parse(render(schema())).value == schema()
    assert list(content_faults(parse(render(schema())))) == []


@pytest.mark.parametrize("section", NAMES)
def test_the_defaults_are_valid(section: str) -> None:
    assert accepts(section, section_document(default_settings(STREAMS), section))


def test_the_founding_shapes_are_valid(founding: dict[str, Any]) -> None:
    validator = jsonschema.Draft202012Validator(schema())
    document = {f"{name}_config.json": content for name, content in founding.items()}
    assert validator.is_valid(document)
    assert not validator.is_valid({**document, "other_config.json": {}})


@pytest.mark.parametrize(
    ("section", "document"),
    [
        ("recovery", {"max_retries": "3"}),
        ("recovery", {"max_retry": 3}),
        ("fleet", {"mode": "sandbx"}),
        ("fleet", {"control_group": "a b"}),
        ("fleet", {"streams": {"api_services": {"count": -1}}}),
        ("agent_workflows", {}),
        ("agent_workflows", [{"name": "a", "type": "service"}]),
    ],
)
def test_schema_and_loader_refuse_the_same(section: str, document: object) -> None:
    assert not accepts(section, document)
    (own,) = (own for own in SECTIONS if own.name == section)
    assert own.convert(document, STREAMS)[1]


@pytest.mark.parametrize("section", NAMES)
def test_every_key_is_described(section: str) -> None:
    described = section_schema(section)
    for name, component in described["$defs"].items():
        assert component["description"], name
        assert "Attributes:" not in component["description"]
        for key, member in component["properties"].items():
            assert member.get("description"), f"{name}.{key}"


def test_a_description_that_spans_lines_is_whole() -> None:
    member = schema()["$defs"]["Fleet"]["properties"]["sandbox_calls_per_minute"]
    assert member["description"] == (
        "What the sandbox's customers call each instance with; 15 is five calls a second over 20 instances."
    )


def test_a_section_holds_only_what_it_needs() -> None:
    fleet = set(section_schema("fleet")["$defs"])
    assert {"Fleet", "AutoScaling", "HealthMonitoring", "RevenueReporting", "StreamPlan"} <= fleet
    assert "Workflow" not in fleet
    assert set(section_schema("unified_dashboard")["$defs"]) == {"UnifiedDashboard", "Workflow"}


def test_an_unknown_section_is_refused() -> None:
    with pytest.raises(UnknownSection, match='nearest: "fleet"'):
        section_schema("fleets")
