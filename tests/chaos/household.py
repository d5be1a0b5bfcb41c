"""Which processes belong to a server for good, and which are left over."""

from __future__ import annotations

import psutil

from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import until


class Household:
    """The server and what it needs to serve; workers come and go."""

    def __init__(self, server: Server, *, workers: int) -> None:
        """See who is there once all ``workers`` are."""
        self._server = server
        until(lambda: server.health()["workers"]["idle"] == workers, "all workers are ready")
        self._members = self._living() - set(server.worker_pids())

    def strangers(self) -> dict[int, str]:
        """All that jobs have left behind, with their names."""
        found = self._living() - self._members - set(self._server.worker_pids())
        return {pid: _name(pid) for pid in found}

    def _living(self) -> set[int]:
        """Whoever carries the server's mark or stands below it, wherever it has moved to."""
        below = psutil.Process(self._server.pid).children(recursive=True)
        living = {process.pid for process in below if _status(process) != psutil.STATUS_ZOMBIE}
        return living | self._server.processes().keys()


def _status(process: psutil.Process) -> str:
    try:
        return str(process.status())
    except psutil.NoSuchProcess:
        return psutil.STATUS_ZOMBIE


def _name(pid: int) -> str:
    try:
        return psutil.Process(pid).name()
    except psutil.NoSuchProcess:
        return "gone"
