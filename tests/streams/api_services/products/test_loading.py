"""What products load, and when: each in a process of its own, because a library cannot be unloaded."""

from __future__ import annotations

import subprocess
import sys

LIBRARIES = (
    *("anyascii", "barcode", "coloraide", "cronsim", "email_validator", "geographiclib", "holidays", "idna"),
    *("jsonschema_rs", "lxml", "markdown_it", "nh3", "phonenumbers", "publicsuffixlist", "rapidfuzz", "schwifty"),
    *("segno", "selectolax", "stdnum", "trafilatura", "ua_parser", "jinja2"),
)

IMPORT_THE_CATALOGUE = f"""
import sys
import streams.api_services.products, streams.api_services.blueprint
import streams.api_services.openapi, streams.api_services.docs_page

print(*[name for name in {LIBRARIES!r} if name in sys.modules])
"""

CALL_WHAT_THE_EXAMPLES_DO_NOT_TOUCH = """
import sys
from datetime import UTC, datetime

import msgspec
from phonenumbers import SUPPORTED_REGIONS

from streams.api_services.product import ProductError
from streams.api_services.products import PRODUCTS
from streams.api_services.products.vat import _RULES

for product in PRODUCTS.values():
    if not product.heavy:
        product.prepare()

CALLS = {
    "iban": [{"value": value} for value in ("FR1420041010050500013M02606", "NL91ABNA0417164300", "ZZ00")],
    "bic": [{"value": value} for value in ("BNPAFRPP", "CHASUS33", "UBSWCHZH")],
    "vat": [{"value": f"{prefix}123456789"} for prefix in _RULES],
    "securities": [{"value": value} for value in ("037833100", "0263494", "BBG000BLNNH6", "5493001KJTIIGC8Y1R12")],
    "isbn": [{"value": value} for value in ("9781857982183", "9791090636071", "x")],
    "gtin": [{"value": value} for value in ("9771234567003", "73513537")],
    "phone": [{"value": "12345678", "region": region} for region in SUPPORTED_REGIONS],
    "email": [{"value": value} for value in ("a@食狮.公司.cn", "x@[1.1.1.1]", "x <y@z.de>")],
    "domain": [{"value": value} for value in ("食狮.公司.cn", "xn--x.com", "a.ck", "user.github.io")],
    "barcode": [{"value": "1234", "symbology": symbology} for symbology in ("code128", "code39", "itf")],
    "slug": [{"value": chr(codepoint)} for codepoint in range(1, 0xD000, 100)],
    "useragent": [{"value": value} for value in ("x", "Googlebot/2.1", "Mozilla/5.0 (Linux; Android 14; Pixel 8)")],
    "cron": [{"expression": "30 2 * * *", "timezone": zone} for zone in ("Asia/Tokyo", "Africa/Casablanca")],
    "timezone": [{"target": zone} for zone in ("Asia/Kolkata", "Pacific/Apia", "Mars/Olympus")],
    "contrast": [{"foreground": colour} for colour in ("hsl(1 2% 3%)", "oklch(.5 .1 3)", "color(xyz 1 1 1)", "x")],
    "distance": [{"from_latitude": 1, "from_longitude": 2, "to_latitude": 3, "to_longitude": 4}],
}
assert set(CALLS) == {name for name, product in PRODUCTS.items() if not product.heavy}, "a light product is missing"

touched = []
now = datetime(2026, 3, 1, tzinfo=UTC)
sys.addaudithook(lambda event, args: touched.append((event, args[0])) if event in {"open", "import"} else None)
for name, calls in CALLS.items():
    for fields in calls:
        try:
            PRODUCTS[name].run(msgspec.convert(fields, PRODUCTS[name].request), now)
        except ProductError:
            pass
print(*touched, sep="\\n")
"""


def output_of(code: str) -> str:
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


def test_importing_the_catalogue_loads_none_of_the_libraries() -> None:
    assert output_of(IMPORT_THE_CATALOGUE) == ""


def test_a_light_product_reads_no_file_once_it_is_prepared() -> None:
    assert output_of(CALL_WHAT_THE_EXAMPLES_DO_NOT_TOUCH) == ""
