"""A tree of Python source files: which files it holds and what they say. Nothing in it can make the walk fail."""

from __future__ import annotations

import io
import os
import stat
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path

DEFAULT_EXCLUDE = (".*", "__pycache__", "node_modules", "venv")
DEFAULT_MAX_FILE_BYTES = 1024 * 1024


class SkipReason(StrEnum):
    """Why a file or a folder is not part of the analysis."""

    UNREADABLE = "unreadable"
    NOT_A_FILE = "not_a_file"
    SYMLINKED_FOLDER = "symlinked_folder"
    TOO_LARGE = "too_large"
    ENCODING = "encoding"
    SYNTAX = "syntax_error"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or folder that was left out; ``path`` is relative to the root, ``detail`` says more for people."""

    path: str
    reason: SkipReason
    detail: str


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder of the tree: the Python files in it, by name, and what in it was skipped."""

    path: Path
    files: tuple[Path, ...]
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """The decoded text of a file, every line end a newline, and the file's size."""

    text: str
    size_bytes: int

    @property
    def lines(self) -> int:
        """How many lines the text has; a last line without a line end counts."""
        return self.text.count("\n") + (not self.text.endswith("\n") and self.text != "")


def walk(root: Path, exclude: Sequence[str] = DEFAULT_EXCLUDE) -> Iterator[Folder]:
    """Every folder below ``root``, itself first, in the order of their names.

    Symlinked folders are reported and not entered, so that no loop is endless and no file is counted twice. A file or
    folder whose name or relative path matches a glob pattern of ``exclude`` is passed over in silence.
    """
    waiting = [root]
    while waiting:
        folder, inner = _read_folder(waiting.pop(), root, exclude)
        yield folder
        waiting.extend(reversed(inner))


def read_source(path: Path, root: Path, max_file_bytes: int = DEFAULT_MAX_FILE_BYTES) -> Source | Skipped:
    """The text of one file, decoded as Python would: a byte order mark and a PEP 263 cookie are honoured."""
    shown = display_path(path, root)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return Skipped(shown, SkipReason.NOT_A_FILE, stat.filemode(status.st_mode))
        if status.st_size > max_file_bytes:
            return Skipped(shown, SkipReason.TOO_LARGE, f"{status.st_size} bytes, {max_file_bytes} allowed")
        content = path.read_bytes()
    except OSError as error:
        return Skipped(shown, SkipReason.UNREADABLE, error.strerror or type(error).__name__)
    try:
        return Source(_decode(content), len(content))
    except (LookupError, SyntaxError, UnicodeError) as error:
        return Skipped(shown, SkipReason.ENCODING, str(error))


def display_path(path: Path, root: Path) -> str:
    """``path`` relative to ``root`` as text that can always be printed and sent, whatever bytes its name holds."""
    return os.fsencode(path.relative_to(root)).decode("utf-8", "backslashreplace")


def _read_folder(path: Path, root: Path, exclude: Sequence[str]) -> tuple[Folder, list[Path]]:
    files: list[Path] = []
    inner: list[Path] = []
    skipped: list[Skipped] = []
    try:
        with os.scandir(path) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return Folder(path, (), (Skipped(display_path(path, root), SkipReason.UNREADABLE, reason),)), []
    for entry in entries:
        child = path / entry.name
        if _is_excluded(child, root, exclude):
            continue
        if entry.is_dir(follow_symlinks=False):
            inner.append(child)
        elif entry.is_symlink() and child.is_dir():
            skipped.append(Skipped(display_path(child, root), SkipReason.SYMLINKED_FOLDER, "not followed"))
        elif child.suffix == ".py":
            files.append(child)
    return Folder(path, tuple(files), tuple(skipped)), inner


def _is_excluded(path: Path, root: Path, exclude: Sequence[str]) -> bool:
    relative = path.relative_to(root).as_posix()
    return any(fnmatchcase(path.name, pattern) or fnmatchcase(relative, pattern) for pattern in exclude)


def _decode(content: bytes) -> str:
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    with io.TextIOWrapper(io.BytesIO(content), encoding) as text:
        return text.read()
