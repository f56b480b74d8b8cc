"""The page that an instance's customers read: what is sold, at what price, and how to call it."""

from __future__ import annotations

import functools
import shlex
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec

from streams.api_services.parameters import Parameter, example, parameters
from streams.api_services.product import AnyProduct
from streams.api_services.settings import ApiServicesSettings
from streams.metering.shop_page import shop_template

if TYPE_CHECKING:
    from jinja2 import Template


class _Entry(msgspec.Struct, frozen=True):
    """A product as the page shows it."""

    product: AnyProduct
    price: str
    parameters: list[Parameter]
    answer_fields: tuple[str, ...]
    curl: str


def docs_page(settings: ApiServicesSettings, base_url: str) -> str:
    """Return the page as HTML: self-contained, and with everything from the settings escaped.

    Args:
        settings: The instance's settings.
        base_url: Where customers reach it, `http://127.0.0.1:7800`.
    """
    entries = [
        _Entry(
            product=product,
            price=settings.products[name],
            parameters=parameters(product),
            answer_fields=product.response.__struct_encode_fields__,
            curl=_curl(product, base_url),
        )
        for name, product in settings.offered().items()
    ]
    return _template().render(settings=settings, base_url=base_url, entries=entries, sold="Calls")


@functools.cache
def _template() -> Template:
    return shop_template("streams.api_services")


def _curl(product: AnyProduct, base_url: str) -> str:
    address = f"{base_url}/v1/{product.name}"
    key = "-H 'Authorization: Bearer YOUR_KEY'"
    values = example(product)
    if product.accepts_query:
        return f"curl {key} \\\n  {shlex.quote(f'{address}?{urlencode(values)}')}"
    body = msgspec.json.encode(values).decode()
    return (
        f"curl {key} \\\n  -H 'Content-Type: application/json' \\\n  -d {shlex.quote(body)} \\\n"
        f"  {shlex.quote(address)}"
    )
