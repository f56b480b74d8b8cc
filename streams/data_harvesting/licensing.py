"""Whether what was found may be sold: what its page says, what its site says, and what its owner agreed to.

What nobody says anything about is collected where robots.txt allows that, and not sold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, TypeAlias

from streams.data_harvesting.parsing.directives import Directives
from streams.data_harvesting.parsing.licenses import known_license
from streams.data_harvesting.recipe import LicenceRule
from streams.data_harvesting.record import Terms

Withheld: TypeAlias = Literal["noindex", "noarchive", "noai", "content_signal", "licence", "unknown_licence"]
"""Why records are not sold: the first that applies.

- `content_signal`: the site's robots.txt says no to the use of its content by others than search engines.
- `licence`: the licence that is stated does not allow it (a dataset is a derived work), or the recipe withholds it.
"""

_SIGNALS: Final = ("ai-train", "ai-input")
_SILENT: Final = Directives()


def terms_of(
    rule: LicenceRule,
    stated: Iterable[str],
    directives: Directives = _SILENT,
    signals: Mapping[str, str] | None = None,
) -> Terms:
    """Return the terms of what was found.

    Args:
        rule: The recipe's.
        stated: Licences that the entry, the page, the feed or the site states, as addresses.
        directives: What the page asks of machines.
        signals: The site's Content-Signal.
    """
    licence, may_sell = _licence(rule, stated)
    return Terms(licence, _withheld(licence, directives, signals or {}, may_sell=may_sell))


def _withheld(
    licence: str, directives: Directives, signals: Mapping[str, str], *, may_sell: bool
) -> Withheld | Literal[""]:
    if directives.noindex:
        return "noindex"
    if directives.noarchive:
        return "noarchive"
    if directives.noai:
        return "noai"
    if any(signals.get(signal) == "no" for signal in _SIGNALS):
        return "content_signal"
    if not licence:
        return "unknown_licence"
    return "" if may_sell else "licence"


def _licence(rule: LicenceRule, stated: Iterable[str]) -> tuple[str, bool]:
    """Return the licence, and whether it allows selling. Where several are stated, all of them have to."""
    names: list[str] = []
    may_sell = True
    for address in dict.fromkeys(stated):
        known = known_license(address)
        if known is None:
            return "", False
        if known.id not in names:
            names.append(known.id)
            allowed = known.may_sell and not known.no_derivatives and known.id not in rule.withheld
            may_sell = may_sell and allowed
    if names:
        return " AND ".join(names), may_sell
    return rule.granted, bool(rule.granted)
