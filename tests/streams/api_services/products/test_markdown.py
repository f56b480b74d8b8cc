from __future__ import annotations

import pytest

from streams.api_services.product import ProductError
from tests.streams.api_services.conftest import Call


# Examples of the CommonMark specification 0.31 (62, 77, 350, 231, 650), and GFM (198, 491).
@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("# foo\n## foo", "<h1>foo</h1>\n<h2>foo</h2>\n"),
        ("*foo bar*", "<p><em>foo bar</em></p>\n"),
        ("> # Foo\n> bar\n> baz", "<blockquote>\n<h1>Foo</h1>\n<p>bar\nbaz</p>\n</blockquote>\n"),
        ("foo  \nbaz", "<p>foo<br>\nbaz</p>\n"),
        ("~~Hi~~ Hello, world!", "<p><s>Hi</s> Hello, world!</p>\n"),
    ],
)
def test_the_examples_of_the_specification_are_rendered(call: Call, text: str, html: str) -> None:
    assert call("markdown", text=text).html == html


def test_tables_are_rendered(call: Call) -> None:
    html = call("markdown", text="| foo | bar |\n| --- | --- |\n| baz | bim |").html

    assert "<th>foo</th>" in html
    assert "<td>bim</td>" in html


@pytest.mark.parametrize(
    "text",
    [
        "[x](javascript:alert(1))",
        "![x](javascript:alert(1))",
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x]: vbscript:x\n\n[x]",
    ],
)
def test_nothing_that_runs_comes_out(call: Call, text: str) -> None:
    html = call("markdown", text=text).html

    assert "<script" not in html
    assert "<img" not in html
    assert "href" not in html


def test_headings_are_listed_for_a_table_of_contents(call: Call) -> None:
    answer = call("markdown", text="# One\n\ntext\n\nTwo *b*\n---")

    assert [(heading.level, heading.text) for heading in answer.headings] == [(1, "One"), (2, "Two *b*")]


def test_a_reference_that_is_used_a_thousand_times_is_refused_before_rendering(call: Call) -> None:
    with pytest.raises(ProductError, match="link targets"):
        call("markdown", text="[a]: /" + "x" * 10_000 + "\n\n" + "[a]" * 7000)


def test_a_table_of_thousands_of_columns_is_refused_before_parsing(call: Call) -> None:
    with pytest.raises(ProductError, match="table columns"):
        call("markdown", text="|" + "a|" * 2000 + "\n|" + "-|" * 2000 + "\n" + "|a\n" * 5000)
