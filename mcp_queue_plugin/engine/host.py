"""The engine's own process: it serves the border, and owns the store and the workers.

Run as ``python -m mcp_queue_plugin.engine.host FD PID``: the border's file descriptor, and the warden's process id. It
ends when its server asks for it, and at once when its server or its warden is gone, taking every descendant with it.
Ctrl-C and termination signals are its server's business; it ignores them.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import traceback
from typing import Any

import uvloop

from mcp_queue_plugin.engine.service import Service
from mcp_queue_plugin.workers import orphans

ERROR_EXIT_CODE = 70
WARDEN_GONE_EXIT_CODE = 71

GARBAGE_OBJECTS = 20_000
"""So many new objects make the collector look for cycles among them. Few here are in one, and to look as often as it
does by itself takes a tenth of the time of a quick job."""


class BorderLogHandler(logging.Handler):
    """Sends the log of the engine's process to its server."""

    def __init__(self, service: Service) -> None:
        """Send through ``service``."""
        super().__init__(logging.INFO)
        self._service = service

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record, its traceback included."""
        self._service.log(record.levelno, record.name, self.format(record))


def main(border_fd: int, warden_pid: int) -> None:
    """Run the process to its end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A handler and not SIG_IGN, which the workers would inherit.
        signal.signal(number, lambda _number, _frame: None)
    orphans.become_subreaper()
    # What is imported by now stays: no collection needs to pass through it.
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS)
    sock = socket.socket(fileno=border_fd)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(sock, warden_pid))
    finally:
        orphans.kill_descendants_of_self()


async def _serve(sock: socket.socket, warden_pid: int) -> None:
    _watch_warden(warden_pid)
    service = Service(sock)
    root = logging.getLogger()
    root.addHandler(BorderLogHandler(service))
    root.setLevel(logging.INFO)
    # A programming error ends the process, with its traceback: its server then knows that the engine is lost.
    asyncio.get_running_loop().set_exception_handler(_end_on_error)
    await service.run()


def _watch_warden(pid: int) -> None:
    # The descriptor stays open as long as the process: the loop watches it.
    warden = os.pidfd_open(pid)
    asyncio.get_running_loop().add_reader(warden, _end_at_once, WARDEN_GONE_EXIT_CODE)


def _end_on_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    sys.stderr.write(f"{context['message']}\n")
    if isinstance(error, BaseException):
        traceback.print_exception(error)
    sys.stderr.flush()
    _end_at_once(ERROR_EXIT_CODE)


def _end_at_once(exit_code: int) -> None:
    """Leave with all below this process, as if killed: whoever opens the store next recovers it."""
    orphans.kill_descendants_of_self()
    os._exit(exit_code)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
