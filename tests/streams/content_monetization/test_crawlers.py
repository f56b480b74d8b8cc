"""Who is a person's browser: by header, and over a day of a real site's traffic."""

from __future__ import annotations

import gzip
import os
import re
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.content_monetization import crawlers
from streams.content_monetization.ad_token import ForgedToken, TokenMint, derived, instance_secret
from streams.content_monetization.crawlers import crawler_patterns, is_bot
from streams.content_monetization.visitor import Doorkeeper
from tests.streams.content_monetization.sites import CHROME, FIREFOX, GOOGLEBOT

DATA = Path(os.environ.get("AUTOMATE_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))
LOG = DATA / "logs" / "elastic_apache" / "apache_logs_17-19_may.gz"
LINE = re.compile(rb'^(\S+) .*"([^"]*)"$')


@pytest.mark.parametrize(
    "agent",
    [
        "",
        "-",
        GOOGLEBOT,
        "curl/8.5.0",
        "python-requests/2.32",
        "Python/3.11 aiohttp/3.13",
        "Go-http-client/2.0",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/139.0.0.0 Safari/537.36",
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "Mozilla/5.0 (compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
        "NetNewsWire (RSS Reader; https://netnewswire.com/)",
        "Mozilla/5.0 " + "x" * 600,
    ],
)
def test_crawlers_tools_and_whatever_is_no_browser_are_bots(agent: str) -> None:
    assert is_bot(agent)


@pytest.mark.parametrize(
    "agent",
    [
        FIREFOX,
        CHROME,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
        "Mobile/15E148 Safari/604.1",
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Mobile "
        "Safari/537.36",
        "Opera/9.80 (Windows NT 6.1; WOW64) Presto/2.12.388 Version/12.18",
    ],
)
def test_browsers_are_not(agent: str) -> None:
    assert not is_bot(agent)


def test_long_names_are_bots_and_are_not_remembered() -> None:
    before = crawlers._is_known_as_bot.cache_info().currsize
    assert is_bot("Mozilla/5.0 Gecko " + "x" * 60_000)
    assert crawlers._is_known_as_bot.cache_info().currsize == before


def test_only_the_patterns_of_crawlers_are_compiled() -> None:
    assert 0 < len(crawler_patterns()) < 50


@pytest.mark.skipif(not LOG.exists(), reason=f"there is no {LOG}")
def test_a_real_access_log_is_sorted_as_its_crawlers_say_themselves() -> None:
    lines = gzip.decompress(LOG.read_bytes()).splitlines()
    agents = [match[2].decode("latin-1") for line in lines if (match := LINE.match(line)) is not None]
    assert len(agents) > 7000
    found = Counter(is_bot(agent) for agent in agents)
    # Whoever names itself so is one; whoever has none of these words and calls itself a browser may be a person.
    named = re.compile(r"bot\b|bot/|crawl|spider|slurp|feed|rss|curl|wget|python|^-$", re.IGNORECASE)
    missed = {agent for agent in agents if named.search(agent) and not is_bot(agent)}
    assert missed == set()
    people = [agent for agent in agents if re.match(r"Mozilla/5\.0 \((Windows|Macintosh)", agent)]
    assert sum(map(is_bot, people)) / len(people) < 0.02
    assert 0.2 < found[True] / len(agents) < 0.5


@pytest.mark.skipif(not LOG.exists(), reason=f"there is no {LOG}")
def test_visitors_of_a_real_log_are_told_apart_without_keeping_them() -> None:
    doorkeeper = Doorkeeper(b"s" * 32, (), lambda _: False, behind_proxy=False)
    by_id: dict[bytes, tuple[str, bytes]] = {}
    for line in gzip.decompress(LOG.read_bytes()).splitlines():
        match = LINE.match(line)
        assert match is not None
        who = (match[1].decode("ascii"), match[2])
        visitor = doorkeeper.recognise({b"user-agent": who[1]}, who[0], date(2015, 5, 17))
        assert by_id.setdefault(visitor.id, who) == who
        tomorrow = doorkeeper.recognise({b"user-agent": who[1]}, who[0], date(2015, 5, 18))
        assert tomorrow.id != visitor.id
    assert len(by_id) > 500


@given(st.binary(max_size=80) | st.text(max_size=80).map(lambda text: text.encode("utf-8", "replace")))
def test_only_tokens_of_the_mint_are_read(noise: bytes) -> None:
    mint = TokenMint(b"k" * 32)
    rendering, token = mint.make("acme", "lead", "/", 5)
    assert mint.read(token) == rendering
    with pytest.raises(ForgedToken):
        mint.read(noise.decode("latin-1"))
    with pytest.raises(ForgedToken):
        TokenMint(b"x" * 32).read(token)


@given(st.data())
def test_a_token_of_which_one_character_is_changed_is_forged_or_means_the_same(data: st.DataObject) -> None:
    mint = TokenMint(b"k" * 32)
    rendering, token = mint.make("acme", "lead", "/articles/x", 1_700_000_000_000)
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_="))
    changed = token[:place] + letter + token[place + 1 :]
    try:
        read = mint.read(changed)
    except ForgedToken:
        return
    # The last character of base64 can hold bits that mean nothing; the nonce is the same, so it counts once.
    assert read == rendering


def test_the_secret_is_made_once_and_kept_to_itself(tmp_path: Path) -> None:
    first = instance_secret(tmp_path / "signing.key")
    assert first == instance_secret(tmp_path / "signing.key")
    assert (tmp_path / "signing.key").stat().st_mode & 0o777 == 0o600
    assert derived(first, "token") != derived(first, "visitor")
    (tmp_path / "short").write_bytes(b"x")
    with pytest.raises(ValueError, match="remove it"):
        instance_secret(tmp_path / "short")
