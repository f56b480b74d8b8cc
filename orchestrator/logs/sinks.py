"""Where lines are written: the daemon's file, each instance's own, and standard error."""

from __future__ import annotations

import os
import re
import select
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from orchestrator.logs.line import Line
from orchestrator.logs.rotation import RotatingFile

_CHUNK_BYTES: Final = 256 * 1024
_INSTANCE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class FileSink:
    """The daemon's own file, with every line."""

    def __init__(self, path: Path, *, max_bytes: int, keep: int) -> None:
        self._path = path
        self._file = RotatingFile(path, max_bytes=max_bytes, keep=keep)
        self._chunk_bytes = min(_CHUNK_BYTES, max_bytes)

    def write(self, lines: Sequence[Line]) -> tuple[int, str]:
        """Append the lines; those that a full or failing disk does not take are lost."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as failure:
            return len(lines), failure.strerror or str(failure)
        lost, reason = 0, ""
        for chunk in _chunks(lines, self._chunk_bytes):
            lost_here, why = _append(self._file, chunk)
            lost += lost_here
            reason = why or reason
        return lost, reason

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class InstanceSink:
    """The `instance.jsonl` of each instance, with the lines about it.

    Files are opened when first written to, and at most `max_open` stay open. An instance's folder is
    never made here: a late line must not bring a removed instance back.
    """

    def __init__(self, folder: Path, *, max_bytes: int, keep: int, max_open: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._keep = keep
        self._max_open = max_open
        self._files: OrderedDict[str, RotatingFile] = OrderedDict()

    def write(self, lines: Sequence[Line]) -> tuple[int, str]:
        """Append each line to the file of its instance; those of none, or without a folder, are not for here."""
        lost, reason = 0, ""
        by_instance: dict[str, list[Line]] = {}
        for line in lines:
            if line.instance is not None and _INSTANCE_ID.fullmatch(line.instance):
                by_instance.setdefault(line.instance, []).append(line)
        for instance, own in by_instance.items():
            file = self._file(instance)
            for chunk in _chunks(own, min(_CHUNK_BYTES, self._max_bytes)):
                try:
                    lost_here, why = _append(file, chunk)
                except FileNotFoundError:
                    self._files.pop(instance).close()
                    break
                lost += lost_here
                reason = f"{instance}: {why}" if why else reason
        return lost, reason

    def close(self) -> None:
        """Close every file."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _file(self, instance: str) -> RotatingFile:
        file = self._files.get(instance)
        if file is None:
            file = self._files[instance] = RotatingFile(
                self._folder / instance / "instance.jsonl", max_bytes=self._max_bytes, keep=self._keep
            )
            if len(self._files) > self._max_open:
                self._files.popitem(last=False)[1].close()
        else:
            self._files.move_to_end(instance)
        return file


class FilesSink:
    """The daemon's file and the instances' own, as one: a line is lost when either did not get it."""

    def __init__(self, main: FileSink, instances: InstanceSink) -> None:
        self._main = main
        self._instances = instances

    def write(self, lines: Sequence[Line]) -> tuple[int, str]:
        """Append the lines to both."""
        lost, reason = self._main.write(lines)
        lost_too, reason_too = self._instances.write(lines)
        return max(lost, lost_too), reason or reason_too

    def close(self) -> None:
        """Close every file."""
        self._main.close()
        self._instances.close()


class StreamSink:
    """A file descriptor that someone reads: a terminal, the journal, a pipe. Waits for a slow reader."""

    def __init__(self, fd: int, render: Callable[[Line], bytes]) -> None:
        self._fd = fd
        self._render = render

    def write(self, lines: Sequence[Line]) -> tuple[int, str]:
        """Write each line as it is rendered; when the reader is gone, the rest is lost."""
        for number, line in enumerate(lines):
            data = self._render(line)
            try:
                while data:
                    data = data[self._write_some(data) :]
            except OSError as failure:
                return len(lines) - number, failure.strerror or str(failure)
        return 0, ""

    def close(self) -> None:
        """Leave the descriptor open: it was here before."""

    def _write_some(self, data: bytes) -> int:
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            # Whoever shares the terminal has made it non-blocking.
            select.select([], [self._fd], [], 1.0)
            return 0


def _chunks(lines: Sequence[Line], max_bytes: int) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    size = 0
    for line in lines:
        if chunk and size + len(line.encoded) > max_bytes:
            yield chunk
            chunk, size = [], 0
        chunk.append(line.encoded)
        size += len(line.encoded)
    if chunk:
        yield chunk


def _append(file: RotatingFile, chunk: list[bytes]) -> tuple[int, str]:
    """Append the lines, or as many as there is room for; return how many were lost, and why."""
    try:
        file.append(b"".join(chunk))
    except FileNotFoundError:
        raise
    except OSError:
        pass
    else:
        return 0, ""
    for number, line in enumerate(chunk):
        try:
            file.append(line)
        except OSError as failure:
            return len(chunk) - number, failure.strerror or str(failure)
    return 0, ""
