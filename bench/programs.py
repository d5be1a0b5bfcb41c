"""Programs that a measurement starts, and ends with everything they have started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
END_SECONDS = 3.0
"""How long a program may take to end by itself; all it had to do has been measured then."""


@contextmanager
def program(
    arguments: Sequence[str], folder: Path, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``python ARGUMENTS`` with its output in ``folder/output.txt``.

    Raises:
        RuntimeError: it ended by itself.
    """
    with (folder / "output.txt").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process
        if process.poll() is not None:
            raise RuntimeError(f"{' '.join(arguments)} has ended:\n{output_tail(folder)}")
    finally:
        _end(process)


@contextmanager
def programs(arguments: Sequence[str], folder: Path, number: int) -> Iterator[None]:
    """Run so many of the same."""
    with ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(program(arguments, folder))
        yield


def output_tail(folder: Path) -> str:
    """The last that the programs in ``folder`` said."""
    return (folder / "output.txt").read_text(errors="replace")[-3000:]


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(END_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
