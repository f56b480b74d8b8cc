"""Which release this is; read once, because it is read from files."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

VERSION: Final = version("automate-everything")
