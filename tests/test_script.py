"""AUTOMATE_EVERYTHING.sh and .ci/run, run for real on copies of the checkout.

Installing takes minutes and a package index, so it is not done here; what leads up to it is, with fakes of
the system's own commands, and so is everything after it, in a virtual environment that is really whole.
"""

from __future__ import annotations

import hashlib
import shutil
import stat
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ("AUTOMATE_EVERYTHING.sh", ".ci/run", ".ci/steps")
TOOLS = (
    "bash", "basename", "cat", "cksum", "dirname", "env", "grep", "id", "mkdir", "mktemp", "readlink", "rm",
    "rmdir", "sed", "sha256sum", "sh", "tail",
)  # fmt: skip
NO_FLAGS: tuple[str, ...] = ()


class Machine:
    """A checkout without anything installed, and a PATH with nothing but basic tools."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "a checkout"
        self.bin = folder / "bin"
        self.tmp = folder / "tmp"
        self.elsewhere = folder / "elsewhere"
        for made in (self.checkout / ".ci", self.bin, self.tmp, self.elsewhere):
            made.mkdir(parents=True)
        for name in (*SCRIPTS, "pyproject.toml"):
            shutil.copy(ROOT / name, self.checkout / name)
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None, f"{tool} is not on this machine"
            (self.bin / tool).symlink_to(found)
        self.fake("git")

    def fake(self, name: str, script: str = "exit 0") -> None:
        """Put a command of that name on the PATH that notes how it is called."""
        command = self.bin / name
        command.unlink(missing_ok=True)
        command.write_text(f'#!/bin/bash\necho "{name} $*" >>{self.tmp}/called\n{script}\n')
        command.chmod(0o755)

    @property
    def called(self) -> list[str]:
        file = self.tmp / "called"
        return file.read_text().splitlines() if file.exists() else []

    def install(self) -> None:
        """Make the virtual environment that an installation leaves, with a daemon that says how it is run."""
        venv = self.checkout / ".venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
        packages = sysconfig.get_path("purelib", vars={"base": str(venv), "platbase": str(venv)})
        (Path(packages) / "real.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})")
        for command in (venv / "bin" / "automate", self.checkout / ".ci" / "steps"):
            command.write_text('#!/bin/bash\nprintf "%s\\n" "$AUTOMATE_HOME" "$@"\n')
            command.chmod(0o755)
        version = " ".join(map(str, sys.version_info))
        for name in (".installed", ".installed-dev"):
            (venv / name).write_text(
                f"{hashlib.sha256((self.checkout / 'pyproject.toml').read_bytes()).hexdigest()}\n"
                f"{self.checkout}\n{sys.implementation.cache_tag} {version}\n"
            )

    def run(
        self, *arguments: str, script: Path | None = None, environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(script or self.checkout / "AUTOMATE_EVERYTHING.sh"), *arguments],
            cwd=self.elsewhere,
            env={"PATH": str(self.bin), "TMPDIR": str(self.tmp), "HOME": str(self.tmp), **(environ or {})},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def user_machine(machine: Machine) -> Machine:
    """A machine on which one may not install anything."""
    machine.fake("id", "echo 1000")
    return machine


@pytest.fixture
def root_machine(machine: Machine) -> Machine:
    """A machine on which one may do anything."""
    machine.fake("id", "echo 0")
    return machine


# --- How it is called --------------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["-h", "--help", "help"])
def test_help_needs_nothing_installed(machine: Machine, flag: str) -> None:
    ended = machine.run(flag)
    assert ended.returncode == 0
    for mode in ("full", "test", "custom", "install", "check"):
        assert f"\n  {mode}" in ended.stdout
    assert "Examples:" in ended.stdout
    assert not (machine.checkout / ".venv").exists()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("ful", "full"), ("tset", "test"), ("costum", "custom"), ("instal", "install"), ("checks", "check")],
)
def test_an_unknown_mode_names_the_nearest(machine: Machine, typed: str, meant: str) -> None:
    ended = machine.run(typed)
    assert ended.returncode == 64
    assert f"no mode '{typed}'; did you mean '{meant}'?" in ended.stderr


def test_install_takes_no_flags(machine: Machine) -> None:
    ended = machine.run("install", "--fast")
    assert ended.returncode == 64
    assert "--fast" in ended.stderr


@pytest.mark.parametrize(
    ("typed", "passed"),
    [
        (NO_FLAGS, ["run", "--profile", "full"]),
        (("full",), ["run", "--profile", "full"]),
        (("--port-base", "9000"), ["run", "--profile", "full", "--port-base", "9000"]),
        (("test",), ["run", "--profile", "test"]),
        (("custom", "--stream", "a b", ""), ["run", "--profile", "custom", "--stream", "a b", ""]),
    ],
)
def test_what_is_installed_is_started_with_its_flags(
    machine: Machine, typed: tuple[str, ...], passed: list[str]
) -> None:
    machine.install()
    ended = machine.run(*typed)
    assert ended.returncode == 0
    assert ended.stdout.split("\n")[1:-1] == passed
    assert ended.stderr == ""


def test_the_home_is_in_the_checkout_unless_it_is_given(machine: Machine) -> None:
    machine.install()
    assert machine.run().stdout.splitlines()[0] == str(machine.checkout / "var")
    assert machine.run(environ={"AUTOMATE_HOME": "/srv/a b"}).stdout.splitlines()[0] == "/srv/a b"


def test_checks_are_run_without_a_home_and_take_flags(machine: Machine) -> None:
    machine.install()
    assert machine.run("check", "-k", "ledger").stdout == "\n-k\nledger\n"


def test_it_may_be_called_through_symbolic_links(machine: Machine) -> None:
    machine.install()
    (machine.elsewhere / "absolute").symlink_to(machine.checkout / "AUTOMATE_EVERYTHING.sh")
    (machine.elsewhere / "relative").symlink_to("absolute")
    ended = machine.run("test", script=machine.elsewhere / "relative")
    assert ended.stdout.splitlines()[0] == str(machine.checkout / "var")


def test_it_is_quick_where_everything_is_installed(machine: Machine) -> None:
    machine.install()
    started = time.perf_counter()
    assert machine.run("install").returncode == 0
    assert time.perf_counter() - started < 1


# --- When it installs again --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "harm", ["new requirements", "interrupted", "moved", "no interpreter", "no command", "no stamp", "no package"]
)
def test_whatever_is_not_whole_is_not_started(machine: Machine, harm: str) -> None:
    machine.install()
    venv = machine.checkout / ".venv"
    script = machine.checkout / "AUTOMATE_EVERYTHING.sh"
    match harm:
        case "new requirements":
            with (machine.checkout / "pyproject.toml").open("a") as file:
                file.write("\n# changed\n")
        case "interrupted":
            (venv / ".unfinished").touch()
        case "moved":
            machine.checkout.rename(machine.checkout.with_name("moved"))
            script = machine.checkout.with_name("moved") / script.name
        case "no interpreter":
            (venv / "bin" / "python").unlink()
            (venv / "bin" / "python").symlink_to("/nonexistent")
        case "no command":
            (venv / "bin" / "automate").unlink()
        case "no stamp":
            (venv / ".installed").unlink()
        case "no package":
            next(venv.glob("lib/*/site-packages/real.pth")).unlink()
    # Without a Python it stops at once where it would install.
    ended = machine.run("test", script=script)
    assert ended.returncode == 69
    assert "there is no Python 3.11 or later" in ended.stderr
    assert ended.stdout == ""


def test_a_folder_that_is_no_virtual_environment_is_left_alone(machine: Machine) -> None:
    precious = machine.checkout / ".venv" / "precious"
    precious.parent.mkdir()
    precious.touch()
    ended = machine.run("install", environ={"AUTOMATE_PYTHON": sys.executable})
    assert ended.returncode == 73
    assert "is no virtual environment" in ended.stderr
    assert precious.exists()


# --- What the system must have -----------------------------------------------------------------------------


def test_without_python_or_package_manager_it_says_so(machine: Machine) -> None:
    ended = machine.run()
    assert ended.returncode == 69
    assert "there is no Python 3.11 or later" in ended.stderr
    assert "no package manager" in ended.stderr
    assert list(machine.tmp.iterdir()) == []


def test_a_python_that_is_too_old_is_none(machine: Machine) -> None:
    for name in ("python3", "python3.11"):
        machine.fake(name, "exit 1")
    assert "there is no Python 3.11 or later" in machine.run().stderr


@pytest.mark.parametrize(
    ("manager", "command"),
    [
        ("apt-get", "sudo apt-get update && sudo apt-get install -y --no-install-recommends python3 python3-venv"),
        ("dnf", "sudo dnf install -y python3.12"),
        ("yum", "sudo yum install -y python3.12"),
        ("zypper", "sudo zypper --non-interactive install python311"),
        ("pacman", "sudo pacman -Sy --noconfirm --needed python"),
        ("apk", "sudo apk add python3 py3-pip"),
    ],
)
def test_who_may_not_install_is_told_the_command(user_machine: Machine, manager: str, command: str) -> None:
    user_machine.fake(manager)
    ended = user_machine.run()
    assert ended.returncode == 69
    assert f"    {command}\n" in ended.stderr
    assert not any(call.startswith(manager) for call in user_machine.called)


def test_sudo_that_asks_for_a_password_is_not_used(user_machine: Machine) -> None:
    user_machine.fake("dnf")
    user_machine.fake("sudo", "exit 1")
    assert user_machine.run().returncode == 69
    assert not any(call.startswith("dnf") for call in user_machine.called)


def test_sudo_without_a_password_installs(user_machine: Machine) -> None:
    user_machine.fake("dnf")
    user_machine.fake("sudo", '[ "$1" = -n ] || exec "$@"')
    ended = user_machine.run()
    assert "dnf install -y python3.12" in user_machine.called
    assert ended.returncode == 69
    assert "still has no Python" in ended.stderr


def test_root_installs_the_newest_python_that_the_system_offers(root_machine: Machine) -> None:
    root_machine.fake("apt-get")
    root_machine.fake("apt-cache", '[ "$2" = python3.12-venv ]')
    root_machine.run()
    assert [call for call in root_machine.called if call.startswith("apt-get")] == [
        "apt-get update",
        "apt-get install -y --no-install-recommends python3.12 python3.12-venv",
    ]


def test_a_package_manager_that_fails_is_quoted(root_machine: Machine) -> None:
    root_machine.fake("apt-get", 'echo "E: cannot resolve the mirror"; exit 100')
    ended = root_machine.run()
    assert ended.returncode == 69
    assert "E: cannot resolve the mirror" in ended.stderr
    assert "'apt-get update' failed" in ended.stderr


def test_a_missing_venv_module_is_installed_for_the_python_that_lacks_it(user_machine: Machine) -> None:
    user_machine.fake("python3.11", 'case "$1$2" in *ensurepip*) exit 1 ;; *print*) echo python3.11 ;; esac')
    user_machine.fake("apt-get")
    ended = user_machine.run()
    assert ended.returncode == 69
    assert "python3.11 cannot make virtual environments" in ended.stderr
    assert "sudo apt-get install -y --no-install-recommends python3.11-venv\n" in ended.stderr


def test_a_missing_git_is_asked_for(user_machine: Machine) -> None:
    (user_machine.bin / "git").unlink()
    user_machine.fake("apk")
    ended = user_machine.run()
    assert ended.returncode == 69
    assert "git is missing" in ended.stderr
    assert "    sudo apk add git\n" in ended.stderr


def test_a_python_that_is_named_and_unfit_is_not_replaced_by_another(machine: Machine) -> None:
    machine.fake("python3", "exit 0")
    ended = machine.run(environ={"AUTOMATE_PYTHON": "/nonexistent/python"})
    assert ended.returncode == 69
    assert "AUTOMATE_PYTHON is /nonexistent/python" in ended.stderr


# --- CI ----------------------------------------------------------------------------------------------------


def test_ci_runs_the_check_mode(machine: Machine) -> None:
    machine.install()
    for program in ("chromium", "jq", "socat", "wrk"):
        machine.fake(program)
    ended = machine.run("-x", script=machine.checkout / ".ci" / "run")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "\n-x\n", "")


def test_ci_goes_on_without_programs_that_it_may_not_install(user_machine: Machine) -> None:
    user_machine.install()
    user_machine.fake("socat")
    user_machine.fake("apt-get")
    ended = user_machine.run(script=user_machine.checkout / ".ci" / "run")
    assert ended.returncode == 0
    assert "chromium jq wrk missing" in ended.stderr
    assert not any(call.startswith("apt-get") for call in user_machine.called)


def test_ci_installs_missing_programs_as_root(root_machine: Machine) -> None:
    root_machine.install()
    root_machine.fake("apt-get")
    ended = root_machine.run(script=root_machine.checkout / ".ci" / "run")
    assert ended.returncode == 0
    assert [call for call in root_machine.called if call.startswith("apt-get")] == [
        "apt-get -qq update",
        "apt-get -qq install -y --no-install-recommends chromium jq socat wrk",
    ]


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_executable_and_well_formed(script: str) -> None:
    assert (ROOT / script).stat().st_mode & stat.S_IXUSR
    subprocess.run(["bash", "-n", str(ROOT / script)], check=True, timeout=10)


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_please_shellcheck(script: str) -> None:
    shellcheck = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:/usr/bin:/usr/local/bin")
    if shellcheck is None:
        pytest.skip("shellcheck is not installed")
    checked = subprocess.run([shellcheck, str(ROOT / script)], capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0, checked.stdout
