"""What is read in threads has been met before: two threads that meet a msgspec type first at once crash the process."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

WATCH = """
import sys
from pathlib import Path
place = Path(sys.argv[1])

def meeting(frame, event, _):
    # What msgspec calls, once for each type, to find out what its fields are.
    if event == "call" and frame.f_code.co_name == "get_class_annotations":
        met.append(str(frame.f_locals["obj"]))

met = []
{importing}
sys.setprofile(meeting)
{reading}
sys.setprofile(None)
print(met)
"""

SOURCES = """{"datasets": [{"seller": "s", "name": "n", "version": 1, "digest": "d", "price": "1", "asset": "USD",
"used_at": "2026-01-01T00:00:00Z", "article": {"slug": "a", "title": "t", "summary": "s", "text": "x",
"published": "2026-01-01T00:00:00Z", "updated": "2026-01-01T00:00:00Z"}}],
"links": [{"url": "u", "title": "t", "merchant": "m"}]}"""

READINGS = {
    "sources of a site": (
        "from streams.content_monetization.neighbour_sources import _read",
        f"(place / 'f').write_text('''{SOURCES}'''); _read(place / 'f')",
    ),
    "an article": (
        "from streams.content_monetization.article import parse_article",
        "parse_article('a', '+++\\ntitle = \"t\"\\npublished = 2026-01-01\\n+++\\ntext')",
    ),
    "a kill switch": (
        "from streams.crypto_arbitrage.switch import KillSwitch, SWITCH_FILE",
        '(place / SWITCH_FILE).write_text(\'{"reason": "r", "at": "2026-01-01T00:00:00Z"}\')\n'
        "KillSwitch(place, None)._read()",
    ),
    "versions of a dataset": (
        "from streams.data_harvesting.datasets.versions import MANIFEST_FILE, Versions",
        "(place / '00000001').mkdir(); (place / '00000001' / MANIFEST_FILE).write_text('{}'); Versions(place).load()",
    ),
    "counts of clicks": (
        "from streams.affiliate_marketing.click_segments import Segments",
        "segments = Segments(place); segments._counts_path(0).write_text('{\"o\": {}}')\n"
        "try: segments._counts_at(0)\nexcept Exception: pass",
    ),
    "customers of a venue": (
        "from streams.sandbox.venues.customers import open_customers",
        "open_customers(place / 'f'); open_customers(place / 'f')",
    ),
    "credentials of a network": (
        "from streams.sandbox.networks.network_server import _credentials",
        "_credentials(place / 'f'); _credentials(place / 'f')",
    ),
}


@pytest.mark.parametrize("what", READINGS)
def test_no_type_is_met_for_the_first_time_in_a_thread(what: str, tmp_path: Path) -> None:
    importing, reading = READINGS[what]
    script = textwrap.dedent(WATCH).format(importing=importing, reading=reading)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")
