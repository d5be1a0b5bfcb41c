"""The kernel's own faults: a file system of one megabyte that is really full, or really read-only."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.faults import is_degraded, is_well
from tests.acceptance.harness.server import MCP_QUEUE, ROOT, START_SECONDS, Server
from tests.acceptance.harness.waiting import until

IN_OWN_NAMESPACE = ("unshare", "--mount", "sh", "-euc")
CAN_MOUNT = (
    shutil.which("unshare") is not None
    and subprocess.run([*IN_OWN_NAMESPACE, "mount -t tmpfs none /mnt"], check=False, capture_output=True).returncode
    == 0
)
pytestmark = pytest.mark.skipif(not CAN_MOUNT, reason="only root may mount; test_failing_disk does without")

MOUNT = 'mount -t tmpfs -o size=1m none "$0"'
SERVE = f'exec {MCP_QUEUE} serve "$@"'


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Where the small file system is mounted, in the namespace of the server alone."""
    disk = tmp_path / "disk"
    disk.mkdir()
    return disk


@pytest.fixture
def config(tmp_path: Path, disk: Path) -> Path:
    return write_configuration(tmp_path, queue_manager={"registry_path": str(disk / "queue.db")})


@pytest.fixture
def server(config: Path, disk: Path) -> Iterator[Server]:
    with Server(config, (*IN_OWN_NAMESPACE, f"{MOUNT}; {SERVE}", str(disk))).serving() as server:
        yield server


def test_a_disk_that_is_full_and_then_is_not(server: Server, disk: Path) -> None:
    inside = Path("/proc", str(server.pid), "root", str(disk).lstrip("/"))
    first = server.submit("add_numbers", a=1, b=1)
    server.completed(first)
    fill(inside / "ballast")
    until(lambda: is_refused_and_degraded(server), "health tells of the refusal")

    (inside / "ballast").unlink()
    second = server.submit("add_numbers", a=2, b=2)
    assert server.completed(second) == {"sum": 4}
    assert is_well(server)
    assert server.completed(first) == {"sum": 2}


def is_refused_and_degraded(server: Server) -> bool:
    """Whether both places of health say why a large job is refused: small writes may soon succeed again."""
    refusal = server.refusal("hold", gate="x" * 200_000)
    assert refusal["data"]["domain_code"] == "STORE_UNAVAILABLE", refusal
    assert "free some space on its disk" in refusal["message"]
    return is_degraded(server, "free some space on its disk")


def fill(path: Path) -> None:
    """Write into a file until its disk is full."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)


OPEN = f"""
exec {sys.executable} -c '
import asyncio, pathlib, sys
from mcp_queue_plugin.clock import system_clock
from mcp_queue_plugin.errors import StoreUnavailable
from mcp_queue_plugin.store.sqlite import SqliteStore
store = SqliteStore(pathlib.Path(sys.argv[1], "queue.db"), durability="full", clock=system_clock())
try:
    asyncio.run(store.open())
except StoreUnavailable as error:
    print(error.message)
' "$0"
"""


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        ('head -c 2m /dev/zero > "$0/ballast" || true', "free some space on its disk"),
        ('mount -o remount,ro "$0"', "make the file and its file system writable"),
    ],
)
def test_a_store_that_cannot_be_made_says_why(disk: Path, prepare: str, words: str) -> None:
    ended = subprocess.run(
        [*IN_OWN_NAMESPACE, f"{MOUNT}; {prepare}; {OPEN}", str(disk)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    assert words in ended.stdout, ended
