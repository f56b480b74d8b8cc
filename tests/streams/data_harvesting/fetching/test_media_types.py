from __future__ import annotations

import pytest

from streams.data_harvesting.fetching.media_types import content_type, is_accepted, sniffed


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("text/html; charset=UTF-8", ("text/html", "utf-8")),
        ('Application/RSS+xml;charset="iso-8859-1"', ("application/rss+xml", "iso-8859-1")),
        ("", ("", "")),
        ("nonsense", ("", "")),
        ("text/html, text/plain", ("", "")),
    ],
)
def test_a_content_type_is_read_or_said_to_be_none(header: str, found: tuple[str, str]) -> None:
    assert content_type(header) == found


@pytest.mark.parametrize(
    ("said", "body", "kind"),
    [
        ("", b"<!DOCTYPE html><title>x", "text/html"),
        ("text/plain", b"\xef\xbb\xbf<?xml version='1.0'?><rss>", "application/xml"),
        ("application/octet-stream", b"<rss version='2.0'>", "application/xml"),
        ("", b"<?xml version='1.0'?><html xmlns='x'>", "application/xhtml+xml"),
        ("", b'{"version":', "application/json"),
        ("", b"%PDF-1.7", "application/pdf"),
        ("text/plain", b"MZ\0\0\0", "application/octet-stream"),
        ("", "<rss>".encode("utf-16"), "application/xml"),
        ("text/plain", b"words", "text/plain"),
        ("", b"", ""),
        ("image/png", b"<html>", "image/png"),
    ],
)
def test_only_a_vague_type_is_corrected_by_the_first_bytes(said: str, body: bytes, kind: str) -> None:
    assert sniffed(said, body) == kind


def test_a_family_of_types_can_be_asked_for() -> None:
    assert is_accepted("text/html", ("text/*",))
    assert is_accepted("x/y", ())
    assert not is_accepted("image/png", ("text/*", "application/json"))
