"""`keys.*`: customers' keys."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from actors import ActorRef
from orchestrator.access import jsonrpc
from orchestrator.access.dispatch import Methods, Session
from orchestrator.access.jsonrpc import RpcError
from orchestrator.access.methods.system import Accepted
from orchestrator.fleet import messages
from streams.metering.api_key import PREFIXES, is_key
from streams.metering.selling import KeyInfo, NewKey

_ASK_S = 10.0


class CreateParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The terms of a key; what is left open follows the plan."""

    instance: str
    plan: str | None = None
    quota: int | None = None
    rate: float | None = None
    credit: str | None = None
    label: str | None = None


class ListParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose keys."""

    instance: str
    limit: Annotated[int, msgspec.Meta(ge=1)] = 100
    cursor: str | None = None


class RevokeParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which key: by its id, or by the key itself as it was shown."""

    instance: str
    id: str | None = None
    key: str | None = None


class KeyPage(msgspec.Struct, frozen=True):
    """Some keys, and where to go on."""

    items: tuple[KeyInfo, ...]
    next_cursor: str | None


def register_keys(methods: Methods, fleet: ActorRef[Any]) -> None:
    """Register the methods; `fleet` is the deployment manager."""

    @methods.register("keys.create")
    async def create(params: CreateParams, session: Session) -> NewKey:
        """Make a key. It is shown this once and kept nowhere."""
        asked = messages.CreateInstanceKey(
            params.instance, params.plan, params.quota, params.rate, params.credit, params.label or ""
        )
        made: NewKey = await fleet.ask(asked, _ASK_S)
        return made

    @methods.register("keys.list")
    async def list_keys(params: ListParams, session: Session) -> KeyPage:
        """List the keys of an instance, oldest first."""
        keys: tuple[KeyInfo, ...] = await fleet.ask(messages.ListInstanceKeys(params.instance), _ASK_S)
        ids = [key.id for key in keys]
        if params.cursor is not None and params.cursor not in ids:
            raise RpcError(jsonrpc.INVALID_PARAMS, f"{params.cursor!r} is not a cursor of this list")
        begin = ids.index(params.cursor) + 1 if params.cursor is not None else 0
        end = begin + min(params.limit, 1000)
        return KeyPage(keys[begin:end], ids[end - 1] if end < len(keys) else None)

    @methods.register("keys.revoke")
    async def revoke(params: RevokeParams, session: Session) -> Accepted:
        """Put a key out of force for ever. Takes the key's id or the key itself, exactly one of the two."""
        await fleet.ask(messages.RevokeInstanceKey(params.instance, _named(params)), _ASK_S)
        return Accepted()


def _named(params: RevokeParams) -> str:
    if params.id is not None and params.key is None:
        return params.id
    if params.key is None or params.id is not None:
        raise RpcError(jsonrpc.INVALID_PARAMS, data={"path": "$", "expected": "exactly one of id and key"})
    if not is_key(params.key):
        expected = f"a key, which starts with {' or '.join(PREFIXES.values())}"
        raise RpcError(jsonrpc.INVALID_PARAMS, data={"path": "$.key", "expected": expected})
    return params.key
