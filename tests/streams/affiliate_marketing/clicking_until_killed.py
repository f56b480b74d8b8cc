"""An instance and its visitors in a process of their own, that end by being killed.

`python -m tests.streams.affiliate_marketing.clicking_until_killed <directory>` prints the id of each click whose
redirect has arrived at its visitor.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path

from tests.streams.affiliate_marketing.agencies import CHROME, open_agency


async def click_on(directory: Path) -> None:
    """Click until killed."""
    numbers = itertools.count()
    async with open_agency(directory) as agency:

        async def visitor() -> None:
            for number in numbers:
                click_id = await agency.click(f"{CHROME} {number}")
                sys.stdout.write(click_id + "\n")
                sys.stdout.flush()

        await asyncio.gather(*(visitor() for _ in range(16)))


if __name__ == "__main__":
    asyncio.run(click_on(Path(sys.argv[1])))
