"""The kernel's own faults: a file system of one megabyte that is really full, or really read-only."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.server import MCP_QUEUE, ROOT, START_SECONDS, Server

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
    refusal = server.refusal("hold", gate="x" * 200_000)
    assert refusal["data"]["domain_code"] == "STORE_UNAVAILABLE", refusal
    assert "free some space on its disk" in refusal["message"]
    assert server.health()["status"] == "degraded"
    assert "free some space on its disk" in str(server.get("/health"))

    (inside / "ballast").unlink()
    second = server.submit("add_numbers", a=2, b=2)
    assert server.completed(second) == {"sum": 4}
    assert server.health()["status"] == "healthy"
    assert server.completed(first) == {"sum": 2}


def fill(path: Path) -> None:
    """Write into a file until its disk is full."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        ('head -c 2m /dev/zero > "$0/ballast" || true', "free some space on its disk"),
        ('mount -o remount,ro "$0"', "make the file and its file system writable"),
    ],
)
def test_a_server_that_cannot_make_its_store_says_why(config: Path, disk: Path, prepare: str, words: str) -> None:
    ended = subprocess.run(
        [*IN_OWN_NAMESPACE, f"{MOUNT}; {prepare}; {SERVE}", str(disk), "--config", str(config)],
        cwd=config.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr[-3000:]
    assert words in ended.stderr.splitlines()[-1]
