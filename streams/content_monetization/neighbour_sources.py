"""What a site takes from other instances of the fleet: harvested datasets, and affiliate links.

Both are optional. A neighbour that is missing, slow or wrong costs this site that content, and nothing else. A dataset
is used as the fleet's own traffic, which is not billed; what it is worth is booked as a transfer between the two, which
consolidation leaves out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from actors import ActorError, Refusal
from config.saving import write_atomically
from streams.booking import Book, BookingRejected, Evidence
from streams.bookkeeping import book_until_known
from streams.content_monetization.article import Article, writable
from streams.content_monetization.harvested import (
    DatasetListing,
    ListedDataset,
    ListedVersion,
    dataset_article,
    licensed_rows,
)
from streams.content_monetization.settings import ContentMonetizationSettings
from streams.content_monetization.site_source import AffiliateLink
from streams.content_monetization.visitor import OWN_HEADER
from streams.money import AmountError, UnknownAssetError, parse_amount
from streams.neighbours import Neighbour
from streams.stream import StreamContext
from streams.transfers import Party, transfer

if TYPE_CHECKING:
    from aiohttp import ClientResponse

T = TypeVar("T")

SOURCES_FILE: Final = "sources.json"

_MAX_LIST_BYTES: Final = 1024 * 1024
_MAX_DATASET_BYTES: Final = 8 * 1024 * 1024
_MAX_URL_CHARS: Final = 500
_MAX_LINKS: Final = 200
_ASKED: Final = 3
_TIMEOUT_S: Final = 10.0
_ENCODER: Final = msgspec.json.Encoder(order="sorted")


class ListedLink(msgspec.Struct, frozen=True):
    """A link, as an affiliate instance lists it."""

    url: str
    title: str = ""
    merchant: str = ""
    code: str = ""


class LinkListing(msgspec.Struct, frozen=True):
    """What `GET /links.json` answers."""

    items: tuple[ListedLink, ...]


class UsedDataset(msgspec.Struct, frozen=True):
    """A dataset that has become an article.

    Attributes:
        seller: The instance that it comes from.
        name: Its name there.
        version: The version that was used.
        digest: SHA-256 of that version, as its seller says.
        price: What it costs, decimal text.
        asset: What the price is counted in.
        used_at: When it was downloaded.
        article: The article.
        is_booked: Whether the transfer is booked.
    """

    seller: str
    name: str
    version: int
    digest: str
    price: str
    asset: str
    used_at: datetime
    article: Article
    is_booked: bool = False


class Sources(msgspec.Struct, frozen=True):
    """What was taken so far; kept in a file of the instance's directory."""

    datasets: tuple[UsedDataset, ...] = ()
    links: tuple[AffiliateLink, ...] = ()


# Made at import, by one thread: msgspec crashes the process where two threads meet a type for the first time at once.
_SOURCES: Final = msgspec.json.Decoder(Sources)


class Unusable(Exception):
    """A neighbour's answer that cannot be used: says why."""


