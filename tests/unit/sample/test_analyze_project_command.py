"""The command ``analyze_project``, called directly and inside a job."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.core.errors import InvalidParamsError, ValidationError

from commands.analyze_project_command import AnalyzeProjectCommand
from mcp_queue_plugin.context import JobContext, enter_job
from mcp_queue_plugin.model.course import Course
from mcp_queue_plugin.model.job import Question
from mcp_queue_plugin.model.operations import Changes
from mcp_queue_plugin.model.questions import GivenAnswer


class Witness:
    """The worker's side of a job: keeps the reports and asks for a stop after ``stop_after`` of them."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.changes: list[Changes] = []
        self._stop_after = stop_after

    def report(self, changes: Changes) -> None:
        self.changes.append(changes)

    def follow(self, course: Course) -> None:
        raise NotImplementedError

    def stop_requested(self) -> bool:
        return self._stop_after is not None and len(self.changes) >= self._stop_after

    def ask(self, question: Question) -> GivenAnswer:
        raise NotImplementedError

    async def ask_async(self, question: Question) -> GivenAnswer:
        raise NotImplementedError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    (root / "stock").mkdir(parents=True)
    (root / "__init__.py").write_text("from . import cart\n")
    (root / "cart.py").write_text("class Cart:\n    def add(self): ...\n\ndef total(): ...\n")
    (root / "broken.py").write_text("def (\n")
    (root / "stock" / "__init__.py").write_text("")
    (root / "stock" / "shelf.py").write_text("from ..cart import Cart\n")
    (root / "stock" / "again").symlink_to(root, target_is_directory=True)
    return root


@pytest.fixture
def leave_job() -> Iterator[None]:
    yield
    enter_job(None)


async def analyze(root: Path, **parameters: Any) -> dict[str, Any]:
    command = AnalyzeProjectCommand()
    result = await command.execute(**command.validate_params({"root_dir": str(root), **parameters}), context={})
    answer: dict[str, Any] = json.loads(json.dumps(result.to_dict()))
    assert answer["success"] is True
    data: dict[str, Any] = answer["data"]
    return data


async def test_a_direct_call_answers_the_code_map(project: Path) -> None:
    data = await analyze(project)
    assert data["root_dir"] == str(project)
    assert data["complete"] is True
    assert [module["name"] for module in data["modules"]] == ["shop", "shop.cart", "shop.stock", "shop.stock.shelf"]
    assert data["modules"][1] == {
        "name": "shop.cart",
        "path": "cart.py",
        "bytes": 53,
        "lines": 4,
        "imports": [],
        "classes": [{"name": "Cart", "line": 1, "methods": [{"name": "add", "line": 2}]}],
        "functions": [{"name": "total", "line": 4}],
    }
    assert data["modules"][3]["imports"] == ["shop.cart"]
    size = sum((project / module["path"]).stat().st_size for module in data["modules"])
    assert data["totals"] == {
        "modules": 4,
        "classes": 1,
        "functions": 1,
        "methods": 1,
        "lines": 6,
        "bytes": size,
        "skipped": 2,
    }


async def test_what_was_skipped_is_in_the_answer_and_in_the_log(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = await analyze(project)
    assert [(entry["path"], entry["reason"]) for entry in data["skipped"]] == [
        ("stock/again", "symlinked_folder"),
        ("broken.py", "syntax_error"),
    ]
    assert capsys.readouterr().out.splitlines() == [
        "skipped stock/again: symlinked_folder (not followed)",
        "skipped broken.py: syntax_error (line 1: invalid syntax)",
        ".: 2 modules, 1 classes, 1 functions, 1 methods, 5 lines",
        "stock: 2 modules, 0 classes, 0 functions, 0 methods, 1 lines",
    ]


async def test_a_file_that_cannot_be_read_is_skipped(project: Path) -> None:
    data = await analyze(project, max_file_bytes=30, exclude=["stock"])
    assert [(entry["path"], entry["reason"]) for entry in data["skipped"]] == [
        ("broken.py", "syntax_error"),
        ("cart.py", "too_large"),
    ]


async def test_a_folder_without_python_is_an_empty_map(tmp_path: Path) -> None:
    data = await analyze(tmp_path)
    assert data["complete"] is True
    assert data["modules"] == []


@pytest.mark.usefixtures("leave_job")
async def test_inside_a_job_every_file_is_reported(project: Path) -> None:
    witness = Witness()
    enter_job(JobContext("job", 1, witness))
    await analyze(project)
    assert [change.description for change in witness.changes if change.description] == [
        "looking for Python files",
        "file 1 of 5: __init__.py",
        "file 2 of 5: broken.py",
        "file 3 of 5: cart.py",
        "file 4 of 5: stock/__init__.py",
        "file 5 of 5: stock/shelf.py",
    ]
    assert [change.progress for change in witness.changes if change.progress is not None] == [20, 40, 60, 80, 100]


@pytest.mark.usefixtures("leave_job")
@pytest.mark.parametrize(("stop_after", "modules"), [(1, 0), (3, 1)], ids=["while it looks", "after one file"])
async def test_a_stop_ends_it_with_what_was_mapped_so_far(project: Path, stop_after: int, modules: int) -> None:
    enter_job(JobContext("job", 1, Witness(stop_after)))
    data = await analyze(project)
    assert data["complete"] is False
    assert data["totals"]["modules"] == modules


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nowhere", "No such file"),
        ("file.txt", "is not a folder"),
        ("a\0b", "null byte"),
        ("loop", "ymlink|ymbolic link"),
    ],
)
async def test_what_is_no_folder_is_refused_as_an_invalid_parameter(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "file.txt").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(InvalidParamsError, match=reason) as refusal:
        await AnalyzeProjectCommand().execute(root_dir=f"{tmp_path}/{name}")
    assert refusal.value.code == -32602
    assert refusal.value.data == {"field": "root_dir"}


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"root_dir": ""},
        {"root_dir": 1},
        {"root_dir": ".", "max_file_bytes": 0},
        {"root_dir": ".", "exclude": "x"},
        {"root_dir": ".", "surprise": 1},
    ],
)
def test_the_schema_refuses_wrong_parameters(parameters: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AnalyzeProjectCommand().validate_params(parameters)


def test_importing_the_module_registers_the_command_as_a_background_job() -> None:
    assert registry.get_command("analyze_project") is AnalyzeProjectCommand
    assert AnalyzeProjectCommand.get_schema()["x-use-queue"] is True
    data_schema = AnalyzeProjectCommand.get_result_schema()["properties"]["data"]
    assert data_schema["required"] == ["root_dir", "complete", "totals", "modules", "skipped"]
