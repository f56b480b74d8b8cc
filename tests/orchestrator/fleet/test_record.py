"""What is kept of an instance on disk."""

from __future__ import annotations

from pathlib import Path

from orchestrator.fleet.record import Record, load_records, save_records

RECORD = Record("stall-001", "stall", 1, 7001, desired="paused", settings={"name": "one", "deep": {"list": [1, 2]}})


def test_what_is_saved_is_loaded_again(tmp_path: Path) -> None:
    save_records(tmp_path, (RECORD,))
    assert load_records(tmp_path) == ([RECORD], [])
    assert (tmp_path / "stall-001" / "settings.json").stat().st_mode & 0o777 == 0o600


def test_records_come_in_the_order_of_their_ports(tmp_path: Path) -> None:
    for number, port in ((1, 9), (2, 3), (3, 5)):
        save_records(tmp_path, (Record(f"stall-00{number}", "stall", number, port),))
    assert [record.port for record in load_records(tmp_path)[0]] == [3, 5, 9]


def test_a_file_that_says_it_is_another_is_broken(tmp_path: Path) -> None:
    save_records(tmp_path, (RECORD,))
    (tmp_path / "stall-001").rename(tmp_path / "stall-002")
    records, broken = load_records(tmp_path)
    assert not records
    assert "it says it is 'stall-001'" in str(broken[0])


def test_what_is_no_record_is_named_with_its_file_and_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "stall-001").mkdir()
    file = tmp_path / "stall-001" / "settings.json"
    file.write_text('{"id": "stall-001", "port": "high"}')
    _, broken = load_records(tmp_path)
    assert str(file) in str(broken[0])
    assert "move" in str(broken[0])


def test_a_record_whose_id_is_not_its_stream_and_number_is_broken(tmp_path: Path) -> None:
    save_records(tmp_path, (Record("stall-001", "other", 1, 7001),))
    save_records(tmp_path, (Record("stall-002", "stall", 3, 7002),))
    records, broken = load_records(tmp_path)
    assert not records
    assert "of 'other'" in str(broken[0])
    assert "number 3" in str(broken[1])


def test_a_port_that_there_is_not_is_named(tmp_path: Path) -> None:
    save_records(tmp_path, (Record("stall-001", "stall", 1, 70_000),))
    (broken,) = load_records(tmp_path)[1]
    assert "$.port" in str(broken)
