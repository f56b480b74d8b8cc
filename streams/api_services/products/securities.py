"""Identifiers of securities and of legal entities: ISIN, CUSIP, SEDOL, FIGI, LEI."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from streams.api_services.product import Input, Output, Product
from streams.api_services.products.identifier import IdentifierText, check, compact

Kind: TypeAlias = Literal["isin", "cusip", "sedol", "figi", "lei"]

# The lengths are all different but for ISIN and FIGI, which differ in the third character.
_KIND_BY_LENGTH: Final[dict[int, Kind]] = {7: "sedol", 9: "cusip", 12: "isin", 20: "lei"}

# Every FIGI has G as its third character, and its standard keeps clear of the countries whose ISINs may have it too:
# those that number their securities by the CUSIPs of foreign issuers, which begin with G.
_ISIN_PREFIXES_BEFORE_G: Final = frozenset({"BM", "BS", "GB", "GG", "GH", "KY", "VG"})


class SecuritiesRequest(Input, frozen=True):
    """An identifier to check."""

    value: IdentifierText
    kind: Annotated[Kind, msgspec.Meta(description="The scheme; recognised by length where not given.")] | None = None


class SecuritiesResponse(Output, frozen=True):
    """The scheme; for an ISIN also its country and the national number inside, where the country has one."""

    valid: bool
    value: str
    kind: Kind | None = None
    country: str | None = None
    cusip: str | None = None
    sedol: str | None = None
    reason: str | None = None


def _validator(kind: Kind) -> Callable[[str], str]:
    from stdnum import cusip, figi, isin, lei
    from stdnum.gb import sedol

    return {
        "isin": isin.validate,
        "cusip": cusip.validate,
        "sedol": sedol.validate,
        "figi": figi.validate,
        "lei": lei.validate,
    }[kind]


def _recognised(value: str) -> Kind | None:
    kind = _KIND_BY_LENGTH.get(len(value))
    if kind == "isin" and value[2] == "G" and value[:2] not in _ISIN_PREFIXES_BEFORE_G:
        return "figi"
    return kind


def _run(request: SecuritiesRequest, now: datetime) -> SecuritiesResponse:
    value = compact(request.value)
    kind = request.kind or _recognised(value)
    if kind is None:
        return SecuritiesResponse(
            valid=False, value=value, reason="no scheme has this length (SEDOL 7, CUSIP 9, ISIN/FIGI 12, LEI 20)"
        )
    outcome = check(value, _validator(kind))
    if outcome.reason is not None:
        return SecuritiesResponse(valid=False, value=value, kind=kind, reason=outcome.reason)
    if kind != "isin":
        return SecuritiesResponse(valid=True, value=value, kind=kind)
    country = value[:2]
    return SecuritiesResponse(
        valid=True,
        value=value,
        kind=kind,
        country=country,
        cusip=value[2:11] if country in {"US", "CA"} else None,
        sedol=value[4:11] if country in {"GB", "IE"} and value[2:4] == "00" else None,
    )


SECURITIES_PRODUCT = Product(
    name="securities",
    title="ISIN, CUSIP, SEDOL, FIGI and LEI check",
    summary="Check the identifier of a security or a legal entity.",
    description=(
        "Checks format and check digits of ISIN (ISO 6166), CUSIP (ANSI X9.6), SEDOL, FIGI (OMG) and LEI "
        "(ISO 17442), recognises which it is, and gives the CUSIP or SEDOL inside an ISIN. Whether the "
        "security is listed is not checked."
    ),
    request=SecuritiesRequest,
    response=SecuritiesResponse,
    run=_run,
    example=SecuritiesRequest(value="US0378331005"),
)
