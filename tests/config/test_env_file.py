from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.env_file import parse_env
from config.errors import ConfigError

FILE = Path("/home/.env")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("KEY=plain", "plain"),
        ("KEY=", ""),
        ("KEY=''", ""),
        ("  export KEY =  spaced out  \n", "spaced out"),
        ("KEY=a # a comment", "a"),
        ("KEY= # only a comment", ""),
        ("KEY=#fff", "#fff"),
        ("KEY=pa#ss=word", "pa#ss=word"),
        ("KEY=it's", "it's"),
        ("KEY='a # \\n $b'  # a comment", "a # \\n $b"),
        ('KEY="a\\tb\\n\\"c\\" \\\\ \\$d $e"', 'a\tb\n"c" \\ $d $e'),
        ('KEY="-----BEGIN-----\nabc\n-----END-----"\n', "-----BEGIN-----\nabc\n-----END-----"),
        ("# a comment\n\n\t\nKEY=a\r\n", "a"),
        ("KEY=ü", "ü"),
    ],
)
def test_a_value_is_read(text: str, value: str) -> None:
    assert parse_env(text, FILE) == {"KEY": value}


def test_values_stand_in_the_order_of_the_file() -> None:
    assert list(parse_env("B=1\nA='2'\n\n_c3=3", FILE).items()) == [("B", "1"), ("A", "2"), ("_c3", "3")]


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("A=1\nhunter2", 2, "KEY=VALUE"),
        ("1A=hunter2", 1, "KEY=VALUE"),
        ("A-B=hunter2", 1, "KEY=VALUE"),
        ("A=1\n\n# x\nB='hunter2\n", 4, "a closing ' for the value of B"),
        ('A="hunter2\\"', 1, 'a closing " for the value of A'),
        ("A='hunter2' hunter3", 1, "nothing behind the quoted value of A"),
        ("A='1\n2'\nA=hunter2", 3, "A once, found it again, after line 1"),
        ("A=hunter2\0", 1, "without zero bytes"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_without_the_value(text: str, line: int, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_env(text, FILE)
    message = str(caught.value)
    assert message.startswith(f"/home/.env: $ (line {line}, column 1): expected")
    assert expected in message
    assert "hunter" not in message


@given(st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,5}", fullmatch=True), st.text(max_size=20)))
def test_anything_without_zero_bytes_can_be_written_in_double_quotes(values: dict[str, str]) -> None:
    values = {key: value.replace("\0", "") for key, value in values.items()}
    lines = []
    for key, value in values.items():
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r")
        lines.append(f'{key}="{escaped}"')
    assert parse_env("\n".join(lines), FILE) == values
