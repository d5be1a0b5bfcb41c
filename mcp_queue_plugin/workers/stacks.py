"""Where a job hung: a worker that is ended by SIGTERM writes the stacks of its threads to its standard error first.

It is done in C, so that it works also while Python code waits for a call that does not return.
"""

from __future__ import annotations

import faulthandler
import os
import signal

STDERR = 2


def show_on_sigterm() -> None:
    """Write the stacks at SIGTERM, before it ends this process; again, should a job have set a handler of its own."""
    faulthandler.unregister(signal.SIGTERM)
    faulthandler.register(signal.SIGTERM, file=STDERR, chain=True)


def never_in_forks() -> None:
    """Leave the processes that jobs fork off out of it: ``multiprocessing`` ends its own with SIGTERM."""
    os.register_at_fork(after_in_child=_leave_out)


def _leave_out() -> None:
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        faulthandler.unregister(signal.SIGTERM)
