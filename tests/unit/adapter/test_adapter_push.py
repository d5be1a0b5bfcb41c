"""What subscribers of a job are sent, and when: each change once, and the end once, whenever they subscribe."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from mcp_proxy_adapter.core.job_push import hooks, notifier, queue_custom_push
from mcp_proxy_adapter.core.job_push.lifespan_wiring import shutdown_job_push, startup_job_push
from mcp_proxy_adapter.core.job_push.subscriptions import Subscriber, SubscriptionCategory

from mcp_queue_plugin import QueueOptions
from mcp_queue_plugin.adapter import push
from mcp_queue_plugin.adapter.bridge import server
from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.adapter.job_types import new_job_id
from mcp_queue_plugin.adapter.push import CommittedPush
from tests.unit.adapter.sample_jobs import AdapterJob
from tests.unit.workers.harness import until

QUEUE_JOB, SESSION = SubscriptionCategory.QUEUE_JOB, SubscriptionCategory.COMMAND_SESSION
BOTH = pytest.mark.parametrize(("category", "last"), [(QUEUE_JOB, "job_completed"), (SESSION, "command_completed")])


class Listener(Subscriber):
    """Keeps what it is sent; fails the first ``failures`` times, and waits for ``gate`` if there is one."""

    def __init__(self, *, failures: int = 0, gate: asyncio.Event | None = None) -> None:
        self.heard: list[dict[str, Any]] = []
        self.failures = failures
        self.gate = gate

    async def send(self, payload: dict[str, Any]) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the socket is gone")
        if self.gate is not None:
            await self.gate.wait()
        self.heard.append(payload)

    @property
    def events(self) -> list[str]:
        return [payload["event"] for payload in self.heard]

    def has(self, event: str) -> bool:
        return event in self.events

    def says(self, text: str) -> bool:
        """Whether the last that was heard carries ``text``."""
        return bool(self.heard) and text in (self.heard[-1].get("message"), self.heard[-1].get("description"))


@pytest.fixture
async def app(serving: QueueManagerIntegration) -> AsyncIterator[FastAPI]:
    """An application whose push is ours, started by the adapter's own start-up."""
    push.install()
    app = FastAPI()
    await startup_job_push(app, {})
    yield app
    await shutdown_job_push(app)
    notifier.clear_notifier_listeners()
    assert not engine_of(app)._tasks


def engine_of(app: FastAPI) -> CommittedPush:
    engine = app.state.job_push_engine
    assert isinstance(engine, CommittedPush)
    return engine


async def subscribe(app: FastAPI, job_id: str, category: SubscriptionCategory, listener: Listener) -> Listener:
    await app.state.job_push_registry.subscribe(job_id, category, listener)
    return listener


async def submit(manager: QueueManagerIntegration, do: str, job_id: str | None = None, **params: Any) -> str:
    job_id = job_id or new_job_id()
    await manager.submit_job(AdapterJob, job_id, {"do": do, **params})
    return job_id


@BOTH
async def test_everybody_hears_the_end_once_whenever_they_subscribe(
    serving: QueueManagerIntegration, app: FastAPI, tmp_path: Path, category: SubscriptionCategory, last: str
) -> None:
    job_id = new_job_id()
    early = await subscribe(app, job_id, category, Listener())
    await asyncio.sleep(0)
    gate = tmp_path / "gate"
    await submit(serving, "wait_for_file", job_id, path=str(gate))
    on_the_way = await subscribe(app, job_id, category, Listener())
    gate.touch()
    await serving.wait_job(job_id, 20)
    late = await subscribe(app, job_id, category, Listener())
    await until(lambda: all(listener.has(last) for listener in (early, on_the_way, late)))
    again = await subscribe(app, job_id, category, Listener())
    await until(lambda: again.has(last))
    for listener in (early, on_the_way, late, again):
        assert listener.events.count(last) == 1
        assert listener.events[-1] == last


