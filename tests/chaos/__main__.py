"""`python -m tests.chaos --minutes 10` disturbs a daemon and says what came of it; status 1 if something is wrong."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import msgspec

from tests.chaos.ordeal import endure


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", type=Path, help="where the daemon's log is copied to, in the end")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos-") as directory:
        verdict = endure(Path(directory), asked.minutes * 60, asked.seed, asked.log)
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(verdict), indent=2).decode() + "\n")
    return 1 if verdict.faults else 0


if __name__ == "__main__":
    sys.exit(main())
