"""What of the configuration a running daemon cannot put in force. Pure."""

from __future__ import annotations

from types import MappingProxyType

from config.sections import Settings

AT_START = MappingProxyType(
    {
        "fleet": (
            "mode",
            "host",
            "seed",
            "control_group",
            "gateway_enabled",
            "gateway_host",
            "gateway_port",
            "gateway_names",
            "sandbox_calls_per_minute",
            "log_max_bytes",
            "instance_log_max_bytes",
            "log_files_kept",
        ),
        "recovery": ("max_retries", "retry_window", "retry_delay", "failover_enabled", "backup_instances"),
        "unified_dashboard": ("monitoring_enabled", "services", "auto_restart", "revenue_tracking"),
    }
)
"""What is read once, when the daemon starts. All else that this version uses is in force as soon as it is stored;
`port_base` and the settings of a stream are those of the instances deployed from then on."""


def restart_needed(started_with: Settings, stored: Settings) -> list[str]:
    """Return what was changed since the daemon's start and waits for its next one, as `fleet.mode`."""
    return [
        f"{section}.{key}"
        for section, keys in AT_START.items()
        for key in keys
        if getattr(getattr(started_with, section), key) != getattr(getattr(stored, section), key)
    ]
