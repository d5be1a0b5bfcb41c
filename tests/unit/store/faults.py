"""A disk that fails, or hangs, on demand."""

from __future__ import annotations

import threading
from typing import Any

import apsw

_BASE = "unix"
"""The VFS that does the work."""


class FaultyVfs(apsw.VFS):
    """SQLite's own file access, but for the calls that are told to fail."""

    def __init__(self, name: str, *, make_default: bool = False) -> None:
        super().__init__(name, _BASE, make_default)
        self.name = name
        self.faults: dict[str, Exception | threading.Event] = {}
        """What to raise or to wait for, by the call (``write``, ``sync``, ``read``) and the end of the file's name."""
        self.hangs = threading.Event()
        """Set once a call waits."""

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 (SQLite's)
        return _FaultyFile(self, name, flags)

    def check(self, call: str, file_name: str) -> None:
        for described, fault in self.faults.items():
            failing_call, _, ending = described.partition(" ")
            if call == failing_call and file_name.endswith(ending):
                if isinstance(fault, Exception):
                    raise fault
                self.hangs.set()
                assert fault.wait(timeout=10)


class _FaultyFile(apsw.VFSFile):
    def __init__(self, vfs: FaultyVfs, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._vfs = vfs
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        super().__init__(_BASE, name, flags)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 (SQLite's)
        self._vfs.check("write", self._name)
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 (SQLite's)
        self._vfs.check("sync", self._name)
        super().xSync(flags)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 (SQLite's)
        self._vfs.check("read", self._name)
        return super().xRead(amount, offset)
