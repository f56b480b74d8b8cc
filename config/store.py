"""The configuration's way at start-up: generate, load, merge, validate, apply, save."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from itertools import islice
from typing import Any

import msgspec

from config.document import NotJson, Parsed, content_faults, parse, read_bytes, render
from config.errors import MAX_FAULTS, ConfigError, Fault, Problem, SaveError
from config.paths import Paths
from config.reading import MAX_FILE_BYTES
from config.saving import back_up, write_atomically
from config.sections import SECTIONS, Section, SectionName, Settings, Streams, section_named


class ConfigStore:
    """The six files of one home.

    Its methods block on the disk: call them through a thread. They may be called from several threads at
    once. Two processes do not disturb each other's files, but the later change wins.

    Args:
        paths: Where the files are; the directories must exist (`Paths.create`).
        streams: The streams of this installation, each with its multiplier (`fleet.multipliers_of`).
    """

    def __init__(self, paths: Paths, streams: Streams) -> None:
        self._paths = paths
        self._streams = dict(streams)
        self._lock = threading.Lock()

    def know(self, streams: Streams) -> None:
        """Learn of streams that were installed meanwhile."""
        with self._lock:
            self._streams = {**self._streams, **streams}

    def load(self) -> Settings:
        """Return what is in force: what the files say, and the defaults for what they leave open.

        A file that is absent is made; one that is there stays as it was written.

        Raises:
            ConfigError: With every problem of every file. No file was written.
            SaveError: A file could not be made. No file is damaged.
        """
        with self._lock:
            documents = self._read()
            settings = self._convert(documents)
            self._save(settings, documents)
            return settings

    def validate(self) -> Settings:
        """Return what `load` would return, and write nothing; raises `ConfigError`."""
        with self._lock:
            return self._convert(self._read())

    def save(self, settings: Settings) -> None:
        """Store settings: only files whose content changes are written, each after a backup.

        Raises `ConfigError` where the settings are not valid, or a file on disk is not, and `SaveError`.
        """
        with self._lock:
            documents = self._read()
            self._convert(documents | {s.name: _to_json(getattr(settings, s.name)) for s in SECTIONS})
            self._save(settings, documents)

    def set_section(self, section: str, values: object) -> Settings:
        """Change one file, and return the new settings of all files as they stand on disk now.

        Args:
            section: Which one.
            values: A JSON merge patch (RFC 7396): members of objects are merged, `null` brings a default
                back or removes a stream, and anything else replaces what stands there.

        Raises:
            ConfigError: The result, or another file on disk, is not valid. No file was written.
            SaveError: The change could not be stored. The former file stands.
            UnknownSection: There is no such section.
        """
        name = section_named(section).name
        with self._lock:
            documents = self._read()
            settings = self._convert(documents)
            current = _to_json(getattr(settings, name))
            changed = self._convert(documents | {name: _merge_patch(current, values)})
            self._save(changed, documents)
            return changed

    def _read(self) -> dict[SectionName, Any]:
        """Return the parsed content of each file that exists."""
        documents: dict[SectionName, Any] = {}
        problems: list[Problem] = []
        for section in SECTIONS:
            file = self._paths.config / section.file_name
            try:
                data = read_bytes(file)
                if data is None:
                    continue
                parsed = parse(data)
            except NotJson as error:
                problems.append(Problem(str(file), error.fault))
                continue
            except ConfigError as error:
                problems.extend(error.problems)
                continue
            problems.extend(Problem(str(file), fault) for fault in islice(content_faults(parsed), MAX_FAULTS))
            documents[section.name] = parsed.value
        if problems:
            raise ConfigError(problems + self._type_problems(documents, problems))
        return documents

    def _type_problems(self, documents: Mapping[SectionName, Any], known: list[Problem]) -> list[Problem]:
        """Return what else is wrong, so that a person can mend everything in one go."""
        damaged = {problem.file for problem in known}
        return [
            Problem(file, fault)
            for section in SECTIONS
            if section.name in documents and (file := self._file(section)) not in damaged
            for fault in section.convert(documents[section.name], self._streams)[1]
        ]

    def _convert(self, documents: Mapping[SectionName, Any]) -> Settings:
        values: dict[str, Any] = {}
        problems: list[Problem] = []
        for section in SECTIONS:
            if section.name not in documents:
                values[section.name] = section.default(self._streams)
                continue
            document = documents[section.name]
            faults = list(islice(content_faults(Parsed(document, [])), MAX_FAULTS))
            if not faults:
                values[section.name], faults = section.convert(document, self._streams)
            if not faults and len(render(document)) > MAX_FILE_BYTES:
                faults = [Fault("$", f"at most {MAX_FILE_BYTES} bytes", "more")]
            problems.extend(Problem(self._file(section), fault) for fault in faults)
        if problems:
            raise ConfigError(problems)
        return Settings(**values)

    def _save(self, settings: Settings, documents: Mapping[SectionName, Any]) -> None:
        for section in SECTIONS:
            value = getattr(settings, section.name)
            wanted = _to_json(value)
            if section.name in documents:
                former = documents[section.name]
                if section.convert(former, self._streams)[0] == value:
                    continue  # it says the same, and stays as a person wrote it
                wanted = _arrange(former, wanted)
                if render(wanted) == render(former):
                    continue
            file = self._paths.config / section.file_name
            try:
                back_up(file, self._paths.backups)
                write_atomically(file, render(wanted))
            except OSError as error:
                raise SaveError(file, error) from error

    def _file(self, section: Section) -> str:
        return str(self._paths.config / section.file_name)


def section_document(settings: Settings, section: str) -> Any:
    """Return one section as JSON values, for `config.get`; raises `UnknownSection`."""
    return _to_json(getattr(settings, section_named(section).name))


def _to_json(value: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def _arrange(former: Any, wanted: Any) -> Any:
    """Return the wanted value in the former one's order of keys and writing of numbers (60, not 60.0)."""
    if isinstance(former, dict) and isinstance(wanted, dict):
        kept = {key: _arrange(former[key], wanted[key]) for key in former if key in wanted}
        return kept | {key: member for key, member in wanted.items() if key not in former}
    if isinstance(former, list) and isinstance(wanted, list) and len(former) == len(wanted):
        return [_arrange(*pair) for pair in zip(former, wanted, strict=True)]
    same = former == wanted and isinstance(former, bool) == isinstance(wanted, bool)
    return former if same else wanted


def _merge_patch(target: Any, patch: object) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge_patch(merged.get(key), value)
    return merged
