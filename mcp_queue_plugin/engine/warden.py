"""The warden: a small process between the server and the engine, and the ancestor of everything that jobs start.

Run as ``python -m mcp_queue_plugin.engine.warden FD PID``: the border's file descriptor, which it hands on to the
engine, and the server's process id. Whichever of the three is killed, another one ends what it leaves behind:

- The server: the engine sees it go, ends all below it, and then itself. A frozen one is ended by the warden.
- The engine: its workers die with it, what they have started falls to the warden, and the warden ends it.
- The warden: the engine sees it go, ends all below it, and then itself.

It imports little and does nothing but wait.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from contextlib import suppress

from mcp_queue_plugin.workers import orphans

SERVER_GONE_SECONDS = 1.0
"""How long the engine may take to end after its server."""

ENGINE = "mcp_queue_plugin.engine.host"


def main(border_fd: int, server_pid: int) -> int:
    """Start the engine, outlive it, and end as it has ended."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A handler and not SIG_IGN, which the engine would inherit.
        signal.signal(number, lambda _number, _frame: None)
    orphans.become_subreaper()
    command = [sys.executable, "-m", ENGINE, str(border_fd), str(os.getpid())]
    engine_pid = os.posix_spawn(sys.executable, command, os.environ)
    os.close(border_fd)
    _wait(engine_pid, server_pid)
    _, status = os.waitpid(engine_pid, 0)
    orphans.kill_descendants_of_self()
    return _end_like(os.waitstatus_to_exitcode(status))


def _wait(engine_pid: int, server_pid: int) -> None:
    """Return when the engine has ended, or was killed because its server is gone and it was still there."""
    engine = os.pidfd_open(engine_pid)
    poll = select.poll()
    poll.register(engine, select.POLLIN)
    # A server that is gone already closed the border, of which the engine learns.
    with suppress(ProcessLookupError):
        server = os.pidfd_open(server_pid)
        poll.register(server, select.POLLIN)
        if engine in dict(poll.poll()):
            return
        poll.unregister(server)
        if not poll.poll(SERVER_GONE_SECONDS * 1000):
            orphans.kill_tree(engine_pid)
    poll.poll()


def _end_like(exit_code: int) -> int:
    """The engine's exit code; if a signal has ended it, the same one ends this process."""
    if exit_code < 0:
        number = -exit_code
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    return exit_code


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
