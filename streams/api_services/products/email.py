"""Email addresses: syntax and normal form, without DNS."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from streams.api_services.product import Input, Output, Product


class EmailRequest(Input, frozen=True):
    """An address to check."""

    value: Annotated[str, msgspec.Meta(min_length=1, max_length=512, description="The address.")]


class EmailResponse(Output, frozen=True):
    """The address in its normal form; `ascii` is what a server without SMTPUTF8 accepts, where there is such."""

    valid: bool
    value: str
    normalized: str | None = None
    local_part: str | None = None
    domain: str | None = None
    ascii: str | None = None
    ascii_domain: str | None = None
    smtputf8: bool | None = None
    reason: str | None = None


def _run(request: EmailRequest, now: datetime) -> EmailResponse:
    from email_validator import EmailNotValidError, validate_email

    try:
        address = validate_email(
            request.value.strip(),
            check_deliverability=False,
            globally_deliverable=True,
            strict=True,
            allow_domain_literal=False,
        )
    except EmailNotValidError as error:
        return EmailResponse(valid=False, value=request.value, reason=str(error))
    return EmailResponse(
        valid=True,
        value=request.value,
        normalized=address.normalized,
        local_part=address.local_part,
        domain=address.domain,
        ascii=address.ascii_email,
        ascii_domain=address.ascii_domain,
        smtputf8=address.smtputf8,
    )


EMAIL_PRODUCT = Product(
    name="email",
    title="Email address check",
    summary="Check an email address and bring it to its normal form.",
    description=(
        "Checks an address by RFC 5321, 5322 and 6531 as mail servers apply them, refuses reserved domains, "
        "normalises Unicode and the domain (IDNA 2008), and gives the ASCII form. No mail is sent, no DNS asked."
    ),
    request=EmailRequest,
    response=EmailResponse,
    run=_run,
    example=EmailRequest(value="Jörg@Bücher.de"),
)
