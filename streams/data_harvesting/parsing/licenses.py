"""Licences that are known by their address: what they allow, in the few words that decide whether data is sold."""

from __future__ import annotations

import re
from typing import Final

import msgspec

_MAX_URL_LENGTH: Final = 500
_HINT: Final = re.compile(r"licen[cs]e|publicdomain|dl-de", re.IGNORECASE)
_CREATIVE_COMMONS: Final = re.compile(
    r"(?:https?:)?//(?:www\.)?creativecommons\.org/licenses/(?P<terms>by(?:-nc)?(?:-nd|-sa)?)/(?P<version>[1-4]\.\d)(?:[/?#].*)?",
    re.IGNORECASE,
)
_CC_PUBLIC: Final = re.compile(
    r"(?:https?:)?//(?:www\.)?creativecommons\.org/(?:publicdomain/(?P<kind>zero|mark)/1\.0|licenses/publicdomain)(?:[/?#].*)?",
    re.IGNORECASE,
)


class License(msgspec.Struct, frozen=True):
    """A licence, as far as it matters here.

    Attributes:
        id: Its SPDX identifier where it has one.
        may_sell: Whether copies may be sold.
        needs_attribution: Whether its author must be named.
        share_alike: Whether what is made of it must carry the same licence.
        no_derivatives: Whether only unchanged copies may be passed on.
    """

    id: str
    may_sell: bool
    needs_attribution: bool = True
    share_alike: bool = False
    no_derivatives: bool = False


_BY_ADDRESS: Final = {
    "opendatacommons.org/licenses/by": License("ODC-By-1.0", may_sell=True),
    "opendatacommons.org/licenses/odbl": License("ODbL-1.0", may_sell=True, share_alike=True),
    "opendatacommons.org/licenses/pddl": License("PDDL-1.0", may_sell=True, needs_attribution=False),
    "nationalarchives.gov.uk/doc/open-government-licence": License("OGL-UK-3.0", may_sell=True),
    "govdata.de/dl-de/by-2-0": License("DL-DE-BY-2.0", may_sell=True),
    "govdata.de/dl-de/zero-2-0": License("DL-DE-ZERO-2.0", may_sell=True, needs_attribution=False),
    "etalab.gouv.fr/licence-ouverte-open-licence": License("etalab-2.0", may_sell=True),
    "opensource.org/licenses/mit": License("MIT", may_sell=True),
    "opensource.org/license/mit": License("MIT", may_sell=True),
    "apache.org/licenses/license-2.0": License("Apache-2.0", may_sell=True),
    "gnu.org/licenses/fdl-1.3": License("GFDL-1.3-or-later", may_sell=True, share_alike=True),
    "unlicense.org": License("Unlicense", may_sell=True, needs_attribution=False),
}


def known_license(url: str) -> License | None:
    """Return the licence that an address stands for; None where it is not one that is known here."""
    url = url.strip()
    # Asked of every link of every page: nearly all of them have none of these words.
    if len(url) > _MAX_URL_LENGTH or _HINT.search(url) is None:
        return None
    if (found := _CREATIVE_COMMONS.fullmatch(url)) is not None:
        terms = found["terms"].lower()
        return License(
            f"CC-{terms.upper()}-{found['version']}",
            may_sell="nc" not in terms,
            share_alike="sa" in terms,
            no_derivatives="nd" in terms,
        )
    if (public := _CC_PUBLIC.fullmatch(url)) is not None:
        return License("CC0-1.0" if (public["kind"] or "").lower() == "zero" else "CC-PDM-1.0", True, False)
    address = re.sub(r"^(?:https?:)?//(?:www\.)?", "", url.lower()).partition("?")[0].partition("#")[0]
    for known, license_ in _BY_ADDRESS.items():
        if address == known or address.startswith((f"{known}/", f"{known}.", f"{known}-")):
            return license_
    return None
