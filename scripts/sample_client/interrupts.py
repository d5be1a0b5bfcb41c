"""Signals that ask this program to end, as an exception that runs every clean-up on its way."""

from __future__ import annotations

import signal
from types import FrameType


class Interrupted(BaseException):
    """A signal asked the program to end. Like KeyboardInterrupt it is no error, so nothing catches it by chance."""

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number
        super().__init__(signal.Signals(number).name)


def raise_on_signals() -> None:
    """Let Ctrl-C, SIGTERM and, except under nohup, a closed terminal raise ``Interrupted``."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _raise)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _raise)


def _raise(number: int, frame: FrameType | None) -> None:
    raise Interrupted(number)
