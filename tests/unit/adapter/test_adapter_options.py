"""The attribute ``queue_options`` of commands, job classes and tasks."""

from __future__ import annotations

from typing import Any

import pytest
from mcp_proxy_adapter.commands.command_registry import registry

from mcp_queue_plugin import CommandExecutionJob, QueueOptions
from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.adapter.job_types import new_job_id
from mcp_queue_plugin.adapter.options import declared_options
from mcp_queue_plugin.errors import InvalidParameters
from tests.unit.adapter.sample_commands import EchoCommand
from tests.unit.adapter.sample_jobs import AdapterJob, HookedJob
from tests.unit.adapter.sample_tasks import greet

PATIENT, URGENT = QueueOptions(priority=-1, max_retries=3), QueueOptions(priority=5)


class PatientJob(AdapterJob):
    queue_options = PATIENT


class HeirJob(PatientJob):
    """Declares nothing itself."""


class PatientCommandJob(CommandExecutionJob):
    queue_options = PATIENT


class UrgentCommand(EchoCommand):
    """A command with options."""

    name = "sample_urgent"
    queue_options = URGENT


@pytest.fixture
def urgent(adapter_restored: None) -> dict[str, Any]:
    registry.register(UrgentCommand, "custom")
    return {"command": "sample_urgent"}


def test_who_declares_nothing_says_nothing() -> None:
    assert declared_options(AdapterJob, {}) == ()
    assert declared_options(HookedJob, {"command": "sample_urgent"}) == ()


def test_job_classes_and_tasks_declare_for_themselves() -> None:
    assert declared_options(PatientJob, {}) == (PATIENT,)
    assert declared_options(HeirJob, {}) == (PATIENT,)
    assert declared_options(greet, {}) == (QueueOptions(priority=7, max_retries=2),)


def test_a_command_declares_for_its_job(urgent: dict[str, Any]) -> None:
    assert declared_options(CommandExecutionJob, urgent) == (URGENT,)


def test_a_command_goes_before_the_class_that_runs_it(urgent: dict[str, Any]) -> None:
    assert declared_options(PatientCommandJob, urgent) == (URGENT, PATIENT)


@pytest.mark.parametrize("command", ["sample_nowhere", None, 7])
def test_a_command_that_is_not_known_declares_nothing(command: Any) -> None:
    assert declared_options(CommandExecutionJob, {"command": command}) == ()


@pytest.mark.parametrize("wrong", [{"priority": 5}, None, "urgent"])
def test_an_attribute_that_is_something_else_is_named(wrong: Any) -> None:
    class WrongJob(AdapterJob):
        queue_options = wrong

    with pytest.raises(
        InvalidParameters, match=r"queue_options of <class .*WrongJob'> must be a QueueOptions, not"
    ) as refusal:
        declared_options(WrongJob, {})
    assert refusal.value.data["field"] == "queue_options"


async def test_they_hold_for_the_job(manager: QueueManagerIntegration, urgent: dict[str, Any]) -> None:
    job_id = new_job_id()
    await manager.add_job(PatientCommandJob, job_id, urgent)
    options = (await manager.engine.status(job_id)).job.options
    assert (options.priority, options.max_retries) == (5, 3)
    await manager.delete_job(job_id)
