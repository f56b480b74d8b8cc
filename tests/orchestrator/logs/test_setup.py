from __future__ import annotations

import asyncio
import gc
import logging
import stat
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from config.secrets import Secret
from orchestrator.logs import LogLimits, LogSystem, UnknownLevelError, configure
from orchestrator.logs.line import Line
from orchestrator.logs.standard import StandardHandler

MakeLog = Callable[..., LogSystem]
ReadLog = Callable[..., list[dict[str, Any]]]


def test_a_line_says_when_what_and_who(make_log: MakeLog, read_log: ReadLog) -> None:
    system = make_log()
    before = datetime.now(UTC)

    structlog.get_logger("orchestrator.fleet").bind(instance="api_services-007", stream="api_services").info(
        "instance.ready", port=7807, actor="automate/fleet/api_services-007", rollout="ro-1"
    )

    assert system.flush()
    (line,) = read_log()
    moment = datetime.fromisoformat(line.pop("timestamp"))
    assert before <= moment <= datetime.now(UTC)
    assert line == {
        "level": "info",
        "event": "instance.ready",
        "logger": "orchestrator.fleet",
        "actor": "automate/fleet/api_services-007",
        "instance": "api_services-007",
        "stream": "api_services",
        "rollout": "ro-1",
        "port": 7807,
    }


def test_timestamps_are_utc_with_microseconds_always(make_log: MakeLog, read_log: ReadLog) -> None:
    system = make_log()
    structlog.get_logger("x").info("a")
    assert system.flush()
    (line,) = read_log()
    assert line["timestamp"].endswith("Z")
    assert len(line["timestamp"]) == len("2026-01-01T00:00:00.123456Z")


def test_context_variables_reach_both_kinds_of_loggers(make_log: MakeLog, read_log: ReadLog) -> None:
    system = make_log()
    with structlog.contextvars.bound_contextvars(actor="automate/x"):
        structlog.get_logger("a").info("one")
        logging.getLogger("b").warning("two %d", 2)
    assert system.flush()
    one, two = read_log()
    assert one["actor"] == two["actor"] == "automate/x"
    assert (two["event"], two["level"], two["logger"]) == ("two 2", "warning", "b")


def test_a_logger_without_a_name_has_its_modules(make_log: MakeLog, read_log: ReadLog) -> None:
    system = make_log()
    structlog.get_logger().info("here")
    assert system.flush()
    assert read_log()[0]["logger"] == __name__


