"""The map of Python code: what each module defines and imports. Functions of values; nothing is imported or run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from commands.source_tree import Skipped, SkipReason, Source, display_path

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class FunctionEntry:
    """A function or method and the line of its ``def``."""

    name: str
    line: int


@dataclass(frozen=True, slots=True)
class ClassEntry:
    """A class, the line of its ``class`` and its methods. A nested class is named ``Outer.Inner``."""

    name: str
    line: int
    methods: tuple[FunctionEntry, ...]


@dataclass(frozen=True, slots=True)
class Module:
    """One module. ``imports`` are the modules that its import statements name, anywhere in it.

    Definitions under ``if``, ``try`` and the like belong to the map; those local to a function do not.
    """

    name: str
    path: str
    bytes: int
    lines: int
    imports: tuple[str, ...]
    classes: tuple[ClassEntry, ...]
    functions: tuple[FunctionEntry, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums over a tree."""

    modules: int = 0
    classes: int = 0
    functions: int = 0
    methods: int = 0
    lines: int = 0
    bytes: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class ModuleName:
    """A module's dotted name, and whether it is a package (an ``__init__.py``)."""

    dotted: str
    is_package: bool

    @property
    def package(self) -> str:
        """The package that relative imports start from; empty for a module outside any package."""
        return self.dotted if self.is_package else self.dotted.rpartition(".")[0]


def root_package(root: Path) -> str:
    """The dotted name of the package that the folder ``root`` is, judged by ``__init__.py`` files; or empty."""
    packages = takewhile(lambda folder: (folder / "__init__.py").is_file(), (root, *root.parents))
    return ".".join(reversed([folder.name for folder in packages]))


def module_name(path: Path, root: Path, package: str) -> ModuleName:
    """The name of the module in the file ``path`` below ``root``, which is the package ``package``."""
    parts = display_path(path.with_suffix(""), root).split("/")
    is_package = parts[-1] == "__init__"
    if is_package:
        parts.pop()
    return ModuleName(".".join([package, *parts] if package else parts), is_package)


def map_module(name: ModuleName, path: str, source: Source) -> Module | Skipped:
    """The map of one module, or why its source cannot be parsed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source.text)
    except SyntaxError as error:
        return Skipped(path, SkipReason.SYNTAX, f"line {error.lineno}: {error.msg}")
    # CPython answers source that nests too deep, or that holds a null byte, with one of these.
    except (MemoryError, RecursionError, ValueError) as error:
        return Skipped(path, SkipReason.SYNTAX, str(error) or "nested too deep")
    definitions = list(_definitions(tree.body))
    return Module(
        name=name.dotted,
        path=path,
        bytes=source.size_bytes,
        lines=source.lines,
        imports=tuple(sorted(set(_imports(tree, name.package)))),
        classes=tuple(_classes(definitions)),
        functions=_functions(definitions),
    )


def totals(modules: Sequence[Module], skipped: Sequence[Skipped] = ()) -> Totals:
    """The sums over ``modules``."""
    return Totals(
        modules=len(modules),
        classes=sum(len(module.classes) for module in modules),
        functions=sum(len(module.functions) for module in modules),
        methods=sum(len(entry.methods) for module in modules for entry in module.classes),
        lines=sum(module.lines for module in modules),
        bytes=sum(module.bytes for module in modules),
        skipped=len(skipped),
    )


def _definitions(statements: Sequence[ast.stmt]) -> Iterator[Definition]:
    """The classes and functions of one scope; compound statements do not open a new one."""
    # Not recursive: each elif of a chain nests one level deeper.
    waiting = list(reversed(statements))
    while waiting:
        statement = waiting.pop()
        if isinstance(statement, Definition):
            yield statement
        else:
            waiting.extend(reversed(list(_inner_statements(statement))))


def _inner_statements(statement: ast.stmt) -> Iterator[ast.stmt]:
    """The statements in the blocks of a compound statement, in the order of the source."""
    yield from getattr(statement, "body", ())
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield from part.body
    yield from getattr(statement, "orelse", ())
    yield from getattr(statement, "finalbody", ())


def _classes(definitions: Sequence[Definition], outer: str = "") -> Iterator[ClassEntry]:
    for definition in definitions:
        if isinstance(definition, ast.ClassDef):
            name = f"{outer}{definition.name}"
            members = list(_definitions(definition.body))
            yield ClassEntry(name, definition.lineno, _functions(members))
            yield from _classes(members, f"{name}.")


def _functions(definitions: Sequence[Definition]) -> tuple[FunctionEntry, ...]:
    return tuple(FunctionEntry(item.name, item.lineno) for item in definitions if not isinstance(item, ast.ClassDef))


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield _absolute(node, package)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The absolute name of what ``from ... import`` names; one that leaves the known packages keeps its dots."""
    module = node.module or ""
    if not node.level:
        return module
    parents = package.split(".") if package else []
    if node.level > len(parents):
        return "." * node.level + module
    base = parents[: len(parents) - node.level + 1]
    return ".".join([*base, module] if module else base)
