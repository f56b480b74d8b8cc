"""`config.*`: the configuration."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from config.errors import ConfigError, SaveError, UnknownSection
from config.sections import Settings
from config.store import section_document
from orchestrator.access import jsonrpc
from orchestrator.access.dispatch import Methods, Session
from orchestrator.access.jsonrpc import RpcError


class GetParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which section; all where none is named."""

    section: str | None = None


class SetParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change of a section, as a JSON merge patch (RFC 7396)."""

    section: str
    values: Any


def register_config(
    methods: Methods, settings: Callable[[], Settings], change: Callable[[str, Any], Awaitable[Settings]]
) -> None:
    """Register the methods.

    Args:
        methods: The registry.
        settings: Reads the configuration.
        change: Changes a section on disk and puts it in force.
    """

    @methods.register("config.get")
    def get(params: GetParams, session: Session) -> Any:
        """Show a section of the configuration, or all.

        What needs a restart to come into force is shown as it will be; `config.changed` has told of it.
        """
        if params.section is None:
            return {name: section_document(settings(), name) for name in Settings.__struct_fields__}
        try:
            return section_document(settings(), params.section)
        except UnknownSection as error:
            raise RpcError(jsonrpc.NOT_FOUND, str(error)) from error

    @methods.register("config.set")
    async def set_section(params: SetParams, session: Session) -> Any:
        """Change a section: validated, backed up, stored, and put in force.

        The event `config.changed` names in `needs_restart` what comes into force at the daemon's next start.
        """
        try:
            changed = await change(params.section, params.values)
        except UnknownSection as error:
            raise RpcError(jsonrpc.NOT_FOUND, str(error)) from error
        except ConfigError as error:
            raise RpcError(jsonrpc.INVALID_PARAMS, str(error)) from error
        except SaveError as error:
            raise RpcError(jsonrpc.REFUSED, str(error)) from error
        return section_document(changed, params.section)
