"""Typing is a feature: two type checkers accept what is right, and reject every line that is wrong."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
MARK = re.compile(r"#\s*E:\s*([\w-]+)")


def marked(file: str) -> dict[int, str]:
    """Return the lines that are wrong, with mypy's code for each."""
    lines = (HERE / file).read_text().splitlines()
    return {number: found[1] for number, line in enumerate(lines, start=1) if (found := MARK.search(line))}


def mypy(file: str, cache: Path) -> dict[int, str]:
    command = [sys.executable, "-m", "mypy", "--strict", "--output", "json", "--cache-dir", str(cache)]
    options = ["--explicit-package-bases", "--no-error-summary", f"tests/typing/{file}"]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    errors = [error for error in found if error["severity"] == "error"]
    assert {Path(error["file"]).name for error in errors} <= {file}, done.stdout
    return {error["line"]: error["code"] for error in errors}


def basedpyright(files: list[str], project: Path) -> dict[str, set[int]]:
    """Return the lines with errors, by file; strict, but for what it adds to pyright's own strictness."""
    settings = {
        "typeCheckingMode": "strict",
        "include": [str(HERE / file) for file in files],
        "extraPaths": [str(ROOT)],
        "pythonVersion": "3.11",
        "venvPath": str(Path(sys.prefix).parent),
        "venv": Path(sys.prefix).name,
    }
    (project / "pyrightconfig.json").write_text(json.dumps(settings))
    done = subprocess.run(
        [sys.executable, "-m", "basedpyright", "--outputjson", "--project", str(project)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found: dict[str, set[int]] = {file: set() for file in files}
    for diagnostic in json.loads(done.stdout)["generalDiagnostics"]:
        if diagnostic["severity"] == "error":
            found[Path(diagnostic["file"]).name].add(diagnostic["range"]["start"]["line"] + 1)
    return found


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mypy")


def test_there_is_something_to_reject() -> None:
    assert len(marked("rejected.py")) >= 20
    assert marked("accepted.py") == {}


def test_mypy_accepts_what_is_right(cache: Path) -> None:
    assert mypy("accepted.py", cache) == {}


def test_mypy_rejects_every_marked_line_and_no_other(cache: Path) -> None:
    assert mypy("rejected.py", cache) == marked("rejected.py")


def test_basedpyright_accepts_and_rejects_the_same(tmp_path: Path) -> None:
    found = basedpyright(["accepted.py", "rejected.py"], tmp_path)
    assert found == {"accepted.py": set(), "rejected.py": set(marked("rejected.py"))}
