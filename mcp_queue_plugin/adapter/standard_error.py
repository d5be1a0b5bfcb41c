"""The end of a job's log that no job can close: log records and tracebacks go there."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


class StandardError:
    """File descriptor 2 itself, whatever a job has made of ``sys.stderr``.

    Nothing is kept in a buffer, where the next job could inherit it. While the descriptor is closed, writing does
    nothing.
    """

    def write(self, text: str) -> None:
        """Write ``text`` behind what was printed before; lone surrogates are written as escapes."""
        with suppress(Exception):
            # It may be of the job's making: what comes out of it then does not concern us.
            sys.stderr.flush()
        data = memoryview(text.encode("utf-8", "backslashreplace"))
        with suppress(OSError):
            while data:
                data = data[os.write(2, data) :]
