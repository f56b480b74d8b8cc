"""International bank account numbers, ISO 13616."""

from __future__ import annotations

from datetime import datetime

from streams.api_services.product import Input, Output, Product
from streams.api_services.products.identifier import NOT_PLAIN, IdentifierText, compact, is_plain


class IbanRequest(Input, frozen=True):
    """An account number to check."""

    value: IdentifierText


class IbanResponse(Output, frozen=True):
    """What the number says; the bank's fields are null where the registry does not know them."""

    valid: bool
    value: str
    formatted: str | None = None
    country: str | None = None
    check_digits: str | None = None
    bank_code: str | None = None
    branch_code: str | None = None
    account_code: str | None = None
    bic: str | None = None
    bank_name: str | None = None
    sepa: bool | None = None
    reason: str | None = None


def _run(request: IbanRequest, now: datetime) -> IbanResponse:
    from schwifty import IBAN, exceptions

    value = compact(request.value)
    if not is_plain(value):
        return IbanResponse(valid=False, value=value, reason=NOT_PLAIN)
    try:
        iban = IBAN(value)
    except exceptions.InvalidChecksumDigits:
        return IbanResponse(valid=False, value=value, reason="the check digits do not match")
    except exceptions.InvalidLength:
        return IbanResponse(valid=False, value=value, reason="the length is wrong for its country")
    except exceptions.InvalidCountryCode:
        return IbanResponse(valid=False, value=value, reason="its country has no IBAN")
    except exceptions.SchwiftyException:
        return IbanResponse(valid=False, value=value, reason="the structure is wrong for its country")
    bic = iban.bic
    return IbanResponse(
        valid=True,
        value=value,
        formatted=iban.formatted,
        country=iban.country_code,
        check_digits=iban.checksum_digits,
        bank_code=iban.bank_code or None,
        branch_code=iban.branch_code or None,
        account_code=iban.account_code or None,
        bic=str(bic) if bic is not None else None,
        bank_name=iban.bank_name or None,
        sepa=iban.in_sepa_zone,
    )


def load_banks() -> None:
    """Read the banks of all countries, 14 MB; the library would read each country's when it is first asked for."""
    from schwifty import registry

    registry.get_all_banks()


IBAN_PRODUCT = Product(
    name="iban",
    title="IBAN check",
    summary="Check a bank account number and learn its bank.",
    description=(
        "Checks structure, length and check digits of an IBAN by ISO 13616 and its registry, splits it, and "
        "names the bank and BIC where a public registry has them. Whether the account exists is not checked."
    ),
    request=IbanRequest,
    response=IbanResponse,
    run=_run,
    example=IbanRequest(value="DE89370400440532013000"),
    load=load_banks,
)
