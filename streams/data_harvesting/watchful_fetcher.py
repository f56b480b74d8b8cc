"""A fetcher that says what is not there any more: a frontier only notes that there is no page to hand over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime

from streams.data_harvesting.fetching.client import FetchClient
from streams.data_harvesting.fetching.fetcher import Fetcher
from streams.data_harvesting.fetching.outcome import Gone, Page, Validators
from streams.data_harvesting.fetching.policy import FetchPolicy
from streams.data_harvesting.fetching.robots_cache import HostMemory
from streams.turns import Turns


class WatchfulFetcher(Fetcher):
    """Calls `forget` with an address at which there is nothing any more, before the frontier notes it.

    A kill in between has it called again; should it fail, the address is asked for again.

    Args:
        client: Returns what the process shares, as it is now.
        policy: The rules.
        memory: What is known of hosts from before.
        now: The time, aware UTC.
        forget: Takes the address that answered, after redirects.
        turns: Where fetches take their turn among those of other instances.
    """

    def __init__(
        self,
        client: Callable[[], FetchClient],
        policy: FetchPolicy,
        memory: HostMemory,
        now: Callable[[], datetime],
        forget: Callable[[str], Awaitable[None]],
        turns: Turns | None = None,
    ) -> None:
        super().__init__(client, policy, memory, now, turns=turns)
        self._forget = forget

    async def fetch(self, url: str, *, validators: Validators | None = None, accept: Collection[str] = ()) -> Page:
        """Fetch an address; see `Fetcher.fetch`."""
        try:
            return await super().fetch(url, validators=validators, accept=accept)
        except Gone as gone:
            await self._forget(gone.url)
            raise
