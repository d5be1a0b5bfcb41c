"""What a code map says of a module."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from commands.code_map import (
    ClassEntry,
    FunctionEntry,
    Module,
    ModuleName,
    Totals,
    map_module,
    module_name,
    root_package,
    totals,
)
from commands.source_tree import Skipped, SkipReason, Source


def mapped(code: str, name: str = "pkg.mod", *, is_package: bool = False) -> Module:
    source = Source(dedent(code), len(code))
    outcome = map_module(ModuleName(name, is_package), "pkg/mod.py", source)
    assert isinstance(outcome, Module)
    return outcome


def refused(text: str) -> Skipped:
    outcome = map_module(ModuleName("mod", is_package=False), "mod.py", Source(text, len(text)))
    assert isinstance(outcome, Skipped)
    return outcome


def function_names(module: Module) -> list[str]:
    return [entry.name for entry in module.functions]


def test_a_module_is_known_by_its_name_its_path_and_its_size() -> None:
    module = map_module(ModuleName("pkg.mod", is_package=False), "pkg/mod.py", Source("x = 1\ny = 2\n", 12))
    assert module == Module("pkg.mod", "pkg/mod.py", bytes=12, lines=2, imports=(), classes=(), functions=())


def test_functions_are_listed_with_the_line_of_their_def_also_decorated_and_async_ones() -> None:
    module = mapped(
        """\
        @first
        @second
        def decorated(): ...

        async def waits(): ...
        """
    )
    assert module.functions == (FunctionEntry("decorated", 3), FunctionEntry("waits", 5))


def test_classes_are_listed_with_their_methods_and_nested_classes_by_their_outer_name() -> None:
    module = mapped(
        """\
        class Outer:
            def method(self): ...
            class Inner:
                async def deep(self): ...
            @property
            def last(self): ...
        """
    )
    assert module.classes == (
        ClassEntry("Outer", 1, (FunctionEntry("method", 2), FunctionEntry("last", 6))),
        ClassEntry("Outer.Inner", 3, (FunctionEntry("deep", 4),)),
    )
    assert module.functions == ()


def test_definitions_under_compound_statements_belong_to_the_map_in_the_order_of_the_source() -> None:
    module = mapped(
        """\
        if a:
            def f1(): ...
        elif b:
            def f2(): ...
        else:
            def f3(): ...
        try:
            def f4(): ...
        except E:
            def f5(): ...
        else:
            def f6(): ...
        finally:
            def f7(): ...
        with c:
            def f8(): ...
        for x in y:
            def f9(): ...
        match z:
            case 1:
                def f10(): ...
        """
    )
    assert function_names(module) == [f"f{number}" for number in range(1, 11)]


def test_what_is_local_to_a_function_does_not_belong_to_the_map() -> None:
    module = mapped(
        """\
        def outer():
            def inner(): ...
            class Local:
                def method(self): ...
        """
    )
    assert function_names(module) == ["outer"]
    assert module.classes == ()


def test_a_long_chain_of_elif_is_no_matter() -> None:
    chain = "if x == 0:\n    pass\n" + "".join(f"elif x == {n}:\n    def f{n}(): ...\n" for n in range(1, 900))
    assert len(mapped(chain).functions) == 899


def test_imports_are_sorted_unique_and_found_anywhere() -> None:
    module = mapped(
        """\
        import sys, os.path
        import sys as system
        from collections.abc import Iterator
        def late():
            import json
        """
    )
    assert module.imports == ("collections.abc", "json", "os.path", "sys")


@pytest.mark.parametrize(
    ("statement", "in_module", "in_package"),
    [
        ("from . import x", "a.b", "a.b.c"),
        ("from .d import x", "a.b.d", "a.b.c.d"),
        ("from .. import x", "a", "a.b"),
        ("from ..d.e import x", "a.d.e", "a.b.d.e"),
        ("from ....d import x", "....d", "....d"),
    ],
)
def test_relative_imports_are_resolved(statement: str, in_module: str, in_package: str) -> None:
    assert mapped(statement, "a.b.c").imports == (in_module,)
    assert mapped(statement, "a.b.c", is_package=True).imports == (in_package,)


def test_a_relative_import_outside_any_package_keeps_its_dots() -> None:
    assert mapped("from . import x", "script").imports == (".",)


@pytest.mark.parametrize(
    ("text", "detail"),
    [("x = 1\ndef broken(:\n", "line 2: "), ("x = '\0'", "null"), ("(" * 300 + ")" * 300, "line 1: too many nested")],
    ids=["syntax", "null byte", "nested parentheses"],
)
def test_source_that_does_not_parse_is_skipped_with_the_reason(text: str, detail: str) -> None:
    skipped = refused(text)
    assert (skipped.path, skipped.reason) == ("mod.py", SkipReason.SYNTAX)
    assert detail in skipped.detail


def test_source_that_nests_deeper_than_the_parser_is_skipped() -> None:
    assert refused("-" * 100_000 + "1").reason is SkipReason.SYNTAX


def test_doubtful_source_is_mapped_without_a_warning() -> None:
    assert mapped("x = '\\d'\n1 is 1\n").lines == 2


@pytest.mark.parametrize(
    ("path", "package", "expected"),
    [
        ("mod.py", "", ModuleName("mod", is_package=False)),
        ("mod.py", "top", ModuleName("top.mod", is_package=False)),
        ("__init__.py", "top", ModuleName("top", is_package=True)),
        ("sub/__init__.py", "top", ModuleName("top.sub", is_package=True)),
        ("sub/deep/mod.py", "", ModuleName("sub.deep.mod", is_package=False)),
    ],
)
def test_a_module_is_named_from_its_outermost_package_on(path: str, package: str, expected: ModuleName) -> None:
    assert module_name(Path("/root") / path, Path("/root"), package) == expected


def test_the_package_that_a_folder_is(tmp_path: Path) -> None:
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    assert root_package(inner) == ""
    (inner / "__init__.py").touch()
    assert root_package(inner) == "inner"
    (tmp_path / "outer" / "__init__.py").touch()
    assert root_package(inner) == "outer.inner"


def test_totals_are_sums() -> None:
    module = mapped("class C:\n    def m(self): ...\n    def n(self): ...\ndef f(): ...\n")
    skipped = Skipped("x.py", SkipReason.SYNTAX, "")
    assert totals([module, module], [skipped]) == Totals(
        modules=2, classes=2, functions=2, methods=4, lines=8, bytes=2 * module.bytes, skipped=1
    )
    assert totals([]) == Totals()
