"""The secret that an instance makes for itself at its first start: what click ids and pseudonyms rest on."""

from __future__ import annotations

import secrets
from hashlib import blake2b
from pathlib import Path
from typing import Final

from config.saving import write_atomically
from streams.affiliate_marketing.click_id import KEY_BYTES

KEY_FILE: Final = "click.key"


class InstanceKeyDamaged(Exception):
    """The key is not whole. A new one would turn every click that is waiting for its order into an unknown one."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        super().__init__(f"{path} has {size_bytes} bytes, not {KEY_BYTES}: put a backup in its place")
        self.path = path


class InstanceKey:
    """Keys for different uses, from one secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def key_for(self, purpose: str) -> bytes:
        """Return the key of a purpose, 32 bytes."""
        return blake2b(purpose.encode(), digest_size=KEY_BYTES, key=self._secret).digest()


def open_key(directory: Path) -> InstanceKey:
    """Return the instance's key; made, 0600, where there is none. Blocks.

    Raises:
        InstanceKeyDamaged: There is one, and it is not whole.
        OSError: It cannot be read or written.
    """
    path = directory / KEY_FILE
    try:
        secret = path.read_bytes()
    except FileNotFoundError:
        secret = secrets.token_bytes(KEY_BYTES)
        write_atomically(path, secret)
    if len(secret) != KEY_BYTES:
        raise InstanceKeyDamaged(path, len(secret))
    return InstanceKey(secret)
