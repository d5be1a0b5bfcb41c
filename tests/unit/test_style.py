"""What ruff cannot hold: the length of files and functions, and words that do not belong here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
FILE_MAX_LINES = 300
FUNCTION_MAX_LINES = 40

SOURCES = sorted(
    path
    for folder in ("mcp_queue_plugin", "commands", "jobs", "bench", "scripts")
    for path in (REPOSITORY / folder).rglob("*")
    if path.is_file() and not {"__pycache__", ".venv", "results"} & set(path.parts)
)
MODULES = [path for path in SOURCES if path.suffix == ".py"]
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])

UNFINISHED = re.compile(r"TODO|FIXME|XXX")


def name_of(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_there_is_something_to_check() -> None:
    assert len(MODULES) > 50
    assert REPOSITORY / "scripts" / "test" in SOURCES


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= FILE_MAX_LINES


@pytest.mark.parametrize("path", [*SOURCES, *PAGES], ids=name_of)
def test_nothing_is_left_to_do(path: Path) -> None:
    assert UNFINISHED.findall(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_functions_are_short(path: Path) -> None:
    lengths = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in functions(path)}
    assert {name: length for name, length in lengths.items() if length > FUNCTION_MAX_LINES} == {}
