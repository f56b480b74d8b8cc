"""Host names: what is registered, what is the public suffix, and both spellings of international names."""

from __future__ import annotations

import functools
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import msgspec

from streams.api_services.product import Input, Output, Product

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList


class DomainRequest(Input, frozen=True):
    """A host name to take apart."""

    value: Annotated[str, msgspec.Meta(min_length=1, max_length=512, description="A host name; no scheme, no path.")]


class DomainResponse(Output, frozen=True):
    """The parts in ASCII (A-labels), and the whole in Unicode. `registrable` is null for a bare suffix."""

    valid: bool
    value: str
    ascii: str | None = None
    unicode: str | None = None
    subdomain: str | None = None
    registrable: str | None = None
    suffix: str | None = None
    suffix_known: bool | None = None
    private_suffix: bool | None = None
    reason: str | None = None


@functools.cache
def _suffixes(*, only_icann: bool) -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList(only_icann=only_icann, accept_unknown=False)


def _run(request: DomainRequest, now: datetime) -> DomainResponse:
    import idna

    name = request.value.strip().removesuffix(".")
    try:
        ascii_name = idna.encode(name, uts46=True, std3_rules=True).decode("ascii")
        unicode_name = idna.decode(ascii_name)
    except idna.IDNAError as error:
        return DomainResponse(valid=False, value=request.value, reason=f"not a host name: {error}"[:300])
    labels = ascii_name.split(".")
    if len(labels) > 1 and labels[-1].isdigit():
        return DomainResponse(valid=False, value=request.value, reason="an address, not a host name")
    suffix = _suffixes(only_icann=False).publicsuffix(ascii_name)
    known = suffix is not None
    # A name under no listed suffix is public at its last label, by the list's own default rule.
    suffix = suffix if suffix is not None else labels[-1]
    rest = labels[: len(labels) - len(suffix.split("."))]
    return DomainResponse(
        valid=True,
        value=request.value,
        ascii=ascii_name,
        unicode=unicode_name,
        subdomain=".".join(rest[:-1]) or None,
        registrable=f"{rest[-1]}.{suffix}" if rest else None,
        suffix=suffix,
        suffix_known=known,
        private_suffix=known and _suffixes(only_icann=True).publicsuffix(ascii_name) != suffix,
    )


DOMAIN_PRODUCT = Product(
    name="domain",
    title="Domain name parts",
    summary="Find the registrable domain and public suffix of a host name.",
    description=(
        "Checks a host name by IDNA 2008 (UTS 46), gives its ASCII and Unicode spellings, and splits it by the "
        "Public Suffix List: subdomain, registrable domain, suffix, and whether the suffix is a company's "
        "(github.io). DNS is not asked."
    ),
    request=DomainRequest,
    response=DomainResponse,
    run=_run,
    example=DomainRequest(value="www.bücher.example.co.uk"),
)
