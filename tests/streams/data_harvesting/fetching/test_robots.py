from __future__ import annotations

import re
from pathlib import Path

import pytest
from protego import Protego

from streams.data_harvesting.fetching.robots import MAX_ROBOTS_BYTES, parse_robots

US = "AutomateHarvester"
REAL = Path(__file__).resolve().parents[5] / "shared" / "data" / "web" / "robots_protego" / "real"


def allows(text: str, path: str, token: str = US) -> bool:
    return parse_robots(text.encode(), token).allows(f"http://a.com{path}")


@pytest.mark.parametrize(
    ("text", "path", "allowed"),
    [
        ("", "/x", True),
        ("User-agent: *\nDisallow: /", "/x", False),
        ("User-agent: *\nDisallow:", "/x", True),
        ("User-agent: *\nDisallow: /", "/robots.txt", True),
        # the longest match counts; of two equal ones, Allow
        ("User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/b/c", True),
        ("User-agent: *\nAllow: /a/b\nDisallow: /a", "/a/c", False),
        ("User-agent: *\nDisallow: /page\nAllow: /page", "/page", True),
        (
            "User-agent: *\nAllow: /example/page/\nDisallow: /example/page/disallowed.gif",
            "/example/page/disallowed.gif",
            False,
        ),
        # wildcards and the end
        ("User-agent: *\nDisallow: /*.gif$", "/a/b.gif", False),
        ("User-agent: *\nDisallow: /*.gif$", "/a/b.gif?x", True),
        ("User-agent: *\nDisallow: /a*c", "/abbbc", False),
        # percent-encoding: the same octets in either form
        ("User-agent: *\nDisallow: /foo/bar/ツ", "/foo/bar/%E3%83%84", False),
        ("User-agent: *\nDisallow: /foo/bar/%E3%83%84", "/foo/bar/ツ", False),
        ("User-agent: *\nDisallow: /foo/%62%61%72", "/foo/bar", False),
        ("User-agent: *\nDisallow: /a%2Fb", "/a/b", True),
        # case: paths count, names do not
        ("User-agent: *\nDisallow: /A", "/a", True),
        ("USER-AGENT: automateHARVESTER\nDISALLOW: /", "/", False),
        # whom it speaks to
        ("User-agent: other\nDisallow: /", "/x", True),
        ("User-agent: *\nDisallow: /\n\nUser-agent: AutomateHarvester\nDisallow: /p", "/x", True),
        ("User-agent: AutomateHarvester/2.1\nDisallow: /", "/x", False),
        ("User-agent: Automate\nDisallow: /", "/x", True),
        ("User-agent: AutomateHarvesterNews\nDisallow: /", "/x", True),
        ("User-agent: other\nUser-agent: AutomateHarvester\nDisallow: /", "/x", False),
        (
            "User-agent: AutomateHarvester\nDisallow: /a\n\nUser-agent: b\nDisallow: /\n\n"
            "User-agent: AutomateHarvester\nDisallow: /c",
            "/c",
            False,
        ),
        ("User-agent: AutomateHarvester\nDisallow: /a\n\nUser-agent: AutomateHarvester\nDisallow: /c", "/a", False),
        ("User-agent: *Harvester*\nDisallow: /", "/x", True),
        ("User-agent: * # all\nDisallow: /", "/x", False),
        # our group without rules allows, whatever the others say
        ("User-agent: AutomateHarvester\n\nUser-agent: *\nDisallow: /", "/x", False),
        ("User-agent: AutomateHarvester\nAllow:\n\nUser-agent: *\nDisallow: /", "/x", True),
        # lines that are not the standard's do not end a group
        ("User-agent: AutomateHarvester\nSitemap: http://a.com/s\nUser-agent: b\nDisallow: /", "/x", False),
        ("User-agent: AutomateHarvester\nCrawl-delay: 3\nUser-agent: b\nDisallow: /", "/x", False),
        ("User-agent: AutomateHarvester\nLicense: x\nNonsense\nDisallow: /", "/x", False),
        # as people write
        ("User-agent:*\r\nDisallow:/x # no\r\n", "/x", False),
        ("user agent: *\rdissallow: /x", "/x", False),
        ("User-agent *\nDisallow /x", "/x", False),
        ("\ufeffUser-agent: *\nDisallow: /x", "/x", False),
        ("Disallow: /x", "/x", True),
    ],
)
def test_the_rules_of_rfc_9309(text: str, path: str, allowed: bool) -> None:
    assert allows(text, path) is allowed


