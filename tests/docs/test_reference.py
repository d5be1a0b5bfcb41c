"""The reference says what the code says: commands, keys, errors, functions, options and dependencies."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Callable, Iterator
from typing import Any

import click
import pytest

import mcp_queue_plugin
from mcp_queue_plugin import QueueManagerIntegration, QueueOptions, Task, errors
from mcp_queue_plugin.adapter.health import health_report
from mcp_queue_plugin.cli.main import main as mcp_queue
from mcp_queue_plugin.commands.catalog import QUEUE_COMMANDS
from mcp_queue_plugin.commands.record import record
from mcp_queue_plugin.context import JobContext
from mcp_queue_plugin.engine.values import Answer, EngineHealth, QueueReport
from mcp_queue_plugin.model import decide
from mcp_queue_plugin.model.job import Submission
from mcp_queue_plugin.model.operations import Add
from mcp_queue_plugin.model.queries import Counts
from mcp_queue_plugin.settings import Settings
from mcp_queue_plugin.store.protocol import Capabilities
from mcp_queue_plugin.workers.statistics import WorkerFacts, WorkerStatistics
from tests.docs.pages import REPOSITORY, Page, table, tables

COMMANDS = Page(REPOSITORY / "docs/reference/commands.md")
COMMAND_LINE = Page(REPOSITORY / "docs/reference/command-line.md")
PYTHON_API = Page(REPOSITORY / "docs/reference/python-api.md")
DEPENDENCIES = Page(REPOSITORY / "docs/dependencies.md")


def code_words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def documented_keys(page: Page, heading: str, which: int = -1) -> set[str]:
    rows = tables(page.section(heading))[which]
    return {word for row in rows for word in code_words(row[0])}


def signature(function: Callable[..., Any]) -> str:
    """``(a, b=1)``, without types and without self."""
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name not in ("self", "cls")
    ]
    return str(inspect.Signature(parameters))


@pytest.mark.parametrize("name", QUEUE_COMMANDS)
def test_a_commands_parameters_are_those_of_its_schema(name: str) -> None:
    schema = QUEUE_COMMANDS[name].get_schema()
    section = COMMANDS.section(f"## {name}")
    documented = {
        row[0].strip("`"): (row[1], row[2]) for row in table(section) if "| Parameter |" in section and len(row) == 4
    }
    assert documented == {
        parameter: (node.get("type", "any"), "yes" if parameter in schema["required"] else "no")
        for parameter, node in schema["properties"].items()
    }


def test_every_key_of_a_record_is_documented() -> None:
    add = Add(submission=Submission(job_id="1", job_type="t", target="m:C"), params=b"{}", start=True)
    answered = record(Answer(decide.add(add, uid=1, at=decide.Moment(0.0, 0.0, 1))))
    assert documented_keys(COMMANDS, "## The record") == set(answered)


def test_every_key_of_the_health_report_is_documented() -> None:
    worker = WorkerFacts(
        pid=1, state="idle", job_id=None, jobs_done=0, rss_bytes=None, uptime_seconds=0.0, frozen=False
    )
    workers = WorkerStatistics(
        started=1,
        idle=1,
        busy=0,
        starting=0,
        crashed_total=0,
        recycled_total=0,
        idle_ended_total=0,
        held_back_by=None,
        pids=(1,),
        last_error=None,
        processes=(worker,),
    )
    health = EngineHealth(
        capabilities=Capabilities(backend="sqlite", durable=True),
        counts=Counts(by_state={}),
        workers=workers,
        max_concurrent_jobs=1,
        queues=(),
        jobs_ready=False,
        now=0.0,
        waiting_calls=0,
        oldest_queued_at=None,
        issues=(),
    )
    report = health_report(health, Settings())
    assert documented_keys(COMMANDS, "### Each queue") == set(QueueReport.__struct_fields__)
    assert documented_keys(COMMANDS, "## queue_health", which=0) == set(report)
    assert documented_keys(COMMANDS, "### The workers") == set(report["workers"])
    assert documented_keys(COMMANDS, "### Each worker") == set(report["workers"]["processes"][0])


def test_the_errors_that_reach_a_client_are_documented() -> None:
    # Those of the other classes are told at start, or in the record of a job.
    reaching: set[type[errors.QueueError]] = {
        errors.InvalidParameters,
        errors.JobNotFound,
        errors.JobAlreadyExists,
        errors.JobStateInvalid,
        errors.QuestionNotFound,
        errors.InvalidRequest,
        errors.NotStrictJson,
        errors.TooManyWaits,
        errors.CommandForbidden,
        errors.AdminsOnly,
        errors.QueueFull,
        errors.IdempotencyConflict,
        errors.QueueDisabled,
        errors.StoreUnavailable,
        errors.EngineNotRunning,
    }
    documented = {(int(code), domain.strip("`") or None) for code, domain, _ in table(COMMANDS.section("## Errors"))}
    assert documented == {(error.code, error.domain_code) for error in reaching}


def test_every_public_name_is_documented() -> None:
    headings = re.findall(r"^### `([\w.]+)", PYTHON_API.text, re.MULTILINE)
    documented = {heading.split(".")[0] for heading in headings}
    assert documented == set(mcp_queue_plugin.__all__) - {"__version__"}


def test_public_names_are_sorted_and_exist() -> None:
    assert mcp_queue_plugin.__all__ == sorted(mcp_queue_plugin.__all__)
    assert dir(mcp_queue_plugin) == mcp_queue_plugin.__all__
    assert all(hasattr(mcp_queue_plugin, name) for name in mcp_queue_plugin.__all__)
    assert not hasattr(mcp_queue_plugin, "nothing")


@pytest.mark.parametrize(
    "name",
    [
        "init_global_queue_manager",
        "get_global_queue_manager",
        "shutdown_global_queue_manager",
        "register_job_type",
        "task",
        "current_job",
    ],
)
def test_functions_are_documented_with_their_parameters(name: str) -> None:
    assert f"### `{name}{signature(getattr(mcp_queue_plugin, name))}`" in PYTHON_API.text


def test_install_is_documented_with_its_parameters() -> None:
    install = signature(mcp_queue_plugin.QueuePlugin.install)
    assert f"### `QueuePlugin.install{install}`" in PYTHON_API.text


def test_every_option_of_a_job_is_documented() -> None:
    rows = table(PYTHON_API.section("### `QueueOptions`"))
    assert [row[0].strip("`") for row in rows] == list(mcp_queue_plugin.QueueOptions.__struct_fields__)


def methods(documented_class: type) -> Iterator[str]:
    for owner in documented_class.__mro__:
        for name, member in vars(owner).items():
            if inspect.isfunction(member) and not name.startswith("_"):
                yield f"{name}{signature(member)}"


def test_the_methods_in_a_job_are_documented() -> None:
    rows = table(PYTHON_API.section("### `current_job()`"))
    assert [row[0].strip("`") for row in rows] == list(methods(JobContext))


def test_the_methods_of_a_task_are_documented() -> None:
    rows = table(PYTHON_API.section("### `Task`"))
    assert [row[0].strip("`").replace("QueueOptions()", repr(QueueOptions())) for row in rows] == list(methods(Task))


def test_the_managers_methods_are_documented() -> None:
    rows = table(PYTHON_API.section("### `QueueManagerIntegration`"))
    documented = {row[0].strip("`") for row in rows}
    internal = {
        "open()",
        "warm_up()",
        "health()",
        "check_document(document, field)",
        "notify_terminal(job_id)",
        "submission(job_class, job_id, params, options=None)",
    }
    assert documented == {
        method for method in methods(QueueManagerIntegration) if "_detached_" not in method and method not in internal
    }


def subcommands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from subcommands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


@pytest.mark.parametrize(("name", "command"), list(subcommands(mcp_queue, "mcp-queue")))
def test_the_options_of_a_subcommand_are_documented(name: str, command: click.Command) -> None:
    rows = table(COMMAND_LINE.section(f"## {name}"))
    assert [row[0].strip("`") for row in rows] == [parameter.opts[0] for parameter in command.params]


def test_no_subcommand_is_documented_that_is_not_there() -> None:
    headings = re.findall(r"^## (.*)$", COMMAND_LINE.text, re.MULTILINE)
    assert sorted(headings) == sorted(name for name, _ in subcommands(mcp_queue, "mcp-queue"))


def test_every_dependency_is_justified() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    for heading, requirements in (
        ("## At run time", project["dependencies"]),
        ("## For the tests", project["optional-dependencies"]["test"]),
    ):
        names = [re.split(r"[<>=]", requirement)[0] for requirement in requirements]
        assert [row[0].strip("`") for row in table(DEPENDENCIES.section(heading))] == names
