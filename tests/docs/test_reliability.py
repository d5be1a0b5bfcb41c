"""Every promise stands beside a test that is there."""

from __future__ import annotations

import ast
import re

import pytest

from tests.docs.pages import REPOSITORY

PAGES = {name: (REPOSITORY / "docs" / name).read_text(encoding="utf-8") for name in ("reliability.md", "security.md")}
NAMED = sorted({named for text in PAGES.values() for named in re.findall(r"`(tests/[^`]+)`", text)})


@pytest.mark.parametrize("named", NAMED)
def test_a_test_that_is_named_exists(named: str) -> None:
    path, _, name = named.partition("::")
    tree = ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))
    tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in tests if name else any(test.startswith("test_") for test in tests)


@pytest.mark.parametrize("page", PAGES)
def test_every_promise_names_what_holds_it(page: str) -> None:
    rows = [line for line in PAGES[page].splitlines() if line.startswith("| ")]
    promises = [row for row in rows if not row.startswith(("| Promise", "| Defence", "| ---"))]
    assert len(promises) > 20
    assert all("`tests/" in row for row in promises)
