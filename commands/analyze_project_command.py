"""The command ``analyze_project``: a code map of a Python project, made in the background."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from stat import S_ISDIR
from typing import Any

from mcp_proxy_adapter.commands.base import Command
from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import SuccessResult
from mcp_proxy_adapter.core.errors import InvalidParamsError

from commands import analyze_project_schema as schema
from commands import code_map, source_tree
from commands.code_map import Module
from commands.progress import Progress, current_progress
from commands.source_tree import Folder, Skipped


class AnalyzeProjectCommand(Command):
    """Map the modules, classes, functions and imports of the Python project in a folder."""

    name = "analyze_project"
    version = "1.0"
    descr = "Map the modules, classes, functions and imports of the Python project in a folder of the server"
    category = "analysis"
    result_class = SuccessResult
    use_queue = True

    @classmethod
    def get_schema(cls) -> dict[str, Any]:
        """The JSON Schema of the parameters."""
        return schema.PARAMETERS

    @classmethod
    def get_result_schema(cls) -> dict[str, Any]:
        """The JSON Schema of the answer."""
        return schema.RESULT

    async def execute(self, *, context: object = None, **parameters: Any) -> SuccessResult:
        """Map the project; ``parameters`` are those of the schema.

        A stop ends it within one file; the answer then holds what was mapped so far, and ``complete`` is false.

        Raises:
            InvalidParamsError: ``root_dir`` is not a folder that can be read.

        """
        return SuccessResult(data=await _analyze(**parameters))


async def _analyze(
    *,
    root_dir: str,
    max_file_bytes: int = source_tree.DEFAULT_MAX_FILE_BYTES,
    exclude: Sequence[str] = source_tree.DEFAULT_EXCLUDE,
) -> dict[str, Any]:
    root = _existing_folder(root_dir)
    analysis = _Analysis(root, max_file_bytes, current_progress())
    try:
        await analysis.run(exclude)
    except _Stopped:
        return analysis.answer(complete=False)
    return analysis.answer(complete=True)


def _existing_folder(root_dir: str) -> Path:
    try:
        root = Path(root_dir).resolve()
        is_folder = S_ISDIR(root.stat().st_mode)
    # A path with a null byte or half a surrogate pair is a ValueError, a loop of links may be a RuntimeError.
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _refusal(f"root_dir {root_dir!r} cannot be read: {reason}") from error
    if not is_folder:
        raise _refusal(f"root_dir {root_dir!r} is not a folder")
    return root


def _refusal(message: str) -> InvalidParamsError:
    return InvalidParamsError(f"{AnalyzeProjectCommand.name}: {message}", data={"field": "root_dir"})


class _Stopped(Exception):
    """The job was asked to stop."""


class _Analysis:
    """The code map as it grows, and its voice: progress for each file, a line for each package and skipped file."""

    def __init__(self, root: Path, max_file_bytes: int, progress: Progress) -> None:
        self._root = root
        self._package = code_map.root_package(root)
        self._max_file_bytes = max_file_bytes
        self._progress = progress
        self._modules: list[Module] = []
        self._skipped: list[Skipped] = []

    async def run(self, exclude: Sequence[str]) -> None:
        """Map the whole tree.

        Raises:
            _Stopped: a stop was asked for.

        """
        folders = await self._survey(exclude)
        files = sum(len(folder.files) for folder in folders)
        done = 0
        for folder in folders:
            before = len(self._modules)
            for path in folder.files:
                await self._checkpoint()
                self._progress.set_description(f"file {done + 1} of {files}: {self._shown(path)}")
                self._add_file(path)
                done += 1
                self._progress.set_progress(100 * done // files)
            self._tell_of(folder, self._modules[before:])

    def answer(self, *, complete: bool) -> dict[str, Any]:
        """The code map as JSON values."""
        return {
            "root_dir": os.fsencode(self._root).decode("utf-8", "backslashreplace"),
            "complete": complete,
            "totals": asdict(code_map.totals(self._modules, self._skipped)),
            "modules": [asdict(module) for module in self._modules],
            "skipped": [asdict(skipped) for skipped in self._skipped],
        }

    async def _survey(self, exclude: Sequence[str]) -> list[Folder]:
        """The folders of the tree; all are known before the first file is read, so that progress has a measure."""
        self._progress.set_description("looking for Python files")
        folders: list[Folder] = []
        for folder in source_tree.walk(self._root, exclude):
            await self._checkpoint()
            folders.append(folder)
            for skipped in folder.skipped:
                self._skip(skipped)
        return folders

    async def _checkpoint(self) -> None:
        # A stop may arrive over the event loop, which reading and parsing keep from running.
        await asyncio.sleep(0)
        if self._progress.should_stop():
            raise _Stopped

    def _add_file(self, path: Path) -> None:
        source = source_tree.read_source(path, self._root, self._max_file_bytes)
        if isinstance(source, Skipped):
            self._skip(source)
            return
        name = code_map.module_name(path, self._root, self._package)
        module = code_map.map_module(name, self._shown(path), source)
        if isinstance(module, Skipped):
            self._skip(module)
        else:
            self._modules.append(module)

    def _skip(self, skipped: Skipped) -> None:
        self._skipped.append(skipped)
        print(f"skipped {skipped.path}: {skipped.reason} ({skipped.detail})")

    def _tell_of(self, folder: Folder, modules: Sequence[Module]) -> None:
        if modules:
            sums = code_map.totals(modules)
            print(
                f"{self._shown(folder.path)}: {sums.modules} modules, {sums.classes} classes, "
                f"{sums.functions} functions, {sums.methods} methods, {sums.lines} lines"
            )

    def _shown(self, path: Path) -> str:
        return source_tree.display_path(path, self._root)


registry.register(AnalyzeProjectCommand, "custom")
