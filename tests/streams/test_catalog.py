"""The catalog finds streams by entry point, and says what is wrong with one that is broken."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from streams.api_services.stream import ApiServices
from streams.catalog import GROUP, BrokenStream, Catalog, UnknownStream


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, GROUP)


def test_the_streams_that_ship_use_the_same_door_as_plugins() -> None:
    catalog = Catalog()
    assert "api_services" in catalog
    assert catalog["api_services"] is ApiServices


def test_a_stream_is_not_imported_before_it_is_asked_for() -> None:
    catalog = Catalog({"broken": point("broken", "no.such.module:Stream")})
    assert list(catalog) == ["broken"]
    with pytest.raises(BrokenStream, match="no.such.module"):
        catalog["broken"]


def test_an_entry_point_that_is_no_stream_is_broken() -> None:
    catalog = Catalog({"wrong": point("wrong", "pathlib:Path")})
    with pytest.raises(BrokenStream, match="no subclass of Stream"):
        catalog["wrong"]


@pytest.mark.parametrize("name", ["../escape", "a/b", "", ".hidden", "x" * 65, "two words", "internal"])
def test_a_name_that_could_not_be_that_of_a_directory_or_account_is_left_out(name: str) -> None:
    catalog = Catalog({name: point(name, "pathlib:Path"), "good": point("good", "pathlib:Path")})
    assert list(catalog) == ["good"]
    with pytest.raises(UnknownStream):
        catalog[name]


def test_a_module_that_exits_when_it_is_imported_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "leaves_at_once.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BrokenStream, match="SystemExit: 3"):
        Catalog({"rude": point("rude", "leaves_at_once:Stream")})["rude"]


def test_a_package_that_is_installed_meanwhile_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    catalog = Catalog()
    with pytest.raises(UnknownStream):
        catalog["late"]
    (tmp_path / "late.py").write_text("from streams.api_services.stream import ApiServices as Late")
    information = tmp_path / "late-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: late\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[automate.streams]\nlate = late:Late\n")
    assert catalog["late"] is ApiServices
    assert "late" in catalog


def test_an_unknown_stream_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownStream, match="api_services"):
        Catalog()["crypto_arbitrag"]