@BOTH
async def test_of_a_job_that_has_ended_nothing_is_remembered(
    serving: QueueManagerIntegration, app: FastAPI, category: SubscriptionCategory, last: str
) -> None:
    listener = await subscribe(app, await submit(serving, "result"), category, Listener())
    await until(lambda: listener.has(last))
    engine = engine_of(app)
    await until(lambda: not engine._tasks)
    assert not engine._followed
    registry = app.state.job_push_registry
    for memory in (
        registry._subscriptions,
        registry._subscriber_index,
        engine.delivered,
        engine.last_status,
        engine.last_progress_sig,
        engine.queue_job_notified,
        engine.queue_job_progress_notified,
        engine.extra_watch,
        notifier._sent_terminal_queue,
        queue_custom_push._job_processing_step_last_mono,
    ):
        assert not memory


async def test_a_session_hears_of_progress_as_it_is_committed(serving: QueueManagerIntegration, app: FastAPI) -> None:
    job_id = new_job_id()
    listener = await subscribe(app, job_id, SESSION, Listener())
    await submit(serving, "report_and_hold", job_id)
    await until(lambda: listener.says("held"))
    assert (listener.heard[-1]["event"], listener.heard[-1]["progress"]) == ("command_progress", 3)
    await serving.stop_job(job_id)
    await until(lambda: listener.has("command_cancelled"))
    assert listener.heard[-1]["data"] == {"reason": "stopped by request"}


