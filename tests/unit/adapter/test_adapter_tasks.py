"""``@task``: what it makes of a function, and the function in a worker."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime
from typing import Any

import pytest
from mcp_proxy_adapter.integrations.queuemgr_integration import QueueJobResult

from mcp_queue_plugin import QueueOptions, Task, task
from mcp_queue_plugin.adapter.bridge import server
from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.adapter.job_types import job_class_of, register_job_type, submission_of, unresolvable_job_types
from mcp_queue_plugin.adapter.job_types import new_job_id as new_id
from mcp_queue_plugin.errors import EngineNotRunning, InvalidParameters, JobAlreadyExists, NotJson
from mcp_queue_plugin.model.options import JobOptions
from tests.unit.adapter import sample_tasks
from tests.unit.adapter.sample_tasks import Tools, add, greet

WAIT_SECONDS = 30.0


async def ended(manager: QueueManagerIntegration, job: QueueJobResult) -> QueueJobResult:
    return await manager.wait_job(job.job_id, WAIT_SECONDS)


async def result(manager: QueueManagerIntegration, job: QueueJobResult) -> Any:
    """The result of a job that must complete."""
    done = await ended(manager, job)
    assert done.status == "completed", done.error
    return done.result


async def test_a_task_is_called_as_before() -> None:
    assert add(1) == 11
    assert add(1, b=2) == 3
    assert await greet("you", loud=True) == {"text": "Hello you!", "more": {}}
    assert Tools.double(4) == 8


def test_a_task_looks_like_its_function() -> None:
    assert isinstance(add, Task)
    assert (add.__name__, add.__doc__, add.__module__) == ("add", "The sum of two numbers.", sample_tasks.__name__)
    assert str(inspect.signature(add)) == "(a: 'int', b: 'int' = 10) -> 'int'"
    assert add.__annotations__["return"] == "int"
    assert repr(add) == f"<task {sample_tasks.__name__}.add>"


def test_a_task_has_a_name_and_options() -> None:
    assert (add.name, add.queue_options) == (f"{sample_tasks.__name__}.add", QueueOptions())
    assert (greet.name, greet.queue_options) == ("greeting", QueueOptions(priority=7, max_retries=2))


def test_an_option_that_there_is_not_is_refused_where_it_is_written() -> None:
    with pytest.raises(TypeError, match="quue"):
        task(quue="llm")


@pytest.mark.parametrize("name", ["", "x" * 201, "nul \0", 7])
def test_a_name_that_cannot_be_kept_is_refused(name: Any) -> None:
    with pytest.raises(InvalidParameters, match="the name of a task must be") as refusal:
        task(name=name)(sample_tasks.plain)
    assert refusal.value.data["field"] == "name"


def positional_only(first: int, /) -> None: ...


def any_number(*numbers: int) -> None: ...


@pytest.mark.parametrize(("function", "field"), [(positional_only, "first"), (any_number, "numbers")])
def test_parameters_that_have_no_name_are_refused(function: Any, field: str) -> None:
    with pytest.raises(InvalidParameters, match="travel by name") as refusal:
        task(function)
    assert refusal.value.data["field"] == field


@pytest.mark.parametrize(
    ("args", "kwargs", "field"),
    [
        ((), {}, "a"),
        ((1,), {"a": 1}, "a"),
        ((1,), {"c": 1}, "c"),
        ((1, 2, 3), {}, "arguments"),
        ((), {1: 2}, "arguments"),
    ],
)
def test_arguments_that_do_not_fit_are_named(args: Any, kwargs: Any, field: str) -> None:
    with pytest.raises(InvalidParameters, match=rf"^the task {sample_tasks.__name__}\.add: ") as refusal:
        add.arguments(args, kwargs)
    assert refusal.value.data["field"] == field


def test_arguments_are_kept_by_name() -> None:
    assert add.arguments((1, 2), {}) == {"a": 1, "b": 2}
    assert add.arguments((1,), {}) == {"a": 1}
    assert greet.arguments(("you",), {"loud": True, "mood": "mild"}) == {"name": "you", "loud": True, "mood": "mild"}


async def test_an_enqueued_task_runs_in_a_worker(serving: QueueManagerIntegration) -> None:
    job = await add.enqueue(1, b=2)
    assert job.status == "pending"
    assert await result(serving, job) == 3
    record = (await serving.engine.status(job.job_id)).job
    assert (record.job_type, record.target) == (add.name, f"{sample_tasks.__name__}:add")


async def test_an_async_task_runs_on_the_loop_with_its_options(serving: QueueManagerIntegration) -> None:
    job = await greet.enqueue("you", mood="mild")
    assert (await ended(serving, job)).result == {"text": "Hello you.", "more": {"mood": "mild"}}
    record = (await serving.engine.status(job.job_id)).job
    assert (record.job_type, record.options.priority, record.options.max_retries) == ("greeting", 7, 2)


async def test_a_call_has_options_and_an_id_of_its_own(serving: QueueManagerIntegration) -> None:
    job_id = new_id()
    job = await greet.with_options(QueueOptions(priority=9), job_id=job_id).enqueue("you")
    assert job.job_id == job_id
    record = (await serving.engine.status(job_id)).job
    assert (record.options.priority, record.options.max_retries) == (9, 2)
    with pytest.raises(JobAlreadyExists):
        await greet.with_options(job_id=job_id).enqueue("me")
    await ended(serving, job)


async def test_a_task_in_a_class_is_found(serving: QueueManagerIntegration) -> None:
    assert await result(serving, await Tools.double.enqueue(4)) == 8


async def test_a_sync_task_has_the_main_thread_and_its_job(serving: QueueManagerIntegration) -> None:
    job = await sample_tasks.where.enqueue()
    done = await ended(serving, job)
    assert done.result == {"job_id": job.job_id, "in_main_thread": True}
    assert done.description == "looking around"


async def test_an_async_task_has_a_loop_and_its_job_in_threads_too(serving: QueueManagerIntegration) -> None:
    job = await sample_tasks.where_async.enqueue()
    assert (await ended(serving, job)).result == {"job_id": job.job_id, "has_loop": True}


@pytest.mark.parametrize(
    ("kind", "returned"),
    [("none", {}), ("zero", 0), ("empty", []), ("false", False), ("text", ""), ("pair", [1, 2])],
)
async def test_what_a_task_returns_is_the_result(serving: QueueManagerIntegration, kind: str, returned: Any) -> None:
    assert await result(serving, await sample_tasks.answer.enqueue(kind)) == returned


@pytest.mark.parametrize(
    ("how", "error_type", "message"),
    [
        ("exit", "SystemExit", "the job called sys.exit(3); a job ends by returning"),
        ("interrupt", "KeyboardInterrupt", "KeyboardInterrupt"),
        ("no luck", "ValueError", "no luck"),
    ],
)
async def test_what_a_task_raises_fails_it_by_name(
    serving: QueueManagerIntegration, how: str, error_type: str, message: str
) -> None:
    done = await ended(serving, await sample_tasks.misbehave.enqueue(how))
    assert (done.status, done.error) == ("failed", message)
    error = (await serving.engine.status(done.job_id)).job.error
    assert error is not None
    assert error.type == error_type


async def test_a_result_that_is_not_json_fails_the_task_by_name(serving: QueueManagerIntegration) -> None:
    done = await ended(serving, await sample_tasks.answer.enqueue("set"))
    assert (done.status, done.error) == ("failed", "result is not JSON: a value of type set")


async def test_a_stop_cancels_an_async_task(serving: QueueManagerIntegration) -> None:
    job = await sample_tasks.wait_for_ever.enqueue()
    record = (await serving.engine.status(job.job_id)).job
    while record.step != "waiting":
        record = (await serving.engine.status(job.job_id, wait_seconds=20, known_version=record.version)).job
    assert (await serving.stop_job(job.job_id)).status == "stopped"


async def test_arguments_that_are_not_json_are_named_and_nothing_is_stored(serving: QueueManagerIntegration) -> None:
    before = len(await serving.list_jobs())
    with pytest.raises(NotJson, match=r"^params\.b is not JSON: a value of type datetime"):
        await add.enqueue(1, b=datetime.now(UTC))  # type: ignore[arg-type]
    with pytest.raises(InvalidParameters, match="unexpected keyword argument 'c'"):
        await add.enqueue(1, c=2)  # type: ignore[call-arg]
    assert len(await serving.list_jobs()) == before


async def test_tasks_that_no_worker_finds_are_refused_with_advice(
    serving: QueueManagerIntegration, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidParameters, match="inside a function: move it to the top of its module"):
        await sample_tasks.make_local_task().enqueue()
    with pytest.raises(InvalidParameters, match="is something else: let @task be the outermost decorator"):
        await sample_tasks.other_name.enqueue(1)
    monkeypatch.setattr(add, "__module__", "no_such_module")
    with pytest.raises(InvalidParameters, match="is something else"):
        await add.enqueue(1)
    monkeypatch.setattr(add, "__module__", "__main__")
    with pytest.raises(InvalidParameters, match="in __main__: move it to a module") as refusal:
        await add.enqueue(1)
    assert refusal.value.data["field"] == "task"


async def test_a_target_that_is_no_job_fails_by_name(serving: QueueManagerIntegration) -> None:
    submission, document = submission_of(sample_tasks.other_name, new_id(), {"number": 1}, JobOptions())
    await serving.engine.submit(submission, document, start=True)
    done = await serving.wait_job(submission.job_id, WAIT_SECONDS)
    assert done.error is not None
    assert "sample_tasks:plain' is neither a job class nor a task" in done.error


async def test_without_a_queue_it_is_said_where_there_would_be_one(serving: QueueManagerIntegration) -> None:
    server.set_global_manager(None)
    with pytest.raises(EngineNotRunning, match="no queue runs in this process"):
        await add.enqueue(1)


def test_every_argument_of_a_task_counts_for_its_idempotency_key() -> None:
    fingerprints = set()
    for context in ("one", "other"):
        params = {"name": "you", "context": context}
        submission, _ = submission_of(greet, new_id(), params, JobOptions(), idempotency_key="key")
        assert submission.idempotency is not None
        fingerprints.add(submission.idempotency.fingerprint)
    assert len(fingerprints) == 2


async def test_a_registered_task_is_a_job_type(serving: QueueManagerIntegration) -> None:
    register_job_type("sample_add", add)
    register_job_type("sample_add", add)
    register_job_type("sample_local_task", sample_tasks.make_local_task())
    assert job_class_of("sample_add") is add
    assert "sample_local_task" in unresolvable_job_types()
    submission, document = submission_of(add, new_id(), {"a": 1}, JobOptions())
    assert (submission.job_type, submission.command, document) == ("sample_add", None, b'{"a":1}')
    with pytest.raises(InvalidParameters, match="missing a required argument: 'a'"):
        submission_of(add, new_id(), {"b": 1}, JobOptions())
    with pytest.raises(InvalidParameters, match="already registered"):
        register_job_type("sample_add", greet)
