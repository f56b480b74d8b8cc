"""Business identifier codes, ISO 9362 (SWIFT)."""

from __future__ import annotations

from datetime import datetime

from streams.api_services.product import Input, Output, Product
from streams.api_services.products.iban import load_banks
from streams.api_services.products.identifier import NOT_PLAIN, IdentifierText, compact, is_plain


class BicRequest(Input, frozen=True):
    """A code to check."""

    value: IdentifierText


class BicResponse(Output, frozen=True):
    """What the code says; `bank_names` is empty where the registry does not know it."""

    valid: bool
    value: str
    formatted: str | None = None
    country: str | None = None
    country_name: str | None = None
    bank_prefix: str | None = None
    location: str | None = None
    branch: str | None = None
    kind: str | None = None
    known: bool = False
    bank_names: tuple[str, ...] = ()
    reason: str | None = None


def _run(request: BicRequest, now: datetime) -> BicResponse:
    from schwifty import BIC, exceptions

    value = compact(request.value)
    if not is_plain(value):
        return BicResponse(valid=False, value=value, reason=NOT_PLAIN)
    try:
        bic = BIC(value)
    except exceptions.InvalidLength:
        return BicResponse(valid=False, value=value, reason="a BIC has 8 or 11 characters")
    except exceptions.InvalidCountryCode:
        return BicResponse(valid=False, value=value, reason="its country code does not exist")
    except exceptions.SchwiftyException:
        return BicResponse(valid=False, value=value, reason="the structure is wrong")
    country = bic.country
    bank_names = tuple(bic.bank_names[:20])
    return BicResponse(
        valid=True,
        value=value,
        formatted=bic.formatted,
        country=bic.country_code,
        country_name=country.name if country is not None else None,
        bank_prefix=bic.bank_code,
        location=bic.location_code,
        branch=bic.branch_code or None,
        kind=bic.type,
        known=bic.exists or bool(bank_names),
        bank_names=bank_names,
    )


BIC_PRODUCT = Product(
    name="bic",
    title="BIC lookup",
    summary="Check a BIC (SWIFT code) and name its bank.",
    description=(
        "Checks a BIC by ISO 9362, splits it into bank, country, location and branch, and names the banks that "
        "public registries list under it. A well-formed code that no registry lists is valid but not `known`."
    ),
    request=BicRequest,
    response=BicResponse,
    run=_run,
    example=BicRequest(value="DEUTDEFF"),
    load=load_banks,
)
