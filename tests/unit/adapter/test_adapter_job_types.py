"""What may be run by name, and what becomes of parameters."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest
from mcp_proxy_adapter.commands.queue.jobs import CommandExecutionJob as AdapterCommandExecutionJob
from mcp_proxy_adapter.integrations.queuemgr_integration import QueueJobBase

from mcp_queue_plugin.adapter import job_types
from mcp_queue_plugin.adapter.job_types import (
    job_class_of,
    job_type_names,
    new_job_id,
    register_job_type,
    submission_of,
    target_of,
    unresolvable_job_types,
)
from mcp_queue_plugin.adapter.jobs import COMMAND_EXECUTION, CommandExecutionJob
from mcp_queue_plugin.errors import InvalidParameters, NotJson
from mcp_queue_plugin.model.job import JOB_ID_MAX_LENGTH
from mcp_queue_plugin.model.options import JobOptions
from tests.unit.adapter.sample_jobs import AdapterJob, AdapterSubclassJob, HookedJob, LoudCommandJob

OPTIONS = JobOptions(priority=3)


@pytest.fixture(autouse=True)
def registry_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_types, "_types", {COMMAND_EXECUTION: CommandExecutionJob})


def test_a_registered_type_is_found_by_its_name() -> None:
    register_job_type("rows", AdapterJob)
    register_job_type("rows", AdapterJob)
    assert job_class_of("rows") is AdapterJob
    assert job_type_names() == ("command_execution", "rows")


def test_a_name_belongs_to_one_class() -> None:
    register_job_type("rows", AdapterJob)
    with pytest.raises(InvalidParameters, match=r"'rows' is already registered for tests.unit.adapter.sample_jobs"):
        register_job_type("rows", HookedJob)
    with pytest.raises(InvalidParameters, match="already registered"):
        register_job_type(COMMAND_EXECUTION, AdapterJob)
    assert job_class_of("rows") is AdapterJob


def test_a_class_that_was_loaded_anew_keeps_its_name() -> None:
    register_job_type("rows", AdapterJob)
    again: Any = type("AdapterJob", (QueueJobBase,), {"__module__": AdapterJob.__module__})
    register_job_type("rows", again)
    assert job_class_of("rows") is again


def test_an_unknown_type_is_refused_with_the_known_ones() -> None:
    register_job_type("rows", AdapterJob)
    with pytest.raises(InvalidParameters, match=r"'rwos'; registered are: command_execution, rows") as refusal:
        job_class_of("rwos")
    assert refusal.value.data["expected"] == ["command_execution", "rows"]


def test_what_no_worker_can_import_is_known() -> None:
    class Local(QueueJobBase):
        pass

    in_main: Any = type("InMain", (QueueJobBase,), {"__module__": "__main__"})
    register_job_type("local", Local)
    register_job_type("main", in_main)
    register_job_type("rows", AdapterJob)
    assert unresolvable_job_types() == ("local", "main")
    assert "<locals>" in target_of(Local)


def test_a_submission_names_type_class_and_options() -> None:
    register_job_type("rows", AdapterJob)
    submission, document = submission_of(AdapterJob, "a", {"file": "żółć", "n": [1, None]}, OPTIONS)
    assert (submission.job_id, submission.job_type, submission.command) == ("a", "rows", None)
    assert submission.target == "tests.unit.adapter.sample_jobs:AdapterJob"
    assert submission.options == OPTIONS
    assert json.loads(document) == {"file": "żółć", "n": [1, None]}


def test_an_unregistered_class_goes_by_its_own_name() -> None:
    submission, _ = submission_of(HookedJob, "a", {}, OPTIONS)
    assert submission.job_type == "HookedJob"


@pytest.mark.parametrize("job_class", [CommandExecutionJob, AdapterCommandExecutionJob])
def test_the_adapters_command_job_means_ours(job_class: type) -> None:
    submission, document = submission_of(job_class, "a", {"command": "echo", "params": {}}, OPTIONS)
    assert (submission.job_type, submission.command) == (COMMAND_EXECUTION, "echo")
    assert submission.target == target_of(CommandExecutionJob)
    assert json.loads(document)["command"] == "echo"


@pytest.mark.parametrize("job_class", [LoudCommandJob, AdapterSubclassJob])
def test_a_subclass_of_a_command_job_runs_a_command_as_itself(job_class: type) -> None:
    submission, _ = submission_of(job_class, "a", {"command": "echo"}, OPTIONS)
    assert (submission.job_type, submission.command) == (job_class.__name__, "echo")
    assert submission.target == target_of(job_class)
    register_job_type("cmd", job_class)
    assert submission_of(job_class, "a", {"command": "echo"}, OPTIONS)[0].job_type == "cmd"
    with pytest.raises(InvalidParameters, match=r"needs params.command"):
        submission_of(job_class, "a", {}, OPTIONS)


@pytest.mark.parametrize("params", [{}, {"command": ""}, {"command": 7}, {"command": None}])
def test_a_command_job_needs_a_command(params: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameters, match=r"needs params.command"):
        submission_of(CommandExecutionJob, "a", params, OPTIONS)


@pytest.mark.parametrize(
    "job_id", ["", "  ", "x" * (JOB_ID_MAX_LENGTH + 1), "nul\0", None, 7, "\ud800"], ids=lambda value: repr(value)[:20]
)
def test_an_id_that_cannot_be_one_is_refused(job_id: Any) -> None:
    with pytest.raises(InvalidParameters) as refusal:
        submission_of(AdapterJob, job_id, {}, OPTIONS)
    assert refusal.value.data["field"] == "job_id"
    json.dumps(refusal.value.data).encode()


@pytest.mark.parametrize("job_id", ["x" * JOB_ID_MAX_LENGTH, "ż 1/2", "🦀"])
def test_an_id_is_any_text(job_id: str) -> None:
    assert submission_of(AdapterJob, job_id, {}, OPTIONS)[0].job_id == job_id


@pytest.mark.parametrize("params", [None, [], "text", 1])
def test_parameters_are_a_dict(params: Any) -> None:
    with pytest.raises(InvalidParameters, match="are a dict, not"):
        submission_of(AdapterJob, "a", params, OPTIONS)


@pytest.mark.parametrize("job_class", [AdapterJob, CommandExecutionJob])
def test_parameters_that_are_not_json_are_refused_by_their_place(job_class: type) -> None:
    with pytest.raises(NotJson, match=r"params\.params\.when is not JSON"):
        submission_of(job_class, "a", {"command": "echo", "params": {"when": object()}}, OPTIONS)


def test_new_ids_differ_and_are_uuids_that_lie_together_by_their_time() -> None:
    before = time.time_ns() // 1_000_000
    made = [uuid.UUID(new_job_id()) for _ in range(1000)]
    after = time.time_ns() // 1_000_000
    assert {(number.version, number.variant) for number in made} == {(7, uuid.RFC_4122)}
    times = [number.int >> 80 for number in made]
    assert before <= times[0] <= times[-1] <= after
    assert times == sorted(times)
    assert len({number.int & (1 << 62) - 1 for number in made}) == 1000
    # Every bit that is chance is now one and now the other.
    chance = (1 << 76) - 1 - (0b11 << 62)
    ones, zeros = 0, 0
    for number in made:
        ones, zeros = ones | number.int & chance, zeros | ~number.int & chance
    assert ones == zeros == chance
