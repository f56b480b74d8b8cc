"""What one instance sells: the step from a request on the wire to a metered download of a version."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias
from urllib.parse import parse_qsl

import msgspec

from streams.data_harvesting.datasets.dataset import Dataset
from streams.data_harvesting.datasets.manifest import Changes, Manifest
from streams.data_harvesting.datasets.rendering import MEDIA_TYPES, Format, as_csv
from streams.data_harvesting.datasets.versions import VersionDamaged
from streams.data_harvesting.settings import DataHarvestingSettings
from streams.http_answer import JSON_TYPE, PROBLEM_TYPE, HttpAnswer, problem, problem_answer
from streams.metering.account import Account, Usage
from streams.metering.answer import Answer, Delivery, MeteredCall, Response, content_digest
from streams.metering.meter import Perform, Redeliver
from streams.metering.refusal import CallRefused
from streams.metering.web import http_answer, http_refusal, refuse_key_in_query
from streams.stream import Health

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

PageName: TypeAlias = Literal["openapi", "docs"]

_LIST_CACHEABLE_S: Final = 5
_MAX_QUERY_FIELDS: Final = 8
_PROBLEM: Final = PROBLEM_TYPE.decode("ascii")
_ENCODER: Final = msgspec.json.Encoder()


class Metering(Protocol):
    """What a shop needs of its meter; see `streams.metering.meter.Meter`."""

    def authenticate(self, authorization: bytes | None) -> Account: ...  # noqa: D102

    async def serve(self, call: MeteredCall, perform: Perform, redeliver: Redeliver | None = None) -> Answer: ...  # noqa: D102

    async def refuse(self, account: Account, code: str, idempotency_key: str | None) -> None: ...  # noqa: D102

    def usage(self, account: Account) -> Usage: ...  # noqa: D102


class VersionItem(msgspec.Struct, frozen=True):
    """A version as the list shows it; see `Manifest`.

    Attributes:
        sellable: Whether there is anything in it that may be sold.
    """

    version: int
    sha256: str
    records: int
    size_bytes: int
    created_at: datetime
    sellable: bool
    licences: dict[str, int]
    withheld: dict[str, int]
    sources: dict[str, int]
    changes: Changes


class DatasetItem(msgspec.Struct, frozen=True):
    """A dataset as the list shows it.

    Attributes:
        name: Its name in addresses.
        title: Its name for people.
        description: A line for people.
        price: What a download costs, decimal text.
        asset: What the price is counted in.
        attribution: Whom to name.
        formats: What it can be had in; the first is the default.
        schema: What a record is, as JSON Schema.
        versions: The newest first.
    """

    name: str
    title: str
    description: str
    price: str
    asset: str
    attribution: str
    formats: tuple[str, ...]
    schema: dict[str, Any]
    versions: tuple[VersionItem, ...]


class DatasetList(msgspec.Struct, frozen=True):
    """What `GET /v1/datasets` answers."""

    items: tuple[DatasetItem, ...]


class DatasetShop:
    """One instance as the shared HTTP application sees it: `scope["state"]["served"]` of every request.

    Attributes:
        id: The instance's id.
        health: Tells whether it serves.
        log: The instance's logger.
    """

    def __init__(
        self,
        *,
        id: str,  # noqa: A002 - the field's word
        settings: DataHarvestingSettings,
        datasets: Mapping[str, Dataset],
        meter: Metering,
        health: Callable[[], Health],
        log: FilteringBoundLogger,
        openapi: Callable[[], bytes],
        docs: Callable[[], bytes],
    ) -> None:
        self.id = id
        self.health = health
        self.log = log
        self._settings = settings
        self._datasets = datasets
        self._meter = meter
        self._makers: Mapping[PageName, Callable[[], bytes]] = {"openapi": openapi, "docs": docs}
        self._pages: dict[PageName, bytes] = {}

    async def page(self, name: PageName) -> bytes:
        """Return the OpenAPI document or the page for customers; made when it is first asked for."""
        if name not in self._pages:
            # Loads a template engine and its files, for some 50 ms.
            self._pages[name] = await asyncio.to_thread(self._makers[name])
        return self._pages[name]

    def list_datasets(self) -> HttpAnswer:
        """Tell what there is to be had, to anyone."""
        items = tuple(self._item(dataset) for dataset in self._datasets.values())
        return HttpAnswer(200, JSON_TYPE, _ENCODER.encode(DatasetList(items)), cacheable_s=_LIST_CACHEABLE_S)

    def show_dataset(self, name: str) -> HttpAnswer:
        """Tell what there is to be had of one dataset, to anyone."""
        dataset = self._datasets.get(name)
        if dataset is None:
            return problem_answer(404, self._hint(name), code="unknown_dataset")
        return HttpAnswer(200, JSON_TYPE, _ENCODER.encode(self._item(dataset)), cacheable_s=_LIST_CACHEABLE_S)

    async def download(self, name: str, version: str, scope: Any) -> HttpAnswer:
        """Answer a request for a version."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        try:
            refuse_key_in_query(scope["query_string"])
            account = self._meter.authenticate(headers.get(b"authorization"))
            sent_key = headers.get(b"idempotency-key")
            idempotency_key = None if sent_key is None else sent_key.decode("latin-1")
            dataset = self._datasets.get(name)
            if dataset is None:
                await self._meter.refuse(account, "unknown_dataset", idempotency_key)
                return problem_answer(404, self._hint(name), code="unknown_dataset")
            try:
                form = _format_of(scope["query_string"])
            except ValueError as error:
                await self._meter.refuse(account, "invalid_request", idempotency_key)
                return problem_answer(422, str(error), code="invalid_request", extra={"field": "format"})
            if idempotency_key is None and self._is_known(dataset, version, form, headers.get(b"if-none-match")):
                await self._meter.refuse(account, "not_modified", None)
                return HttpAnswer(304, MEDIA_TYPES[form].encode("ascii"), b"")
            call = MeteredCall(
                account,
                "GET",
                f"/v1/datasets/{name}/{version}",
                content_digest({"format": form}),
                self._settings.price_units(name),
                idempotency_key,
            )
            answer = await self._meter.serve(
                call,
                lambda: self._deliver(dataset, version, form, account.record.id),
                lambda delivery: self._deliver_again(dataset, delivery),
            )
            return http_answer(answer)
        except CallRefused as refusal:
            return http_refusal(refusal)

    def usage(self, scope: Any) -> HttpAnswer:
        """Answer a customer who asks how their key stands."""
        try:
            refuse_key_in_query(scope["query_string"])
            account = self._meter.authenticate(dict(scope["headers"]).get(b"authorization"))
        except CallRefused as refusal:
            return http_refusal(refusal)
        return HttpAnswer(200, JSON_TYPE, _ENCODER.encode(self._meter.usage(account)))

    async def _deliver(self, dataset: Dataset, version: str, form: Format, key: str) -> Response:
        """Return a version, or a problem that costs nothing."""
        manifest = dataset.find(version)
        if manifest is None:
            return _problem(404, self._no_such_version(dataset, version), "unknown_version")
        if not manifest.sellable:
            detail = f"nothing in version {manifest.version} of {dataset.name} is known to be for sale"
            return _problem(403, detail, "not_for_sale")
        try:
            body = await self._body(dataset, manifest, form)
        except (VersionDamaged, OSError) as error:
            self.log.error("dataset.version_unreadable", dataset=dataset.name, reason=str(error))
            body = None
        if body is None:
            return _problem(503, "this version cannot be read at the moment; nothing was charged", "unreadable")
        digest = manifest.sha256 if form == "jsonl" else (await asyncio.to_thread(sha256, body)).hexdigest()
        file = f"{dataset.name}-{manifest.version}.{form}"
        return Response(
            200,
            MEDIA_TYPES[form],
            body,
            (
                (b"etag", _etag(manifest, form)),
                (b"content-disposition", f'attachment; filename="{file}"'.encode("ascii")),
                (b"x-dataset-version", b"%d" % manifest.version),
                (b"x-content-sha256", digest.encode("ascii")),
            ),
            Delivery(
                what=f"datasets/{dataset.name}/{manifest.version}.{form}",
                sha256=digest,
                size_bytes=len(body),
                range=f"0-{len(body) - 1}",
                key=key,
            ),
        )

    async def _deliver_again(self, dataset: Dataset, delivery: Delivery) -> bytes | None:
        """Return what was delivered before; None where it is not kept, or not the same, any more."""
        version, _, form = delivery.what.rpartition("/")[2].partition(".")
        manifest = dataset.find(version)
        if manifest is None or form not in MEDIA_TYPES:
            return None
        try:
            body = await self._body(dataset, manifest, "csv" if form == "csv" else "jsonl")
        except (VersionDamaged, OSError) as error:
            self.log.error("dataset.version_unreadable", dataset=dataset.name, reason=str(error))
            return None
        if body is None or (await asyncio.to_thread(sha256, body)).hexdigest() != delivery.sha256:
            return None
        return body

    async def _body(self, dataset: Dataset, manifest: Manifest, form: Format) -> bytes | None:
        lines = await dataset.lines(manifest)
        if lines is None or form == "jsonl":
            return lines
        return await asyncio.to_thread(as_csv, lines, manifest.schema)

    def _item(self, dataset: Dataset) -> DatasetItem:
        recipe = dataset.recipe
        return DatasetItem(
            name=dataset.name,
            title=recipe.title,
            description=recipe.description,
            price=recipe.price,
            asset=self._settings.asset,
            attribution=recipe.licence.attribution,
            formats=tuple(MEDIA_TYPES),
            schema=recipe.json_schema(),
            versions=tuple(_version_item(manifest) for manifest in reversed(dataset.manifests)),
        )

    def _is_known(self, dataset: Dataset, version: str, form: Format, if_none_match: bytes | None) -> bool:
        manifest = dataset.find(version)
        if if_none_match is None or manifest is None:
            return False
        return _etag(manifest, form) in {tag.strip().removeprefix(b"W/") for tag in if_none_match.split(b",")}

    def _hint(self, name: str) -> str:
        nearest = difflib.get_close_matches(name[:64], self._datasets, n=1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(self._datasets)}"
        return f"there is no such dataset here; {hint}"

    def _no_such_version(self, dataset: Dataset, version: str) -> str:
        if not dataset.manifests:
            return f"there is no version of {dataset.name} yet; it is being harvested"
        kept = ", ".join(str(manifest.version) for manifest in dataset.manifests[-5:])
        return f"there is no version {version[:20]!r} of {dataset.name} here; the newest are {kept}, or say 'latest'"


