"""Starting a worker's process: a new interpreter in a session of its own, with sockets to talk over."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from io import FileIO
from typing import NamedTuple, cast

from mcp_queue_plugin.errors import WorkerStartFailed
from mcp_queue_plugin.workers.inbox import Inbox

WORKER_COMMAND = (sys.executable, "-m", "mcp_queue_plugin.workers.child")


class Spawned(NamedTuple):
    """A process and our handles on it; the caller closes them and reaps the process."""

    process: subprocess.Popen[bytes]
    pidfd: int
    control: socket.socket
    inbox: Inbox
    stdout: FileIO
    stderr: FileIO


def spawn(command: Sequence[str]) -> Spawned:
    """Start ``command`` with the numbers of its control socket and its inbox as last arguments.

    Its standard input is empty, its other streams are pipes to us, and Ctrl-C does not reach it.

    Raises:
        WorkerStartFailed: the process could not be started; nothing of it is left.

    """
    try:
        return _spawn(command)
    except (OSError, MemoryError) as error:
        raise WorkerStartFailed(f"a worker process could not be started: {error}") from error


def describe_exit(returncode: int) -> str:
    """How a process ended, in words; ``returncode`` is as subprocess gives it."""
    if returncode >= 0:
        return f"exited with code {returncode}"
    try:
        return f"was killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"was killed by signal {-returncode}"


def _spawn(command: Sequence[str]) -> Spawned:
    with ExitStack() as undo:
        ours, theirs = socket.socketpair()
        undo.callback(ours.close)
        with theirs:
            writing, reading = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            inbox = Inbox(writing, reading)
            undo.callback(inbox.close)
            process = subprocess.Popen(
                [*command, str(theirs.fileno()), str(reading.fileno())],
                bufsize=0,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(theirs.fileno(), reading.fileno()),
                start_new_session=True,
            )
        undo.enter_context(process)
        undo.callback(process.kill)
        pidfd = os.pidfd_open(process.pid)
        undo.pop_all()
    return Spawned(process, pidfd, ours, inbox, cast("FileIO", process.stdout), cast("FileIO", process.stderr))
