"""What may be sold: what is known to be allowed, and nothing else."""

from __future__ import annotations

import pytest

from streams.data_harvesting.licensing import terms_of
from streams.data_harvesting.parsing.directives import Directives
from streams.data_harvesting.recipe import LicenceRule
from streams.data_harvesting.record import Terms

BY = "https://creativecommons.org/licenses/by/4.0/"
BY_SA = "https://creativecommons.org/licenses/by-sa/4.0/deed.de"
BY_NC = "https://creativecommons.org/licenses/by-nc/4.0/"
BY_ND = "https://creativecommons.org/licenses/by-nd/4.0/"
CC0 = "https://creativecommons.org/publicdomain/zero/1.0/"
OWN = "https://example.org/our-terms"
SILENT = LicenceRule()
AGREED = LicenceRule(granted="Agreement 7")


@pytest.mark.parametrize(
    ("rule", "stated", "terms"),
    [
        (SILENT, [BY], Terms("CC-BY-4.0")),
        (SILENT, [CC0, BY_SA], Terms("CC0-1.0 AND CC-BY-SA-4.0")),
        (SILENT, [BY, BY], Terms("CC-BY-4.0")),
        (SILENT, [BY_NC], Terms("CC-BY-NC-4.0", "licence")),
        (SILENT, [BY_ND], Terms("CC-BY-ND-4.0", "licence")),
        (SILENT, [BY, BY_NC], Terms("CC-BY-4.0 AND CC-BY-NC-4.0", "licence")),
        (SILENT, [], Terms("", "unknown_licence")),
        (SILENT, [OWN], Terms("", "unknown_licence")),
        (SILENT, [BY, OWN], Terms("", "unknown_licence")),
        (AGREED, [], Terms("Agreement 7")),
        (AGREED, [BY], Terms("CC-BY-4.0")),
        (AGREED, [BY_NC], Terms("CC-BY-NC-4.0", "licence")),
        (LicenceRule(withheld=("CC-BY-SA-4.0",)), [BY_SA], Terms("CC-BY-SA-4.0", "licence")),
    ],
)
def test_the_licence_decides(rule: LicenceRule, stated: list[str], terms: Terms) -> None:
    assert terms_of(rule, stated) == terms


@pytest.mark.parametrize(
    ("directives", "withheld"),
    [
        (Directives(noindex=True), "noindex"),
        (Directives(noai=True), "noai"),
        (Directives(noarchive=True), "noarchive"),
        (Directives(nofollow=True, noimageai=True), ""),
    ],
)
def test_what_a_page_forbids_no_licence_and_no_agreement_allows(directives: Directives, withheld: str) -> None:
    assert terms_of(SILENT, [CC0], directives).withheld == withheld
    assert terms_of(AGREED, [], directives).withheld == withheld


@pytest.mark.parametrize(
    ("signals", "withheld"),
    [
        ({"search": "yes", "ai-train": "no"}, "content_signal"),
        ({"ai-input": "no"}, "content_signal"),
        ({"search": "no"}, ""),
        ({"ai-train": "yes"}, ""),
    ],
)
def test_a_site_may_say_no_in_its_robots_file(signals: dict[str, str], withheld: str) -> None:
    assert terms_of(SILENT, [CC0], signals=signals).withheld == withheld
