"""What the machine has left and what its processes are doing, as the kernel tells it. Linux only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from mcp_queue_plugin.model.scaling import Machine

PAGE_BYTES = os.sysconf("SC_PAGESIZE")

STOPPED_STATES = frozenset("Tt")
"""Stopped by a signal, or by a debugger."""

WAITING_STATE = "D"
"""Inside a call that nothing interrupts: most often it waits for a disk or a network file system."""

_AVAILABLE = "MemAvailable:"
_SWITCHES = "voluntary_ctxt_switches:"


class Vitals(NamedTuple):
    """A process at one moment: the kernel's letter for its state, and its resident memory.

    ``waits_since`` tells one uninterruptible wait from the next; None if it is in none.
    """

    state: str
    rss_bytes: int
    waits_since: int | None = None


def cores() -> int:
    """How many cores the machine has."""
    return os.cpu_count() or 1


def machine() -> Machine:
    """What the machine has left now."""
    memory = Path("/proc/meminfo").read_text()
    return Machine(int(_word_after(_AVAILABLE, memory)) * 1024, os.getloadavg()[0] / cores())


def vitals(pid: int) -> Vitals | None:
    """How a process is; None if there is no such process."""
    folder = Path("/proc", str(pid))
    try:
        # Behind the name, which may hold anything, the fields are single words.
        fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
        state, rss_bytes = fields[0], int(fields[21]) * PAGE_BYTES
        if state != WAITING_STATE:
            return Vitals(state, rss_bytes)
        status = (folder / "status").read_text(errors="replace")
    except OSError:
        return None
    return Vitals(state, rss_bytes, int(_word_after(_SWITCHES, status)))


def open_memory(pid: int) -> int:
    """A descriptor to read the memory of a process from again and again, for a quarter of what each opening costs."""
    return os.open(f"/proc/{pid}/statm", os.O_RDONLY | os.O_CLOEXEC)


def rss_bytes(descriptor: int) -> int:
    """The resident memory of the process of ``open_memory``; 0 once it is dead, until it is waited for."""
    return int(os.pread(descriptor, 64, 0).split()[1]) * PAGE_BYTES


def _word_after(label: str, text: str) -> str:
    return text.partition(label)[2].split(maxsplit=1)[0]