def test_the_file_is_for_its_owner_only(make_log: MakeLog, log_file: Path) -> None:
    system = make_log()
    structlog.get_logger("x").info("a")
    assert system.flush()
    assert stat.S_IMODE(log_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(log_file.parent.stat().st_mode) == 0o700


def test_an_exception_is_written_as_frames_without_locals(make_log: MakeLog, read_log: ReadLog) -> None:
    system = make_log()

    def fail(password: str) -> None:
        raise ValueError("no") from KeyError("because")

    try:
        fail("hunter2-hunter2")
    except ValueError:
        structlog.get_logger("x").exception("failed")
    assert system.flush()
    (line,) = read_log()
    assert line["level"] == "error"
    first, second = line["exception"]
    assert (first["exc_type"], first["exc_value"]) == ("ValueError", "no")
    assert (second["exc_type"], second["is_cause"]) == ("KeyError", True)
    assert first["frames"][-1]["name"].endswith("fail")
    assert first["frames"][-1]["filename"] == __file__
    assert "hunter2" not in str(line)


def test_secrets_never_reach_the_file(make_log: MakeLog, log_file: Path) -> None:
    system = make_log()
    log = structlog.get_logger("x").bind(api_key="sesame-1")
    log.info("Bearer sesame-2", headers={"Authorization": "Basic sesame-3"}, key="ak_test_sesame4")
    logging.getLogger("y").warning("used %s", "ak_live_sesame5")
    log.error("e", exc_info=RuntimeError("token=sesame-6"), shown=Secret("sesame-7"))
    assert system.flush()
    text = log_file.read_text()
    assert "sesame" not in text
    assert text.count("\n") == 3


def test_what_is_below_the_level_is_not_written(make_log: MakeLog, read_log: ReadLog) -> None:
    system = make_log(level="warning")
    structlog.get_logger("x").info("no")
    logging.getLogger("x").info("no")
    structlog.get_logger("x").warning("yes")
    logging.getLogger("x").error("yes")
    assert system.flush()
    assert [line["event"] for line in read_log()] == ["yes", "yes"]


def test_the_level_changes_for_loggers_that_are_held(make_log: MakeLog, read_log: ReadLog) -> None:
    system = make_log(level="info")
    held = structlog.get_logger("x").bind(actor="a")
    held.debug("before")
    system.set_level("debug")
    held.debug("after")
    logging.getLogger("aiohttp.access").info("now wanted")
    assert system.flush()
    assert [line["event"] for line in read_log()] == ["after", "now wanted"]


def test_the_environment_overrides_the_level(make_log: MakeLog, read_log: ReadLog) -> None:
    system = make_log(level="error", environ={"AUTOMATE_LOG_LEVEL": "DEBUG"})
    structlog.get_logger("x").debug("seen")
    assert system.flush()
    assert read_log()[0]["level"] == "debug"


@pytest.mark.parametrize("options", [{"level": "loud"}, {"environ": {"AUTOMATE_LOG_LEVEL": "loud"}}])
def test_an_unknown_level_is_refused_by_name(make_log: MakeLog, options: dict[str, object]) -> None:
    with pytest.raises(UnknownLevelError, match=r"'loud'.*debug, info"):
        make_log(**options)


def test_requests_of_http_libraries_are_not_logged_one_by_one(make_log: MakeLog, log_file: Path) -> None:
    system = make_log()
    logging.getLogger("uvicorn.access").info("GET /")
    logging.getLogger("uvicorn.error").info("started")
    assert system.flush()
    assert log_file.read_text().count("\n") == 1


async def test_what_asyncio_complains_about_is_in_the_log(make_log: MakeLog, read_log: ReadLog) -> None:
    system = make_log()

    async def fail() -> None:
        raise LookupError("nobody waits for me")

    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    del task
    gc.collect()
    assert await asyncio.to_thread(system.flush)
    (line,) = read_log()
    assert line["logger"] == "asyncio"
    assert line["exception"][0]["exc_value"] == "nobody waits for me"


def test_a_record_whose_arguments_do_not_fit_is_written_all_the_same() -> None:
    lines: list[Line] = []
    StandardHandler(lines.append).handle(
        logging.LogRecord("x", logging.WARNING, __file__, 1, "%d apples", ("some",), None)
    )
    assert lines[0].fields["event"] == "%d apples"
    assert lines[0].fields["unloggable"].startswith("TypeError")


def test_extra_fields_of_a_record_are_kept(make_log: MakeLog, read_log: ReadLog) -> None:
    system = make_log()
    logging.getLogger("x").warning("a", extra={"instance": "i-1", "color_message": "\x1b[1ma"})
    assert system.flush()
    (line,) = read_log()
    assert line["instance"] == "i-1"
    assert "color_message" not in line


def test_warnings_and_failed_threads_are_in_the_log(make_log: MakeLog, read_log: ReadLog) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        system = make_log()
        warnings.warn("old ways", stacklevel=1)
        thread = threading.Thread(target=lambda: 1 / 0, name="worker")
        thread.start()
        thread.join()
        assert system.flush()
        system.close()
    warned, failed = read_log()
    assert warned["logger"] == "py.warnings"
    assert failed["thread"] == "worker"
    assert failed["exception"][0]["exc_type"] == "ZeroDivisionError"


def test_closing_puts_everything_back(make_log: MakeLog, log_file: Path) -> None:
    before = (
        structlog.get_config(),
        logging.getLogger().handlers[:],
        logging.getLogger().level,
        logging.getLogger("uvicorn.access").level,
        sys.excepthook,
        threading.excepthook,
        warnings.showwarning,
    )
    system = make_log()
    held = structlog.get_logger("x").bind()
    held.info("written")
    assert system.close()
    assert system.close()
    held.info("not written, and no error")
    after = (
        structlog.get_config(),
        logging.getLogger().handlers[:],
        logging.getLogger().level,
        logging.getLogger("uvicorn.access").level,
        sys.excepthook,
        threading.excepthook,
        warnings.showwarning,
    )
    assert after == before
    assert log_file.read_text().count("\n") == 1


def test_one_log_inside_another_gives_the_outer_one_back(make_log: MakeLog, read_log: ReadLog, tmp_path: Path) -> None:
    outer = make_log()
    with configure(tmp_path / "inner.jsonl", console="off", environ={}):
        structlog.get_logger("x").info("inner")
    structlog.get_logger("x").info("outer")
    assert outer.flush()
    assert [line["event"] for line in read_log()] == ["outer"]
    assert [line["event"] for line in read_log(tmp_path / "inner.jsonl")] == ["inner"]


def test_lines_of_an_instance_are_in_its_own_file_too(make_log: MakeLog, read_log: ReadLog, tmp_path: Path) -> None:
    own = tmp_path / "home" / "instances" / "api_services-001"
    own.mkdir(parents=True)
    system = make_log()
    structlog.get_logger("x").info("mine", instance="api_services-001")
    structlog.get_logger("x").info("of nobody")
    structlog.get_logger("x").info("of one that is gone", instance="api_services-002")
    structlog.get_logger("x").info("of a burglar", instance="../../etc")
    assert system.flush()
    assert [line["event"] for line in read_log(own / "instance.jsonl")] == ["mine"]
    assert len(read_log()) == 4
    assert [entry.name for entry in own.parent.iterdir()] == ["api_services-001"]
    assert system.stats().dropped == 0


def test_many_instances_do_not_keep_many_files_open(make_log: MakeLog, read_log: ReadLog, tmp_path: Path) -> None:
    system = make_log(limits=LogLimits(max_open_instances=4, linger_s=0.001))
    folder = tmp_path / "home" / "instances"
    for number in range(20):
        (folder / f"i-{number}").mkdir(parents=True)
    for _ in range(2):
        for number in range(20):
            structlog.get_logger("x").info("a", instance=f"i-{number}")
        assert system.flush()
        opened = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
        assert sum(str(folder) in str(path) for path in opened) <= 4
    assert all(len(read_log(folder / f"i-{number}" / "instance.jsonl")) == 2 for number in range(20))


def test_a_value_that_cannot_be_logged_does_not_hurt_its_caller(make_log: MakeLog, read_log: ReadLog) -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError("never")

    endless: list[object] = []
    endless.append(endless)
    system = make_log()
    structlog.get_logger("x").info(
        "a", hostile=Hostile(), endless=endless, huge=10**5000, odd=float("nan"), broken="\udcff", timestamp=5
    )
    assert system.flush()
    (line,) = read_log()
    assert "Hostile" in line["hostile"]
    assert line["odd"] == "nan"
    assert line["broken"] == "\\udcff"
    assert line["timestamp_"] == 5


def test_a_line_is_never_longer_than_the_journal_takes(make_log: MakeLog, log_file: Path) -> None:
    system = make_log()
    structlog.get_logger("x").info(
        "a", instance="i-1", many={str(n): "\x01" * 8000 for n in range(50)}, port=7801, other="z" * 8000
    )
    structlog.get_logger("x").info("\x01" * 20_000, **{"\x01" * 100 + str(n): "\x02" * 100 for n in range(200)})
    assert system.flush()
    first, second = log_file.read_bytes().splitlines()
    assert len(first) <= 32 * 1024
    assert len(second) <= 32 * 1024
    assert b'"port":7801' in first
    assert b"[omitted: " in first


def test_lines_are_written_when_the_process_ends_without_closing(tmp_path: Path) -> None:
    program = (
        "import pathlib, structlog, orchestrator.logs as logs\n"
        f"logs.configure(pathlib.Path({str(tmp_path / 'a.jsonl')!r}), console='off')\n"
        "structlog.get_logger('x').info('last words')\n"
        "raise SystemError('the end')\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert "SystemError: the end" in ended.stderr
    text = (tmp_path / "a.jsonl").read_text()
    assert "last words" in text
    assert "process.uncaught_exception" in text
