"""The wall clock of one process, moved to and fro without touching the machine's."""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).with_name("clock_shim.c")


class MovableClock:
    """A shift of the wall clock that a process reads as it goes.

    Args:
        directory: Where its files are made.

    Raises:
        RuntimeError: There is no C compiler here, or it failed.
    """

    def __init__(self, directory: Path) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise RuntimeError("moving a process's clock takes a C compiler")
        self._library = directory / "clock_shim.so"
        made = subprocess.run(
            [compiler, "-shared", "-fPIC", "-O1", "-o", str(self._library), str(SOURCE), "-ldl"],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise RuntimeError(f"the shim does not compile: {made.stderr}")
        self._file = directory / "clock_shift"
        self._file.write_bytes(bytes(mmap.PAGESIZE))

    @property
    def environ(self) -> dict[str, str]:
        """What the process needs in its environment."""
        return {"LD_PRELOAD": str(self._library), "CHAOS_CLOCK": str(self._file)}

    def shift(self, seconds: int) -> None:
        """Let the process's clock be so far from the machine's, from now on."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("=q", seconds))
