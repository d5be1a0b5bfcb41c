"""The engine's own process: it serves the border, and as warden it is the ancestor of everything that jobs start.

It ends when its server asks for it, and at once when its server is gone, taking every descendant with it. Ctrl-C and
termination signals are its server's business; it ignores them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import traceback
from typing import Any

from mcp_queue_plugin.engine.service import Service
from mcp_queue_plugin.workers import warden


class BorderLogHandler(logging.Handler):
    """Sends the log of the engine's process to its server."""

    def __init__(self, service: Service) -> None:
        """Send through ``service``."""
        super().__init__(logging.INFO)
        self._service = service

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record, its traceback included."""
        self._service.log(record.levelno, record.name, self.format(record))


def main() -> None:
    """Run the process; the one argument is the number of the border's file descriptor."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A handler and not SIG_IGN, which the workers would inherit.
        signal.signal(number, lambda _number, _frame: None)
    warden.become_subreaper()
    sock = socket.socket(fileno=int(sys.argv[1]))
    try:
        asyncio.run(_serve(sock))
    finally:
        warden.kill_descendants_of_self()


async def _serve(sock: socket.socket) -> None:
    service = Service(sock)
    root = logging.getLogger()
    root.addHandler(BorderLogHandler(service))
    root.setLevel(logging.INFO)
    # A programming error ends the process, with its traceback: its server then knows that the engine is lost.
    asyncio.get_running_loop().set_exception_handler(_end_on_error)
    await service.run()


def _end_on_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    sys.stderr.write(f"{context['message']}\n")
    if isinstance(error, BaseException):
        traceback.print_exception(error)
    sys.stderr.flush()
    warden.kill_descendants_of_self()
    os._exit(70)


if __name__ == "__main__":
    main()
