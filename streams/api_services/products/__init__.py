"""Everything that is sold, by name. Importing it loads none of the products' libraries."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from streams.api_services.product import AnyProduct
from streams.api_services.products.barcode import BARCODE_PRODUCT
from streams.api_services.products.bic import BIC_PRODUCT
from streams.api_services.products.contrast import CONTRAST_PRODUCT
from streams.api_services.products.cron import CRON_PRODUCT
from streams.api_services.products.diff import DIFF_PRODUCT
from streams.api_services.products.distance import DISTANCE_PRODUCT
from streams.api_services.products.domain import DOMAIN_PRODUCT
from streams.api_services.products.email import EMAIL_PRODUCT
from streams.api_services.products.gtin import GTIN_PRODUCT
from streams.api_services.products.holidays import HOLIDAYS_PRODUCT
from streams.api_services.products.iban import IBAN_PRODUCT
from streams.api_services.products.isbn import ISBN_PRODUCT
from streams.api_services.products.jsonschema import JSONSCHEMA_PRODUCT
from streams.api_services.products.markdown import MARKDOWN_PRODUCT
from streams.api_services.products.metadata import METADATA_PRODUCT
from streams.api_services.products.phone import PHONE_PRODUCT
from streams.api_services.products.qr import QR_PRODUCT
from streams.api_services.products.readable import READABLE_PRODUCT
from streams.api_services.products.sanitize import SANITIZE_PRODUCT
from streams.api_services.products.securities import SECURITIES_PRODUCT
from streams.api_services.products.similarity import SIMILARITY_PRODUCT
from streams.api_services.products.slug import SLUG_PRODUCT
from streams.api_services.products.timezone import TIMEZONE_PRODUCT
from streams.api_services.products.useragent import USERAGENT_PRODUCT
from streams.api_services.products.vat import VAT_PRODUCT
from streams.api_services.products.workdays import WORKDAYS_PRODUCT

_ALL: Final[tuple[AnyProduct, ...]] = (
    IBAN_PRODUCT,
    BIC_PRODUCT,
    VAT_PRODUCT,
    SECURITIES_PRODUCT,
    ISBN_PRODUCT,
    GTIN_PRODUCT,
    PHONE_PRODUCT,
    EMAIL_PRODUCT,
    DOMAIN_PRODUCT,
    SIMILARITY_PRODUCT,
    QR_PRODUCT,
    BARCODE_PRODUCT,
    READABLE_PRODUCT,
    METADATA_PRODUCT,
    MARKDOWN_PRODUCT,
    SANITIZE_PRODUCT,
    SLUG_PRODUCT,
    DIFF_PRODUCT,
    JSONSCHEMA_PRODUCT,
    USERAGENT_PRODUCT,
    CRON_PRODUCT,
    TIMEZONE_PRODUCT,
    HOLIDAYS_PRODUCT,
    WORKDAYS_PRODUCT,
    CONTRAST_PRODUCT,
    DISTANCE_PRODUCT,
)

PRODUCTS: Final[Mapping[str, AnyProduct]] = MappingProxyType({product.name: product for product in _ALL})
"""In the order in which customers see them."""