class NeighbourSources:
    """Takes from the neighbours of one instance what its settings ask for.

    Args:
        context: The instance's context.

    Attributes:
        taken: What was taken so far.
    """

    def __init__(self, context: StreamContext[ContentMonetizationSettings]) -> None:
        self._context = context
        self._settings = context.settings
        self._file = context.directory / SOURCES_FILE
        self.taken = Sources()

    async def load(self) -> None:
        """Take up what a former life has taken. A file that cannot be read is as good as none."""
        try:
            self.taken = await asyncio.to_thread(_read, self._file)
        except (OSError, msgspec.MsgspecError) as error:
            self._context.log.warning("sources.unreadable", file=str(self._file), reason=str(error))

    async def poll(self) -> bool:
        """Ask the neighbours for what is new, and return whether something was taken."""
        before = self.taken
        for wanted, ask in (
            (self._settings.datasets, self._poll_datasets),
            (self._settings.affiliate_links, self._poll_links),
        ):
            if not wanted:
                continue
            try:
                await ask()
            except (Refusal, ActorError, LookupError) as error:
                self._context.log.debug("sources.fleet_unseen", reason=str(error) or type(error).__name__)
        if self.taken != before:
            await self._store()
        return (self.taken.links, [each.article for each in self.taken.datasets]) != (
            before.links,
            [each.article for each in before.datasets],
        )

    async def settle(self) -> None:
        """Book the transfers that are owed, until each of them is known."""
        for used in self.taken.datasets:
            if not used.is_booked and await self._book(used):
                self._keep(msgspec.structs.replace(used, is_booked=True))
                await self._store()

    async def _store(self) -> None:
        try:
            await asyncio.to_thread(write_atomically, self._file, _ENCODER.encode(self.taken))
        except OSError as error:
            # The next life takes it anew, and books it under the same key: once.
            self._context.log.warning("sources.not_kept", file=str(self._file), reason=str(error))

    async def _poll_datasets(self) -> None:
        neighbours = {each.id: each for each in await self._context.neighbours.of("data_harvesting")}
        for used in self.taken.datasets:
            if (seller := neighbours.get(used.seller)) is not None:
                await self._take_from(seller, only=used.name)
        for seller in self._by_turn(list(neighbours.values())):
            if len(self.taken.datasets) >= self._settings.datasets:
                return
            await self._take_from(seller)

    async def _take_from(self, seller: Neighbour, only: str | None = None) -> None:
        try:
            listing = await self._get(f"{seller.url}/v1/datasets", DatasetListing)
            for dataset in listing.items:
                if self._is_wanted(seller, dataset, only):
                    await self._take(seller, dataset)
        except Unusable as error:
            self._context.log.debug("sources.unusable", neighbour=seller.id, reason=str(error))

    def _is_wanted(self, seller: Neighbour, dataset: ListedDataset, only: str | None) -> bool:
        version = dataset.latest
        if version is None or (only is not None and dataset.name != only):
            return False
        used = next(
            (each for each in self.taken.datasets if (each.seller, each.name) == (seller.id, dataset.name)), None
        )
        if used is not None:
            return version.version > used.version
        names = self._settings.dataset_names
        room = len(self.taken.datasets) < self._settings.datasets
        taken = any(each.name == dataset.name for each in self.taken.datasets)
        return only is None and room and not taken and (not names or dataset.name in names)

    async def _take(self, seller: Neighbour, dataset: ListedDataset) -> None:
        version = dataset.latest
        if version is None:
            return
        lines = await self._download(seller, dataset, version)
        rows = await asyncio.to_thread(licensed_rows, lines)
        if not rows:
            raise Unusable(f"{dataset.name} {version.version} has no record under a licence")
        article = await asyncio.to_thread(dataset_article, dataset, version, rows)
        self._keep(
            UsedDataset(
                seller=seller.id,
                name=dataset.name,
                version=version.version,
                digest=version.sha256,
                price=dataset.price,
                asset=dataset.asset,
                used_at=self._context.now(),
                article=article,
            )
        )
        self._context.log.info("sources.dataset_used", neighbour=seller.id, dataset=dataset.name, rows=len(rows))

    async def _download(self, seller: Neighbour, dataset: ListedDataset, version: ListedVersion) -> bytes:
        headers = {
            "authorization": f"Bearer {await self._context.neighbours.own_key(seller.id)}",
            "idempotency-key": f"{self._context.id}-{dataset.name}-{version.version}",
        }
        url = f"{seller.url}/v1/datasets/{quote(dataset.name, safe='')}/{version.version}"
        lines = await self._read(url, _MAX_DATASET_BYTES, headers)
        if (digest := (await asyncio.to_thread(sha256, lines)).hexdigest()) != version.sha256:
            raise Unusable(f"{dataset.name} {version.version} is listed as {version.sha256[:16]} and is {digest[:16]}")
        return lines

    async def _poll_links(self) -> None:
        neighbours = await self._context.neighbours.of("affiliate_marketing")
        for neighbour in self._by_turn(neighbours):
            try:
                listing = await self._get(f"{neighbour.url}/links.json", LinkListing)
            except Unusable as error:
                self._context.log.debug("sources.unusable", neighbour=neighbour.id, reason=str(error))
                continue
            if links := tuple(filter(None, map(_link, listing.items[:_MAX_LINKS]))):
                self.taken = msgspec.structs.replace(self.taken, links=links)
                return

    async def _book(self, used: UsedDataset) -> bool:
        bookings = self._transfer_of(used)
        try:
            for booking in bookings:
                await book_until_known(self._context.ledger, booking, self._context.log)
        except BookingRejected as error:
            self._context.log.error("booking.rejected", key=bookings[0].key, reason=str(error))
            return False
        return True

    def _transfer_of(self, used: UsedDataset) -> tuple[Book, ...]:
        context = self._context
        try:
            units = parse_amount(used.price, used.asset)
        except (AmountError, UnknownAssetError):
            units = 0
        if units < 1:
            return ()
        proof = {
            "seller": used.seller,
            "buyer": context.id,
            "dataset": used.name,
            "version": used.version,
            "sha256": used.digest,
            "price": f"{used.price} {used.asset}",
        }
        name = f"{used.seller}/{used.name}/{used.version}/{used.digest[:16]}"
        return transfer(
            f"dataset/{name}/{context.id}",
            kind="dataset.used",
            book=context.book,
            seller=Party("data_harvesting", used.seller),
            buyer=Party(context.stream, context.id),
            asset=used.asset,
            units=units,
            occurred_at=used.used_at,
            evidence=Evidence("dataset.version", name, _ENCODER.encode(proof)),
            memo=f"{used.name}, version {used.version}, for an article",
        )

    def _keep(self, used: UsedDataset) -> None:
        others = [each for each in self.taken.datasets if (each.seller, each.name) != (used.seller, used.name)]
        self.taken = msgspec.structs.replace(self.taken, datasets=(*others, used))

    def _by_turn(self, neighbours: Sequence[Neighbour]) -> list[Neighbour]:
        """Return a few of the neighbours, not all sites the same ones."""
        if not neighbours:
            return []
        first = int.from_bytes(sha256(self._context.id.encode("utf-8")).digest()[:4], "big") % len(neighbours)
        return [neighbours[(first + place) % len(neighbours)] for place in range(min(_ASKED, len(neighbours)))]

    async def _get(self, url: str, shape: type[T]) -> T:
        try:
            return msgspec.json.decode(await self._read(url, _MAX_LIST_BYTES, {}), type=shape)
        except msgspec.MsgspecError as error:
            raise Unusable(f"{url}: {error}") from None

    async def _read(self, url: str, limit_bytes: int, headers: dict[str, str]) -> bytes:
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        try:
            async with self._context.http().get(
                url, headers={OWN_HEADER.decode("ascii"): "1", **headers}, timeout=timeout, allow_redirects=False
            ) as response:
                return await _body(response, url, limit_bytes)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Unusable(f"{url}: {error or type(error).__name__}") from None


