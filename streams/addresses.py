"""Where something that listens on this machine is found."""

from __future__ import annotations

import ipaddress


def address_of(host: str, port: int) -> str:
    """Return the URL, without a slash at the end, at which this machine finds what listens on a host and port."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"http://{host}:{port}"
    if address.is_unspecified:
        host = "127.0.0.1" if address.version == 4 else "::1"
    return f"http://{host}:{port}" if address.version == 4 else f"http://[{host}]:{port}"
