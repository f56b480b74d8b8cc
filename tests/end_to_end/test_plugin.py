"""The plugin door: a stream of an outside package is installed, deployed, earns, and is removed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from orchestrator.access.client import RpcFailure
from tests.end_to_end.conftest import MakeDaemon
from tests.end_to_end.daemon_process import ROOT

PACKAGE = ROOT / "tests" / "plugins" / "tip_jar_package"


class Environment:
    """A virtual environment in which all of this one is, and whatever is installed into it."""

    def __init__(self, folder: Path) -> None:
        self.python = folder / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        packages = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
        (Path(packages) / "all_of_this.pth").write_text(
            f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})"
        )

    def pip(self, *arguments: str) -> None:
        """Run the pip of this environment for that one."""
        subprocess.run(
            [sys.executable, "-m", "pip", "--python", str(self.python), "--quiet", *arguments],
            check=True,
            capture_output=True,
            env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"},
        )


def test_a_stream_from_outside_is_installed_deployed_earns_and_is_removed(
    tmp_path: Path, make_daemon: MakeDaemon
) -> None:
    environment = Environment(tmp_path / "venv")
    source = shutil.copytree(PACKAGE, tmp_path / "source")
    command = (str(environment.python), "-c", "from orchestrator.access.cli import main; main()", "run", "--home")
    daemon = make_daemon(instances=1, command=command, sandbox_calls_per_minute=600).start()
    with pytest.raises(RpcFailure, match="no stream 'tip_jar' is installed"):
        daemon.call("fleet.deploy", {"stream": "tip_jar", "count": 2})

    # Installed while the daemon runs.
    environment.pip("install", "--no-index", "--no-deps", "--no-build-isolation", str(source))
    with daemon.watch("rollout.completed", "ledger.booked", "fleet.outside_code") as watch:
        daemon.call("fleet.deploy", {"stream": "tip_jar", "count": 2})
        assert "isolation" in watch.until("fleet.outside_code", stream="tip_jar")["detail"]
        watch.until("rollout.completed", stream="tip_jar")
        for instance in ("tip_jar-001", "tip_jar-002"):
            watch.until("ledger.booked", 20.0, instance=instance)
    view = daemon.call("fleet.get", {"id": "tip_jar-002"})
    assert (view["state"], view["settings"]) == ("ready", {"street": "2 Main Street"})
    assert view["funnel"]["tips"] >= 1
    entries = list(daemon.entries(stream="tip_jar"))
    assert {entry["evidence"]["kind"] for entry in entries} == {"provider.receipt"}
    assert [side["name"] for side in daemon.call("sandbox.list")] == ["provider.tips"]

    # Scaled away and deployed again, it comes back in a process of its own, and earns there.
    daemon.call("fleet.scale", {"stream": "tip_jar", "to": 1})
    with daemon.watch("rollout.completed", "ledger.booked") as watch:
        daemon.call("fleet.deploy", {"stream": "tip_jar", "count": 1, "isolation": "process"})
        watch.until("ledger.booked", 20.0, instance="tip_jar-002")
    assert daemon.call("fleet.get", {"id": "tip_jar-002"})["isolation"] == "process"

    # It comes back with the daemon.
    daemon.restart()
    assert daemon.states() == {"api_services-001": "ready", "tip_jar-001": "ready", "tip_jar-002": "ready"}

    # Removed: what it earned stays, and nothing else misses it.
    daemon.call("fleet.scale", {"stream": "tip_jar", "to": 0})
    daemon.stop()
    environment.pip("uninstall", "--yes", "tip-jar")
    daemon.start()
    assert daemon.states() == {"api_services-001": "ready"}
    with pytest.raises(RpcFailure, match="no stream 'tip_jar' is installed"):
        daemon.call("fleet.scale", {"stream": "tip_jar", "to": 1})
    assert len(list(daemon.entries(stream="tip_jar"))) >= len(entries)
    assert daemon.call("ledger.verify")["ok"]
