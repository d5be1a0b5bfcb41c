"""A private Redis: on a Unix socket in a temporary folder, for one measurement."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "BENCH_REDIS_SOCKET"
"""Tells worker processes where it listens."""

START_SECONDS = 10.0
PERSISTENCE = "Redis with appendonly yes, appendfsync everysec"
# https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/ calls it the suggested policy, fast and
# relatively safe: up to a second of acknowledged jobs goes with the power. Without appendonly all would go.
OPTIONS = ("--appendonly", "yes", "--appendfsync", "everysec", "--save", "")


@contextmanager
def private_redis(folder: Path) -> Iterator[Path]:
    """Run one for as long as the block lasts; its socket.

    Raises:
        RuntimeError: redis-server is missing or did not start.
    """
    program = shutil.which("redis-server")
    if program is None:
        raise RuntimeError("redis-server is not installed; bench/run installs it")
    path = folder / "redis.sock"
    command = [program, "--port", "0", "--unixsocket", str(path), "--dir", str(folder), *OPTIONS]
    with (folder / "redis.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    os.environ[VARIABLE] = str(path)
    try:
        _wait_for(path, process)
        yield path
    finally:
        process.terminate()
        process.wait()


def socket_path() -> str:
    """Where the private Redis listens, seen from this process or a worker that it started.

    Raises:
        KeyError: there is none.
    """
    return os.environ[VARIABLE]


def _wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while not path.exists():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"redis-server did not start: {(path.parent / 'redis.log').read_text()[-1000:]}")
        time.sleep(0.01)
