"""The interface against its own document, tried by schemathesis; skipped where it is not installed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec
import pytest

from orchestrator.access.gateway.routes import PREFIX
from tests.orchestrator.access.gateway.conftest import GatewayUnderTest

PROGRAM = Path(sys.executable).parent / "schemathesis"


@pytest.mark.timeout(180)
@pytest.mark.skipif(not PROGRAM.exists(), reason="schemathesis is not installed")
async def test_schemathesis_finds_no_failure(gateway: GatewayUnderTest) -> None:
    # A frozen instance does not answer in time, which is a failure to whoever only reads the document.
    gateway.fleet.fleet = msgspec.structs.replace(gateway.fleet.fleet, chaos=False)
    process = await asyncio.create_subprocess_exec(
        *(
            str(PROGRAM),
            "run",
            f"{gateway.url}{PREFIX}/openapi.json",
            "--header",
            f"Authorization: Bearer {gateway.token}",
        ),
        *("--phases", "coverage", "--generation-deterministic", "--no-color"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=gateway.directory,
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()
    assert b" passed" in told
