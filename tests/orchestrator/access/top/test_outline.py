from __future__ import annotations

from orchestrator.access.top.outline import funnel, outline, overview


def test_nested_values_are_indented_and_simple_lists_stand_on_a_line() -> None:
    value = {
        "title": "Paper\x1b",
        "venues": ["a", "b"],
        "limits": {"USD": "1", "on": True},
        "legs": [{"x": 1}],
        "no": [],
    }
    assert outline(value).plain.splitlines() == [
        "  title   Paper\\x1b",
        "  venues  a, b",
        "  limits",
        "    USD  1",
        "    on   yes",
        "  legs",
        "    - x  1",
        "  no      -",
    ]
    assert outline({}).plain == "  -"


def test_a_funnels_bars_are_shares_of_the_largest_and_what_happened_at_all_is_seen() -> None:
    lines = funnel({"seen": 1000, "sold": 500, "paid": 1, "back": 0}).plain.splitlines()
    assert [line.count("━") for line in lines] == [30, 15, 1, 0]
    assert lines[0].startswith("  seen  1000 ")
    assert funnel({}).plain == "  nothing counted yet"


def test_an_overview_says_why_an_instance_failed() -> None:
    view = {
        "state": "failed", "up_s": 0, "ready": False, "health": "", "host": "127.0.0.1", "port": 1, "restarts": 3,
        "restarts_left": 0, "last_failure": {"kind": "PortTaken", "text": "7802"}, "isolation": "actor",
        "directory": "/h/i", "funnel": {}, "details": {"halted": False},
    }  # fmt: skip
    text = overview(view).plain
    assert "state         failed, does not serve" in text
    assert "restarts      3, 0 left" in text
    assert "last failure  PortTaken: 7802" in text
    assert "halted  no" in text
