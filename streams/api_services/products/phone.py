"""Telephone numbers, ITU-T E.164, by Google's libphonenumber rules."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from streams.api_services.product import Input, Output, Product, ProductError


class PhoneRequest(Input, frozen=True):
    """A number to check."""

    value: Annotated[
        str,
        msgspec.Meta(min_length=1, max_length=64, description="The number as people write it: +49 30 123456."),
    ]
    region: (
        Annotated[
            str,
            msgspec.Meta(
                max_length=2,
                pattern="^[A-Za-z]{2}$",
                description="ISO 3166 code of the country it is dialled from, for numbers without a +.",
            ),
        ]
        | None
    ) = None


class PhoneResponse(Output, frozen=True):
    """The number in the forms that systems and people use."""

    valid: bool
    possible: bool
    value: str
    e164: str | None = None
    international: str | None = None
    national: str | None = None
    rfc3966: str | None = None
    country_calling_code: int | None = None
    region: str | None = None
    kind: str | None = None
    reason: str | None = None


def _load_plans() -> None:
    from phonenumbers import PhoneMetadata

    PhoneMetadata.load_all()


def _run(request: PhoneRequest, now: datetime) -> PhoneResponse:
    import phonenumbers

    region = request.region.upper() if request.region is not None else None
    if region is not None and region not in phonenumbers.SUPPORTED_REGIONS:
        raise ProductError("is not a region with a numbering plan", "region")
    try:
        number = phonenumbers.parse(request.value, region)
    except phonenumbers.NumberParseException as error:
        reasons = {
            phonenumbers.NumberParseException.INVALID_COUNTRY_CODE: (
                "its country calling code does not exist; give it with a + or name the region"
            ),
            phonenumbers.NumberParseException.TOO_SHORT_AFTER_IDD: "it is too short after its prefix",
            phonenumbers.NumberParseException.TOO_SHORT_NSN: "it is too short",
            phonenumbers.NumberParseException.TOO_LONG: "it is too long",
        }
        return PhoneResponse(
            valid=False,
            possible=False,
            value=request.value,
            reason=reasons.get(error.error_type, "it does not look like a telephone number"),
        )
    valid = phonenumbers.is_valid_number(number)
    written = phonenumbers.PhoneNumberFormat
    return PhoneResponse(
        valid=valid,
        possible=phonenumbers.is_possible_number(number),
        value=request.value,
        e164=phonenumbers.format_number(number, written.E164),
        international=phonenumbers.format_number(number, written.INTERNATIONAL),
        national=phonenumbers.format_number(number, written.NATIONAL),
        rfc3966=phonenumbers.format_number(number, written.RFC3966),
        country_calling_code=number.country_code,
        region=phonenumbers.region_code_for_number(number),
        kind=phonenumbers.PhoneNumberType.to_string(phonenumbers.number_type(number)).lower(),
        reason=None if valid else "no number of its country's numbering plan looks like this",
    )


PHONE_PRODUCT = Product(
    name="phone",
    title="Phone number check",
    summary="Check a telephone number and bring it to E.164.",
    description=(
        "Parses a number as people write it, checks it against the numbering plan of its country, and gives "
        "E.164, international, national and RFC 3966 forms, region and kind (mobile, fixed line, toll free, …). "
        "The network is not asked."
    ),
    request=PhoneRequest,
    response=PhoneResponse,
    run=_run,
    example=PhoneRequest(value="+49 30 901820"),
    load=_load_plans,
)
