from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from orchestrator.access.gateway.pages.static_files import StaticFiles
from orchestrator.access.gateway.pages.templates import Templates


def _header(answer: object, name: bytes) -> bytes | None:
    return dict(answer.headers).get(name)  # type: ignore[attr-defined]


@pytest.fixture
def files(tmp_path: Path) -> StaticFiles:
    folder = tmp_path / "static"
    (folder / "charts").mkdir(parents=True)
    (folder / "page.css").write_text("body {}")
    (folder / "charts" / "lines.js").write_text("draw()")
    (folder / ".secret").write_text("x")
    (tmp_path / "outside.txt").write_text("x")
    files = StaticFiles(folder)
    files.scan()
    return files


async def test_a_file_under_the_address_that_pages_use_is_kept_for_good(files: StaticFiles) -> None:
    path, _, version = files.address("charts/lines.js").partition("?")
    assert path == "/static/charts/lines.js"
    answer = await files.answer("charts/lines.js", version.encode(), b"")
    assert (answer.status, answer.body) == (200, b"draw()")
    assert _header(answer, b"cache-control") == b"private, max-age=31536000, immutable"
    assert _header(answer, b"content-type") == b"text/javascript; charset=utf-8"
    assert _header(answer, b"content-length") == b"6"


async def test_under_any_other_address_it_is_asked_for_again_and_told_apart_by_its_tag(files: StaticFiles) -> None:
    answer = await files.answer("page.css", b"v=old", b"")
    assert _header(answer, b"cache-control") == b"private, no-cache"
    tag = _header(answer, b"etag")
    assert tag is not None
    unchanged = await files.answer("page.css", b"", b'"other", W/' + tag)
    assert (unchanged.status, unchanged.body) == (304, b"")
    assert _header(unchanged, b"etag") == tag
    assert (await files.answer("page.css", b"", b'"other"')).status == 200


@pytest.mark.parametrize("name", ["nothing.css", ".secret", "../outside.txt", "charts", "charts/../page.css", "", "/"])
async def test_nothing_else_is_served(files: StaticFiles, name: str) -> None:
    assert (await files.answer(name, b"", b"")).status == 404


async def test_the_address_of_a_file_that_is_not_there_is_a_mistake(files: StaticFiles) -> None:
    with pytest.raises(KeyError):
        files.address("nothing.css")


async def test_all_pages_can_be_made(tmp_path: Path) -> None:
    templates = await asyncio.to_thread(Templates, StaticFiles())
    page = templates.page("login.html", next="/", problem="No.")
    assert b'role="alert"' in page.body
    assert b"<title>" in templates.page("index.html", version="1.2.3").body
