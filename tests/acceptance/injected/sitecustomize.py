"""Faults of the host in the processes of a server under test.

Python imports a module of this name when it starts, where its folder is on the path. Which fault there is now, the test
says by files in the folder that the variable ``FAULTS`` names; see ``tests.acceptance.harness.faults``.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ["FAULTS"])

_real_time = time.time
_real_fork = subprocess._fork_exec  # type: ignore[attr-defined]


def shifted_time() -> float:
    """The system's clock, as far off as the file says."""
    shift = FOLDER / "clock_shift_seconds"
    # Looked for first: that takes no descriptor.
    return _real_time() + (float(shift.read_text()) if shift.exists() else 0.0)


def fork_without_memory(*arguments: Any) -> int:
    if (FOLDER / "no_memory_to_fork").exists():
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
    pid: int = _real_fork(*arguments)
    return pid


def use_failing_disk() -> None:
    """Let SQLite write through a VFS that fails while there is a file for it."""
    import apsw

    from tests.unit.store.faults import FaultyVfs

    class HostVfs(FaultyVfs):
        def check(self, call: str, file_name: str) -> None:
            if call == "write" and (FOLDER / "disk_full").exists():
                raise apsw.FullError("database or disk is full")
            if call in ("write", "sync") and (FOLDER / "disk_read_only").exists():
                # What SQLite makes of EROFS and EIO.
                raise apsw.IOError("disk I/O error")
            if call == "read" and (FOLDER / "disk_unreadable").exists():
                raise apsw.IOError("disk I/O error")

    use_failing_disk.vfs = HostVfs("host", make_default=True)  # type: ignore[attr-defined]


time.time = shifted_time
if any("mcp_queue_plugin.engine" in argument for argument in sys.orig_argv):
    subprocess._fork_exec = fork_without_memory  # type: ignore[attr-defined]
    use_failing_disk()
