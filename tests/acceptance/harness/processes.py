"""Which processes belong to a server: its descendants, and whatever has inherited its mark."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

MARK = "ACCEPTANCE_SERVER"
"""The environment variable that marks a server and all it starts, wherever the processes move to."""


def marked_processes(mark: str) -> dict[int, str]:
    """The living processes that carry ``mark``, each with its command line."""
    wanted = f"{MARK}={mark}".encode()
    return {pid: _command_line(pid) for pid in psutil.pids() if wanted in _environment(pid)}


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill(pids: dict[int, str]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Footprint(NamedTuple):
    """What a process holds of the system's resources."""

    descriptors: int
    threads: int
    children: int


def footprint(pid: int) -> Footprint:
    process = psutil.Process(pid)
    return Footprint(process.num_fds(), process.num_threads(), len(process.children()))


def cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return "?"
