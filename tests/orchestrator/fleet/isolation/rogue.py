"""A stream that behaves as its settings say: as no stream should."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from streams.booking import Book, BookName, Evidence, FindBooking, MeterIncrement, Posting, ReadMeters
from streams.stream import Health, Stream

CHANNEL = 3
"""Where the channel is in every child."""


class RogueSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    behaviour: str = "none"
    secret: str = ""
    target: str = ""


class Try(msgspec.Struct, frozen=True):
    """Do something once, and say what came of it."""

    what: str
    target: str = ""


class Rogue(Stream[RogueSettings]):
    """Starts well, then does what it does."""

    name = "rogue"
    settings_type = RogueSettings
    actions: ClassVar[dict[str, type[msgspec.Struct]]] = {"try": Try}

    @classmethod
    def blueprint(cls, n: int) -> Sequence[RogueSettings]:
        return [RogueSettings() for _ in range(n)]

    async def start(self) -> None:
        self.count = int(getattr(self, "restored", b"0")) + 1
        if self.context.settings.behaviour == "refuses":
            raise LookupError("not today")
        if self.context.settings.behaviour == "hangs":
            block()

    async def stop(self) -> None: ...

    def health(self) -> Health:
        return Health(ready=True, detail=f"life {self.count}")

    def checkpoint(self) -> bytes:
        return str(self.count).encode()

    def restore(self, checkpoint: bytes) -> None:
        self.restored = checkpoint

    def describe(self) -> dict[str, Any]:
        return {"environment": sorted(os.environ), "descriptors": descriptors()}

    async def run(self) -> None:
        act = getattr(self, self.context.settings.behaviour, None)
        if act is not None:
            await act()

    # -- what it does -----------------------------------------------------------------------------------------

    async def allocates(self) -> None:
        held = []
        while True:
            held.append(b"x" * (4 << 20))
            await asyncio.sleep(0.002)

    async def reserves(self) -> None:
        self.held = bytearray(8 << 30)

    async def forks(self) -> None:
        while True:
            fork_away()
            await asyncio.sleep(0.005)

    async def threads(self) -> None:
        while True:
            threading.Thread(target=block, daemon=True).start()
            await asyncio.sleep(0.001)

    async def opens(self) -> None:
        self.files = []
        while True:
            self.files.append(os.open(os.devnull, os.O_RDONLY))

    async def garbage(self) -> None:
        os.write(CHANNEL, b"\xff" * 64)
        await asyncio.sleep(3600)

    async def nonsense(self) -> None:
        os.write(CHANNEL, b"\0\0\0\x03abc")
        await asyncio.sleep(3600)

    async def answers_unasked(self) -> None:
        frame = msgspec.msgpack.encode(["Answer", 999_999, None])
        os.write(CHANNEL, len(frame).to_bytes(4, "big") + frame)
        await asyncio.sleep(3600)

    async def sleeps(self) -> None:
        await asyncio.sleep(0.1)
        block()

    async def spins(self) -> None:
        threading.Thread(target=_spin, daemon=True).start()

    async def exits(self) -> None:
        await asyncio.sleep(0.1)
        os._exit(3)

    async def kills_itself(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    async def raises(self) -> None:
        raise ZeroDivisionError("of no use")

    async def closes(self) -> None:
        os.close(CHANNEL)
        block()

    async def floods(self) -> None:
        while True:
            for _ in range(50):
                self.context.log.info("flood", text="x" * 200)
                print("y" * 500)
            await asyncio.sleep(0)

    async def escapes(self) -> None:
        pid = fork_away()
        (self.context.directory / "escaped").write_text(str(pid))
        await asyncio.sleep(0.05)
        raise RuntimeError("over to you")

    # -- what it tries ----------------------------------------------------------------------------------------

    async def act(self, action: msgspec.Struct) -> Any:
        assert isinstance(action, Try)
        try:
            done = await getattr(self, f"try_{action.what}")(action.target)
        except Exception as error:
            return [type(error).__name__, str(error)]
        return ["done", done]

    async def try_book(self, instance: str, *, book: BookName = "paper", key: str = "", **more: Any) -> str:
        stream, _, _ = instance.rpartition("-")
        booking = Book(
            key=key or f"{self.context.id}/{time.monotonic_ns()}",
            book=book,
            kind="rogue.sale",
            stream=stream,
            instance=instance,
            occurred_at=datetime.now(UTC),
            postings=(Posting("asset:cash", "USD", 100), Posting("income:rogue", "USD", -100)),
            evidence=Evidence("rogue.proof", "1", b"proof"),
            **more,
        )
        return (await self.context.ledger.ask(booking, 5)).id

    async def try_other_book(self, instance: str) -> str:
        return await self.try_book(instance, book="live")

    async def try_other_key(self, instance: str) -> str:
        return await self.try_book(self.context.id, key=f"{instance}/call/1")

    async def try_other_meter(self, instance: str) -> str:
        return await self.try_book(self.context.id, meters=(MeterIncrement(f"{instance}/calls/2026-11", -5),))

    async def try_meters(self, prefix: str) -> Any:
        return await self.context.ledger.ask(ReadMeters(prefix), 5)

    async def try_find(self, key: str) -> Any:
        return await self.context.ledger.ask(FindBooking("paper", key), 5) is not None

    async def try_secret(self, name: str) -> str | None:
        return self.context.secret(name)

    async def try_read(self, file: str) -> int:
        return len(Path(file).read_bytes())

    async def try_write(self, file: str) -> int:
        return Path(file).write_text("was here")

    async def try_signal(self, pid: str) -> None:
        os.kill(int(pid), 0)

    async def try_connect(self, file: str) -> None:
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(file)

    async def try_limits(self, target: str) -> list[int]:
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
        return list(resource.getrlimit(resource.RLIMIT_NOFILE))

    async def try_program(self, target: str) -> str:
        return subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True).stdout.strip()

    async def try_far_side(self, name: str) -> str | None:
        found = self.context.far_sides.find(name)
        return None if found is None else found.url

    async def try_print(self, text: str) -> None:
        print(text, flush=True)
        self.context.log.warning("rogue.said", text=text)

    async def try_pending(self, target: str) -> None:
        await asyncio.sleep(3600)


def descriptors() -> list[str]:
    """Return the files that are open."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue
        if target.startswith("/") and not target.startswith(("/dev/null", "/proc/")):
            found.append(target)
    return found


def fork_away() -> int:
    """Start a process that leaves its group, its session and its parent, and outlives them; returns its id."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        away = os.fork()
        if away == 0:
            block()
            os._exit(0)
        os.write(write, str(away).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    found = int(os.read(read, 20))
    os.close(read)
    os.close(write)
    return found


def block() -> None:
    """Do nothing for an hour."""
    time.sleep(3600)


def _spin() -> None:
    while True:
        pass
