from __future__ import annotations

import os
from pathlib import Path

import pytest

from config.document import MAX_DEPTH, NotJson, content_faults, parse, read_bytes, render
from config.errors import ConfigError
from config.reading import MAX_FILE_BYTES

SUITE = Path(__file__).resolve().parents[3] / "shared" / "data" / "json" / "jsontestsuite" / "test_parsing"


def suite(prefix: str) -> list[object]:
    if not SUITE.is_dir():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"{SUITE} is not on this machine"))]
    # Some names hold bytes that are not UTF-8; a test's id shows them escaped.
    return [pytest.param(file, id=ascii(file.stem)) for file in sorted(SUITE.glob(f"{prefix}*"))]


@pytest.mark.parametrize("file", suite("y_"))
def test_what_is_json_is_parsed(file: Path) -> None:
    parse(file.read_bytes())


@pytest.mark.parametrize("file", suite("n_"))
def test_what_is_not_json_is_refused(file: Path) -> None:
    with pytest.raises(NotJson) as caught:
        parse(file.read_bytes())
    assert caught.value.fault.expected
    assert caught.value.fault.found


@pytest.mark.parametrize(
    ("text", "line", "column", "expected", "found"),
    [
        (b'{\n  "a": 1,\n  "b": }', 3, 8, "a JSON value", '"}"'),
        (b'{"a": 1 "b": 2}', 1, 9, 'a "," or', '"\\""'),
        (b'{"a" 1}', 1, 6, '":"', '"1"'),
        (b"{'a': 1}", 1, 2, "a key in double quotes", '"\'"'),
        (b'{"a": 1}\n}', 2, 1, "the end of the file", '"}"'),
        (b'{"a": 1', 1, 8, 'a "," or', "the end of the file"),
        (b"", 1, 1, "a JSON value", "the end of the file"),
        (b'{"NaN": "\\"NaN",\n "b": NaN}', 2, 7, "a JSON value", "NaN"),
        (b"[1, -Infinity]", 1, 5, "a JSON value", "-Infinity"),
        (b'{"a":\n "\xc3\xa9\xff"}', 2, 4, "UTF-8", "0xFF"),
        (b"\xef\xbb\xbf{}", 1, 1, "without a byte order mark", "EF BB BF"),
        (b'["a\nb"]', 1, 4, "Invalid control character", '"\\n"'),
    ],
)
def test_a_broken_text_is_told_with_its_place(text: bytes, line: int, column: int, expected: str, found: str) -> None:
    with pytest.raises(NotJson) as caught:
        parse(text)
    fault = caught.value.fault
    assert (fault.line, fault.column) == (line, column)
    assert expected in fault.expected
    assert found in fault.found


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        (b'{"a": {"b": 1, "c": 2, "b": 3}}', "$.a.b", "each key once"),
        (b'[{"a b": 1, "a b": 1, "a b": 1}]', '$[0]["a b"]', "each key once"),
        (b'{"a": ["\\ud800"]}', "$.a[0]", "whole Unicode characters"),
        (b'{"\\udc00": 1}', "$", "whole Unicode characters"),
        (b'{"a": 1e999}', "$.a", "a double can hold"),
        (b'{"a": 9223372036854775808}', "$.a", "64 bits"),
        (b"[" + b"9" * 100_000 + b"]", "$[0]", "64 bits"),
    ],
)
def test_what_does_not_survive_a_save_is_told_with_its_path(text: bytes, path: str, expected: str) -> None:
    faults = list(content_faults(parse(text)))
    assert [fault.path for fault in faults] == [path]
    assert expected in faults[0].expected


def test_nesting_is_bounded() -> None:
    assert list(content_faults(parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH))) == []
    deep = MAX_DEPTH + 1
    (fault,) = content_faults(parse(b"[" * deep + b"]" * deep))
    assert "levels of nesting" in fault.expected


def test_faults_come_in_the_order_of_the_text() -> None:
    parsed = parse(b'{"a": 1e999, "b": [1e999, {"c": 1e999}], "d": 1e999}')
    assert [fault.path for fault in content_faults(parsed)] == ["$.a", "$.b[0]", "$.b[1].c", "$.d"]


def test_a_file_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert read_bytes(tmp_path / "absent.json") is None


def test_the_largest_file_is_read_and_a_larger_one_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b" " * MAX_FILE_BYTES)
    assert len(read_bytes(file) or b"") == MAX_FILE_BYTES
    file.write_bytes(b" " * (MAX_FILE_BYTES + 1))
    with pytest.raises(ConfigError, match=r"a\.json: \$: expected at most 1048576 bytes"):
        read_bytes(file)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "a.json"
    os.mkfifo(pipe)
    with pytest.raises(ConfigError, match="a regular file"):
        read_bytes(pipe)


def test_a_directory_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a regular file"):
        read_bytes(tmp_path)


def test_a_file_that_cannot_be_read_is_told_with_the_reason(tmp_path: Path) -> None:
    loop = tmp_path / "a.json"
    loop.symlink_to(loop)
    with pytest.raises(ConfigError, match="Too many levels of symbolic links"):
        read_bytes(loop)


def test_a_document_is_written_for_people() -> None:
    assert render({"name": "Zoë", "list": [1]}).decode() == '{\n  "name": "Zoë",\n  "list": [\n    1\n  ]\n}\n'
