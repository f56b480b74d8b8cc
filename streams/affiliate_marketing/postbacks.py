"""`/postback/<network>`: from a request to a claim whose sender is known.

A network that can sign posts to `/postback/<network>` by Standard Webhooks. One that cannot calls a path that is secret
per offer, `/postback/<network>/<token>`, from an address on its list. An answer is 2xx only after what follows
from the postback is booked, or it is kept in quarantine; until then the network is asked to send it again.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from hashlib import blake2b, sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import msgspec

from streams.affiliate_marketing.claim import Claim, MalformedClaim, claim_of
from streams.affiliate_marketing.judgement import Attribution
from streams.affiliate_marketing.order_decisions import PostbackIdReused, QuarantineFull
from streams.affiliate_marketing.order_store import Postback
from streams.affiliate_marketing.orders import NotBookedYet, Orders
from streams.affiliate_marketing.settings import AffiliateMarketingSettings, Network
from streams.http_answer import JSON_TYPE, BodyTooLarge, HttpAnswer, PeerGone, problem_answer, read_body
from streams.webhooks import NotSigned, verify

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

PREFIX: Final = "/postback/"
MAX_BODY_BYTES: Final = 32 * 1024

_MAX_QUERY_BYTES: Final = 4096
_MAX_FIELDS: Final = 64
_KEPT_HEADERS: Final = frozenset(
    {b"host", b"user-agent", b"content-type", b"webhook-id", b"webhook-timestamp", b"webhook-signature"}
)
_FIELDS: Final = ("order_id", "click_id", "status", "commission", "currency", "ordered_at", "timestamp")

FindClick = Callable[[str], Awaitable[Attribution | None]]
"""Returns what a click id leads to; None for one that was not made here, or is no longer kept."""


class PostbackDesk:
    """Takes the postbacks of one instance.

    Attributes:
        counts: Postbacks that came, and those that were refused, by reason, since the start.

    Args:
        settings: The instance's.
        secrets_of: Returns the keys that a network signs with now.
        token_key: What the tokens of secret paths are made with.
        find_click: Returns what a click id leads to.
        orders: Where claims go.
        now: The time, aware UTC.
        log: The instance's logger.
    """

    def __init__(
        self,
        *,
        settings: AffiliateMarketingSettings,
        secrets_of: Callable[[str], tuple[bytes, ...]],
        token_key: bytes,
        find_click: FindClick,
        orders: Orders,
        now: Callable[[], datetime],
        log: FilteringBoundLogger,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._networks: Mapping[str, Network] = settings.networks
        self._offers = settings.offers
        self._secrets_of = secrets_of
        self._token_key = token_key
        self._find_click = find_click
        self._orders = orders
        self._now = now
        self._log = log

    def token(self, network: str, offer: str) -> str:
        """Return the secret part of the path to which a network that cannot sign reports an offer's orders."""
        subject = f"{network}/{offer}".encode()
        return blake2b(subject, digest_size=20, key=self._token_key, person=b"postback token").hexdigest()

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a postback; an ASGI application."""
        name, _, token = scope["path"][len(PREFIX) :].partition("/")
        network = self._networks.get(name)
        try:
            if network is None or bool(token) != (network.signing == "secret_path"):
                answer = problem_answer(404, "there is no such network here", code="unknown_network")
            elif token:
                answer = await self._unsigned(name, network, token, scope, receive)
            else:
                answer = await self._signed(name, scope, receive)
        except (BodyTooLarge, PeerGone) as error:
            status = 413 if isinstance(error, BodyTooLarge) else 400
            answer = problem_answer(status, str(error), code="unread")
        except PostbackIdReused as error:
            self.counts["refused_id_reused"] += 1
            answer = problem_answer(409, str(error), code="id_reused")
        except (NotBookedYet, QuarantineFull) as error:
            wait_s = error.retry_after_s if isinstance(error, NotBookedYet) else 3600.0
            answer = problem_answer(
                503, str(error), code="try_again", headers=[(b"retry-after", b"%d" % max(1, round(wait_s)))]
            )
        await answer(scope, receive, send)

    async def _signed(self, name: str, scope: Any, receive: Any) -> HttpAnswer:
        if scope["method"] != "POST":
            return _wrong_method(b"POST")
        headers: dict[bytes, bytes] = dict(scope["headers"])
        body = await read_body(receive, headers.get(b"content-length"), MAX_BODY_BYTES)
        self.counts["postbacks"] += 1
        now = self._now()
        try:
            webhook_id = verify(self._secrets_of(name), headers, body, now.timestamp())
        except NotSigned as error:
            self.counts["refused_signature"] += 1
            self._log.warning("affiliate.postback_refused", network=name, reason=str(error))
            return problem_answer(401, str(error), code="not_signed")
        detail = ""
        claim: Claim | None = None
        try:
            claim = claim_of(body)
        except MalformedClaim as error:
            detail = str(error)[:500]
        return await self._take(
            Postback(
                network=name,
                id=webhook_id,
                received_at=now,
                digest=sha256(body).digest(),
                kind="network.postback",
                proof=_proof(scope, body),
                claim=claim,
                verdict="quarantined",
                detail=detail,
            ),
            None if claim is None else await self._find_click(claim.click_id),
        )

    async def _unsigned(self, name: str, network: Network, token: str, scope: Any, receive: Any) -> HttpAnswer:
        if scope["method"] not in ("GET", "POST"):
            return _wrong_method(b"GET, POST")
        self.counts["postbacks"] += 1
        offer = self._offer_of(name, token)
        address = scope["client"][0] if scope["client"] else ""
        if offer is None or not _is_listed(address, network.addresses):
            # The same answer to both, so that nobody finds tokens from elsewhere.
            self.counts["refused_path"] += 1
            self._log.warning("affiliate.postback_refused", network=name, reason="path or address", address=address)
            return problem_answer(404, "there is no such network here", code="unknown_network")
        said: bytes = scope["query_string"]
        if scope["method"] == "POST":
            headers: dict[bytes, bytes] = dict(scope["headers"])
            said = await read_body(receive, headers.get(b"content-length"), MAX_BODY_BYTES)
        now = self._now()
        fields = _fields_of(said, network)
        detail, claim = "", None
        try:
            claim = _claim_of_fields(fields, self._offers[offer].currency, now)
        except MalformedClaim as error:
            detail = str(error)[:500]
        digest = sha256(msgspec.json.encode([offer, sorted(fields.items())])).digest()
        attribution = None if claim is None else await self._find_click(claim.click_id)
        return await self._take(
            Postback(
                network=name,
                id=f"unsigned:{digest.hex()[:40]}",
                received_at=now,
                digest=digest,
                kind="network.postback",
                proof=b"Address: %s\r\n%s" % (address.encode(), _proof(scope, said)),
                claim=claim,
                verdict="quarantined",
                detail=detail,
            ),
            attribution if attribution is not None and attribution.offer == offer else None,
        )

    async def _take(self, postback: Postback, attribution: Attribution | None) -> HttpAnswer:
        kept = await self._orders.take(postback, attribution)
        # Says nothing that changes later, so that a replay gets the same answer.
        result = "accepted" if kept.verdict == "accepted" else "quarantined"
        return HttpAnswer(200, JSON_TYPE, msgspec.json.encode({"id": kept.id, "result": result}))

    def _offer_of(self, network: str, token: str) -> str | None:
        given = token.encode()
        offers = [name for name, offer in self._offers.items() if offer.network == network]
        found = [name for name in offers if hmac.compare_digest(self.token(network, name).encode(), given)]
        return found[0] if found else None


def _wrong_method(allowed: bytes) -> HttpAnswer:
    return problem_answer(405, "a postback takes another method", code="http_405", headers=[(b"allow", allowed)])


def _is_listed(address: str, networks: tuple[str, ...]) -> bool:
    try:
        caller = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(caller in ipaddress.ip_network(network) for network in networks)


def _fields_of(said: bytes, network: Network) -> dict[str, str]:
    """Return what a call without a body of its own says, by our names; nothing where it cannot be read."""
    try:
        if len(said) > _MAX_QUERY_BYTES:
            return {}
        fields = dict(parse_qsl(said.decode("ascii"), max_num_fields=_MAX_FIELDS))
    except ValueError:
        return {}
    theirs = {name: network.fields.get(name, name) for name in _FIELDS}
    return {name: fields[their] for name, their in theirs.items() if their in fields}


def _claim_of_fields(fields: dict[str, str], currency: str, now: datetime) -> Claim:
    event = {
        "type": fields.get("status", "pending"),
        "timestamp": fields.get("timestamp", now.isoformat()),
        "data": {"currency": currency, "ordered_at": now.isoformat(), **fields},
    }
    try:
        return claim_of(msgspec.json.encode(event))
    except UnicodeEncodeError as error:
        raise MalformedClaim(str(error)) from None


def _proof(scope: Any, body: bytes) -> bytes:
    """Return a request as it came, without what is no business of the books."""
    target: bytes = scope.get("raw_path") or scope["path"].encode()
    if scope["query_string"]:
        target += b"?" + scope["query_string"]
    headers = b"".join(b"%s: %s\r\n" % (name, value) for name, value in scope["headers"] if name in _KEPT_HEADERS)
    return b"%s %s HTTP/1.1\r\n%s\r\n%s" % (scope["method"].encode(), target, headers, body)
