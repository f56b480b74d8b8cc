"""The paper world of content: readers. Sponsors are there by their contracts only, in the settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from actors import Actor
from streams.sandbox.readers.readers import Readers
from streams.sandbox.world import PaperWorld, Visit


class ReadersWorld(PaperWorld):
    """Sends readers to every site."""

    def visitor(self, visit: Visit) -> Callable[[], Actor[Any]] | None:
        """Return what makes the readers of a site."""
        ground = self.ground
        ground.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return partial(
            Readers,
            instance=visit.instance,
            base_url=visit.url,
            desk=visit.desk,
            purse=ground.directory / visit.instance,
            http=ground.http,
            visits_per_minute=ground.visits_per_minute,
            seed=f"{ground.seed}/{visit.instance}",
        )