def test_what_lies_past_500_kib_is_not_there_and_half_a_line_is_not_either() -> None:
    beginning = b"User-agent: *\nDisallow: /a\n"
    padding = b"#" * (MAX_ROBOTS_BYTES - len(beginning) - len("Disallow: /secret") - 1) + b"\n"
    robots = parse_robots(beginning + padding + b"Disallow: /secret/but/not/this\nDisallow: /z\n", US)
    assert not robots.allows("http://a.com/a")
    assert robots.allows("http://a.com/secret/thing")
    assert robots.allows("http://a.com/z")
    assert not parse_robots(beginning + b"#" * 400_000 + b"\nDisallow: /z", US).allows("http://a.com/z")


@pytest.mark.parametrize(
    ("text", "delay"),
    [
        ("User-agent: *\nCrawl-delay: 2.5", 2.5),
        ("User-agent: *\nCrawl-delay: 2\nUser-agent: AutomateHarvester\nDisallow: /x\nCrawl-delay: 7", 7),
        ("User-agent: *\nAllow: /\nCrawl-delay: 2\n\nUser-agent: AutomateHarvester\nDisallow: /x", None),
        # A Crawl-delay is not the standard's, and does not end a group: both are one here, and it holds for both.
        ("User-agent: *\nCrawl-delay: 2\n\nUser-agent: AutomateHarvester\nDisallow: /x", 2),
        ("User-agent: *\nCrawl-delay: 2\nCrawl-delay: 5", 5),
        ("User-agent: *\nCrawl-delay: soon", None),
        ("User-agent: *\nCrawl-delay: -1", None),
        ("User-agent: *\nCrawl-delay: inf", None),
        ("Crawl-delay: 4", None),
    ],
)
def test_the_crawl_delay_is_the_one_for_us(text: str, delay: float | None) -> None:
    assert parse_robots(text.encode(), US).crawl_delay_s == delay


def test_what_a_site_says_about_the_use_of_its_content_is_kept() -> None:
    robots = parse_robots(
        b"License: https://a.com/license.xml\n"
        b"User-agent: *\nContent-Signal: search=yes, AI-train=NO\nAllow: /\n"
        b"User-agent: other\nContent-signal: search=no\nDisallow: /\n"
        b"Sitemap: https://a.com/sitemap.xml\n",
        US,
    )
    assert robots.terms.licenses == ("https://a.com/license.xml",)
    assert robots.terms.content_signals == {"search": "yes", "ai-train": "no"}
    assert robots.sitemaps == ("https://a.com/sitemap.xml",)


@pytest.mark.skipif(not REAL.is_dir(), reason="needs ../shared/data/web/robots_protego")
def test_those_of_300_real_sites_say_to_us_what_their_parser_says_they_say_to_all() -> None:
    """Protego reads whole files as well. Where it differs it takes a byte order mark for text, as these files begin."""
    files = sorted(REAL.glob("*.txt"))
    assert len(files) >= 300
    closed, delayed, sitemaps = [], 0, 0
    for file in files:
        body = file.read_bytes()
        robots = parse_robots(body, "Qqqqqqqq")
        theirs = Protego.parse(body.decode("utf-8-sig", "replace"))
        said = re.findall(rb"allow:\s*(/\S*)", body, re.IGNORECASE)[:200]
        paths = ["/", "/a", *(path.decode("latin-1").replace("*", "x").replace("$", "") for path in said)]
        differing = [
            path for path in paths if robots.allows(f"http://a.com{path}") != theirs.can_fetch(path, "Qqqqqqqq")
        ]
        assert not differing, file.name
        closed += [file.name] if not robots.allows("http://a.com/") else []
        delayed += robots.crawl_delay_s is not None
        sitemaps += bool(robots.sitemaps)
    assert [name.removesuffix(".robots.txt") for name in closed] == [
        "www.alexa.com",
        "www.bmfbovespa.com.br",
        "www.cell.com",
        "www.linkedin.com",
        "www.ru.nl",
    ]
    assert delayed == 42
    assert sitemaps == 165
