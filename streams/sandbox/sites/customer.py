"""A customer of datasets: looks what there is, and downloads it, over real HTTP."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import msgspec

from streams.sandbox.keyed_customer import CALL_TIMEOUT_S, KeyedCustomer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors import ActorRef
    from streams.metering.messages import CreateKey

_FIRST_LOOK_S: Final = 1.0
_LONGEST_LOOK_S: Final = 60.0
_SLOWER: Final = 1.25
_UNKNOWN: Final = frozenset({401, 503})
_FORMATS: Final = ("jsonl", "jsonl", "csv")


class DatasetCustomer(KeyedCustomer):
    """Stands for the customers of an instance: waits for the first version, then downloads the newest now and then.

    An order whose answer got lost is sent again under its Idempotency-Key, and so is paid once.

    Args:
        instance: Whom it calls.
        base_url: Where.
        desk: Where keys are sold.
        datasets: The names of what it may download.
        purse: The file in which it keeps its key.
        http: Makes the shared HTTP client session.
        downloads_per_minute: How often on average.
        seed: What decides on downloads and intervals.
    """

    def __init__(
        self,
        instance: str,
        base_url: str,
        desk: ActorRef[CreateKey],
        datasets: Sequence[str],
        purse: Path,
        http: Callable[[], aiohttp.ClientSession],
        downloads_per_minute: float,
        seed: str,
    ) -> None:
        super().__init__(instance, base_url, desk, purse, http, 60.0 / downloads_per_minute, seed)
        self._datasets = tuple(datasets)
        self._look_again_s = _FIRST_LOOK_S
        self._order: tuple[str, str] | None = None

    async def make_call(self) -> float | None:
        """Send the order that is open, or make one; look again soon while there is nothing to be had."""
        if self._order is None:
            name = await self._choose()
            if name is None:
                wait_s = self._look_again_s
                self._look_again_s = min(wait_s * _SLOWER, _LONGEST_LOOK_S)
                return wait_s
            path = f"/v1/datasets/{name}/latest?format={self.rng.choice(_FORMATS)}"
            self._order = (path, f"order-{secrets.token_hex(8)}")
        path, order = self._order
        if await self.ask("GET", path, headers={"Idempotency-Key": order}) in _UNKNOWN:
            return _FIRST_LOOK_S
        self._order = None
        return None

    async def _choose(self) -> str | None:
        """Return the name of something that is for sale; None where nothing is."""
        timeout = aiohttp.ClientTimeout(total=CALL_TIMEOUT_S)
        async with self.http().get(f"{self.base_url}/v1/datasets", timeout=timeout) as response:
            body = await response.read()
            if response.status != 200:
                return None
        listed: dict[str, Any] = msgspec.json.decode(body)
        ready = [
            item["name"]
            for item in listed.get("items", ())
            if item["name"] in self._datasets and any(version["sellable"] for version in item["versions"][:1])
        ]
        return self.rng.choice(sorted(ready)) if ready else None