async def _body(response: ClientResponse, url: str, limit_bytes: int) -> bytes:
    if response.status != 200:
        raise Unusable(f"{url}: {response.status}")
    body = bytearray()
    async for part in response.content.iter_chunked(64 * 1024):
        body += part
        if len(body) > limit_bytes:
            raise Unusable(f"{url}: more than {limit_bytes} bytes")
    return bytes(body)


def _link(listed: ListedLink) -> AffiliateLink | None:
    url = listed.url
    if len(url) > _MAX_URL_CHARS or not url.isascii() or any(char <= " " for char in url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    title = " ".join(writable(listed.title).split())[:120]
    if parts.scheme not in ("http", "https") or not parts.netloc or not title:
        return None
    return AffiliateLink(url, title, " ".join(writable(listed.merchant).split())[:80])


def _read(file: Path) -> Sources:
    try:
        return _SOURCES.decode(file.read_bytes())
    except FileNotFoundError:
        return Sources()


def links_of(article: Article, links: Sequence[AffiliateLink], count: int) -> tuple[AffiliateLink, ...]:
    """Return the links that an article carries: a few of them, always the same for the same article."""
    if not links or article.members:
        return ()
    first = int.from_bytes(sha256(article.slug.encode("utf-8")).digest()[:4], "big") % len(links)
    return tuple(links[(first + place) % len(links)] for place in range(min(count, len(links))))