def _version_item(manifest: Manifest) -> VersionItem:
    return VersionItem(
        version=manifest.version,
        sha256=manifest.sha256,
        records=manifest.records,
        size_bytes=manifest.size_bytes,
        created_at=manifest.created_at,
        sellable=manifest.sellable,
        licences=manifest.licences,
        withheld=manifest.withheld,
        sources=manifest.sources,
        changes=manifest.changes,
    )


def _etag(manifest: Manifest, form: Format) -> bytes:
    return f'"{manifest.sha256[:32]}-{form}"'.encode("ascii")


def _problem(status: int, detail: str, code: str) -> Response:
    return Response(status, _PROBLEM, problem(status, detail, code=code))


def _format_of(query: bytes) -> Format:
    """Return the format that a query asks for.

    Raises:
        ValueError: It asks for what there is not; says what there is.
    """
    try:
        asked = parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS)
    except ValueError:
        raise ValueError("the query must be percent-encoded UTF-8") from None
    form: Format = "jsonl"
    for name, value in asked:
        if name != "format":
            raise ValueError(f"there is no parameter {name[:40]!r}; there is format, jsonl or csv")
        if value == "csv":
            form = "csv"
        elif value == "jsonl":
            form = "jsonl"
        else:
            raise ValueError(f"format is jsonl or csv, not {value[:20]!r}")
    return form
