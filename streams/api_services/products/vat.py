"""European value added tax numbers, checked offline."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Final

import msgspec

from streams.api_services.product import Input, Output, Product, ProductError
from streams.api_services.products.identifier import IdentifierText, check, compact

# A VAT prefix is the ISO 3166 code, but for Greece (EL) and Northern Ireland (XI). The value is where
# python-stdnum keeps the rules.
_RULES: Final = {
    prefix: prefix.lower()
    for prefix in (
        *("AT", "BE", "BG", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB", "HR", "HU", "IE"),
        *("IT", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK"),
    )
} | {"EL": "gr", "XI": "gb"}


class VatRequest(Input, frozen=True):
    """A number to check."""

    value: IdentifierText
    country: (
        Annotated[
            str,
            msgspec.Meta(
                max_length=2,
                pattern="^[A-Za-z]{2}$",
                description="Two-letter prefix, for numbers written without theirs (EL for Greece).",
            ),
        ]
        | None
    ) = None


class VatResponse(Output, frozen=True):
    """The number in its normal form, with prefix."""

    valid: bool
    value: str
    country: str | None = None
    number: str | None = None
    european_union: bool | None = None
    reason: str | None = None


@functools.cache
def _validator(prefix: str) -> Callable[[str], str]:
    from stdnum.util import get_cc_module

    module = get_cc_module(_RULES[prefix], "vat")
    if module is None:
        raise ModuleNotFoundError(f"python-stdnum has no VAT rules for {prefix}")
    validate: Callable[[str], str] = module.validate
    return validate


def _load_rules() -> None:
    for prefix in _RULES:
        _validator(prefix)


def _run(request: VatRequest, now: datetime) -> VatResponse:
    value = compact(request.value)
    prefix = compact(request.country) if request.country is not None else value[:2]
    prefix = "EL" if prefix == "GR" else prefix
    if prefix not in _RULES:
        if request.country is not None:
            raise ProductError(f"{prefix} is not supported; known are {', '.join(sorted(_RULES))}", "country")
        return VatResponse(valid=False, value=value, reason="it does not start with the prefix of a supported country")
    number = value.removeprefix("GR" if value.startswith("GR") and prefix == "EL" else prefix)
    if prefix == "CH" and number.startswith("E"):
        number = f"CH{number}"  # the Swiss number itself begins with CHE
    outcome = check(number, _validator(prefix))
    if outcome.reason is not None:
        return VatResponse(valid=False, value=value, country=prefix, reason=outcome.reason)
    number = outcome.value.removeprefix(prefix)
    return VatResponse(
        valid=True,
        value=f"{prefix}{number}",
        country=prefix,
        number=number,
        european_union=prefix not in {"CH", "GB", "NO", "XI"},
    )


VAT_PRODUCT = Product(
    name="vat",
    title="VAT number check",
    summary="Check a European VAT number offline.",
    description=(
        "Checks format and check digits of VAT numbers of the European Union, Northern Ireland, the United "
        "Kingdom, Switzerland and Norway by each country's own rules. Registration (VIES) is not asked."
    ),
    request=VatRequest,
    response=VatResponse,
    run=_run,
    example=VatRequest(value="DE136695976"),
    load=_load_rules,
)