async def test_steps_of_a_queue_job_are_paced_and_the_last_is_not_lost(
    serving: QueueManagerIntegration, app: FastAPI, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    job_id = new_job_id()
    listener = await subscribe(app, job_id, QUEUE_JOB, Listener())
    await submit(serving, "two_steps", job_id, path=str(gate))
    await until(lambda: listener.says("first"))
    heard_first = time.monotonic()
    gate.touch()
    await until(lambda: listener.says("second"))
    assert time.monotonic() - heard_first > 0.9
    await serving.stop_job(job_id)
    await until(lambda: listener.has("job_stopped"))
    assert listener.events == ["job_processing_step", "job_processing_step", "job_stopped"]


async def test_a_step_that_comes_too_soon_after_one_of_the_application_is_sent_later(
    serving: QueueManagerIntegration, app: FastAPI
) -> None:
    job_id = await submit(serving, "report_and_hold")
    assert queue_custom_push.job_processing_step_should_emit(job_id)
    listener = await subscribe(app, job_id, QUEUE_JOB, Listener())
    await until(lambda: listener.says("held"))
    await serving.stop_job(job_id)
    await until(lambda: listener.has("job_stopped"))


async def test_who_comes_when_another_has_left_hears_how_the_job_stands(
    serving: QueueManagerIntegration, app: FastAPI
) -> None:
    job_id = await submit(serving, "report_and_hold")
    first, second = Listener(), Listener()
    for listener in (first, second):
        await subscribe(app, job_id, QUEUE_JOB, listener)
        await until(partial(listener.says, "held"))
        await app.state.job_push_registry.unsubscribe(job_id, QUEUE_JOB, listener)
        await until(lambda: job_id not in engine_of(app)._followed)
    await serving.stop_job(job_id)


async def test_a_retry_is_no_end_and_progress_may_fall_back(serving: QueueManagerIntegration, app: FastAPI) -> None:
    job_id = new_job_id()
    listener = await subscribe(app, job_id, SESSION, Listener())
    options = QueueOptions(max_retries=1, retry_base_seconds=0)
    await serving.submit_job(AdapterJob, job_id, {"do": "succeed_at_last"}, options)
    await until(lambda: listener.has("command_completed"))
    assert set(listener.events[:-1]) == {"command_progress"}
    seen = [(event["progress"], event["description"]) for event in listener.heard[:-1]]
    assert seen.index((60, "attempt 1")) < seen.index((10, "attempt 2"))


async def test_a_watched_job_leaves_its_last_event_for_whoever_asks(
    serving: QueueManagerIntegration, app: FastAPI
) -> None:
    job_id = await submit(serving, "result")
    engine_of(app).watch(job_id)
    await until(lambda: not engine_of(app)._followed)
    snapshot = await app.state.job_status_accumulator.get_snapshot(job_id=job_id)
    assert snapshot["latest_message"]["event"] == "command_completed"


async def test_a_subscriber_that_could_not_be_told_is_told_again(
    serving: QueueManagerIntegration, app: FastAPI
) -> None:
    # The adapter itself tries twice at once.
    listener = await subscribe(app, await submit(serving, "nothing"), SESSION, Listener(failures=3))
    await until(lambda: listener.has("command_completed"))
    assert listener.failures == 0


async def test_a_push_handler_that_raises_is_logged_and_asked_again(
    serving: QueueManagerIntegration,
    app: FastAPI,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    faults = ["a fault of the application"]

    def raise_once(job_id: str, payload: dict[str, Any]) -> dict[str, Any]:
        if faults:
            raise RuntimeError(faults.pop())
        return {**payload, "handled": True}

    monkeypatch.setattr(hooks, "_handlers", [raise_once])
    job_id = await submit(serving, "report_and_hold")
    listener = await subscribe(app, job_id, QUEUE_JOB, Listener())
    await until(lambda: listener.heard)
    assert listener.heard[0]["handled"]
    assert "could not be pushed, which is tried again" in caplog.text
    assert "RuntimeError: a fault of the application" in caplog.text
    await serving.stop_job(job_id)
    await until(lambda: listener.has("job_stopped"))


async def test_a_subscription_waits_for_a_delivery_that_is_under_way(
    serving: QueueManagerIntegration, app: FastAPI
) -> None:
    job_id = await submit(serving, "nothing")
    await serving.wait_job(job_id, 20)
    gate = asyncio.Event()
    slow = await subscribe(app, job_id, SESSION, Listener(gate=gate))
    await until(lambda: engine_of(app)._followed[job_id].delivering.locked())
    quick = Listener()
    subscribing = asyncio.create_task(subscribe(app, job_id, SESSION, quick))
    await asyncio.sleep(0)
    assert not subscribing.done()
    gate.set()
    await subscribing
    await until(lambda: quick.heard)
    assert slow.events == quick.events == ["command_completed"]


async def test_nobody_is_waited_for_who_has_left(serving: QueueManagerIntegration, app: FastAPI) -> None:
    listener = await subscribe(app, "there is no such job", QUEUE_JOB, Listener())
    assert engine_of(app)._followed
    await app.state.job_push_registry.unsubscribe_all_for(listener)
    await until(lambda: not engine_of(app)._followed)


async def test_without_a_queue_jobs_are_looked_for_again(serving: QueueManagerIntegration, app: FastAPI) -> None:
    job_id = await submit(serving, "nothing")
    server.set_global_manager(None)
    listener = await subscribe(app, job_id, SESSION, Listener())
    await asyncio.sleep(0)
    server.set_global_manager(serving)
    await until(lambda: listener.has("command_completed"))


async def test_other_subscriptions_are_the_adapters_own(serving: QueueManagerIntegration, app: FastAPI) -> None:
    for category in (SubscriptionCategory.WS_DELIVERY, SubscriptionCategory.TRANSFER_SESSION):
        await subscribe(app, "something else", category, Listener())
    await subscribe(app, "  ", QUEUE_JOB, Listener())
    assert not engine_of(app)._followed


async def test_what_is_followed_at_shutdown_is_let_go(serving: QueueManagerIntegration) -> None:
    push.install()
    app = FastAPI()
    await startup_job_push(app, {})
    job_id = new_job_id()
    await serving.add_job(AdapterJob, job_id, {"do": "nothing"})
    await subscribe(app, job_id, SESSION, Listener())
    await until(lambda: engine_of(app)._followed[job_id]._version)
    await shutdown_job_push(app)
    assert not engine_of(app)._tasks
    assert not engine_of(app)._followed
    notifier.clear_notifier_listeners()
