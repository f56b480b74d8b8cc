"""What control groups leave a process, read from files as the kernel writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.fleet.scaling.limits import GroupLimits, Limit, Quota, read_limits

pytestmark = pytest.mark.may_block


def files(root: Path, **contents: str) -> None:
    for name, text in contents.items():
        file = root / name.replace("__", "/").replace("_dot_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def limits(tmp_path: Path, groups: str) -> GroupLimits:
    (tmp_path / "proc").write_text(groups)
    return read_limits(tmp_path / "proc", tmp_path / "fs")


def test_version_2_and_the_narrowest_of_all_groups_above(tmp_path: Path) -> None:
    files(
        tmp_path / "fs" / "system.slice",
        cpu_dot_max="150000 100000\n",
        cpu_dot_stat="usage_usec 2500000\nuser_usec 2000000\n",
        memory_dot_max="1000000\n",
        memory_dot_current="400000\n",
        memory_dot_stat="anon 300000\ninactive_file 50000\n",
    )
    files(
        tmp_path / "fs" / "system.slice" / "automate.service",
        cpu_dot_max="max 100000\n",
        cpu_dot_stat="usage_usec 900000\n",
        memory_dot_max="2000000\n",
        memory_dot_current="300000\n",
    )
    assert limits(tmp_path, "0::/system.slice/automate.service\n") == GroupLimits(
        Quota(1.5, 2.5), Limit(1_000_000, 350_000)
    )


def test_version_1_with_a_controller_each(tmp_path: Path) -> None:
    files(
        tmp_path / "fs",
        cpu__box__cpu_dot_cfs_quota_us="50000\n",
        cpu__box__cpu_dot_cfs_period_us="100000\n",
        cpuacct__box__cpuacct_dot_usage="3000000000\n",
        memory__box__memory_dot_limit_in_bytes="500000\n",
        memory__box__memory_dot_usage_in_bytes="200000\n",
        memory__memory_dot_limit_in_bytes="9223372036854771712\n",
        memory__memory_dot_usage_in_bytes="1\n",
    )
    groups = "4:memory:/box\n2:cpu,cpuacct:/box\n1:name=systemd:/\n"
    assert limits(tmp_path, groups) == GroupLimits(Quota(0.5, 3.0), Limit(500_000, 200_000))


def test_version_1_with_controllers_that_are_mounted_together(tmp_path: Path) -> None:
    both = tmp_path / "fs" / "cpu,cpuacct" / "box"
    files(both, cpu_dot_cfs_quota_us="50000", cpu_dot_cfs_period_us="100000", cpuacct_dot_usage="1000000000")
    assert limits(tmp_path, "2:cpu,cpuacct:/box\n").cpu == Quota(0.5, 1.0)


@pytest.mark.parametrize("quota", ["max 100000\n", "", "soon\n", "-1 0\n", "5 0\n"])
def test_what_is_no_limit_limits_nothing(tmp_path: Path, quota: str) -> None:
    files(tmp_path / "fs", cpu_dot_max=quota, cpu_dot_stat="usage_usec 1\n", memory_dot_max="max\n")
    assert limits(tmp_path, "0::/\n") == GroupLimits()


def test_a_group_that_is_not_mounted_here_is_looked_for_at_the_mount(tmp_path: Path) -> None:
    files(tmp_path / "fs", cpu_dot_max="200000 100000\n", cpu_dot_stat="usage_usec 1000000\n")
    assert limits(tmp_path, "0::/../outside/of/the/container\n").cpu == Quota(2.0, 1.0)
    assert read_limits(tmp_path / "none", tmp_path / "fs") == GroupLimits()
