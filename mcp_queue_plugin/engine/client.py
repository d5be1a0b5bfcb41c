"""The server's side of the engine: its verbs, asked over the border."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import msgspec

from mcp_queue_plugin.crash_points import CrashPoint, reach
from mcp_queue_plugin.engine import border
from mcp_queue_plugin.engine.border import Verb
from mcp_queue_plugin.engine.connection import Connection
from mcp_queue_plugin.engine.notices import ClientEvents
from mcp_queue_plugin.engine.values import Answer, EngineHealth, EngineOptions, Listing, QueueReport
from mcp_queue_plugin.engine.watch import Until
from mcp_queue_plugin.errors import InvalidParameters, JobNotFound
from mcp_queue_plugin.model.job import JOB_ID_MAX_LENGTH, Submission, is_job_id
from mcp_queue_plugin.model.operations import EndingKind
from mcp_queue_plugin.model.queries import JobQuery, LogPage, LogQuery
from mcp_queue_plugin.model.questions import GivenAnswer
from mcp_queue_plugin.model.text import storable
from mcp_queue_plugin.store.protocol import Capabilities
from mcp_queue_plugin.workers.protocol import Setup

PageT = TypeVar("PageT", Listing, LogPage, EngineHealth, QueueReport)


class EngineClient:
    """Asks one engine, from any thread and event loop."""

    def __init__(self, events: ClientEvents, viewer: Callable[[], str | None] = lambda: None) -> None:
        """Report to ``events``. ``viewer`` says whose jobs alone exist for who asks now; None: all."""
        self._connection = Connection(events)
        self._viewer = viewer

    @property
    def is_running(self) -> bool:
        """Whether the engine is there to be asked."""
        return self._connection.is_open

    @property
    def pid(self) -> int | None:
        """The process id of the engine's warden; None when there is none."""
        return self._connection.pid

    async def start(self, options: EngineOptions) -> Capabilities:
        """Start the engine and open its store; see ``Connection.open``."""
        return await self._connection.open(options)

    async def warm_up(self, setup: Setup) -> None:
        """Start workers that are set up by ``setup`` and begin to run jobs."""
        await self._connection.warm_up(setup)

    async def close(self, timeout_seconds: float) -> None:
        """End the engine orderly; see ``Connection.close``."""
        await self._connection.close(timeout_seconds)

    async def submit(self, submission: Submission, params: bytes, *, start: bool, with_place: bool = False) -> Answer:
        """Store a job; see ``Engine.submit``. ``with_place`` also asks where a pending job stands, here and below."""
        return await self._ask_job(
            Verb.SUBMIT,
            lambda number: border.SubmitRequest(
                number=number, submission=submission, start=start, with_place=with_place
            ),
            params,
        )

    async def start_job(self, job_id: str, *, with_place: bool = False) -> Answer:
        """Queue an added job; see ``Engine.start``."""
        return await self._ask_job(
            Verb.START,
            lambda number: border.JobRequest(
                number=number, job_id=self._named(job_id), owner=self._viewer(), with_place=with_place
            ),
        )

    async def retry_job(self, job_id: str, *, with_place: bool = False) -> Answer:
        """Queue a job again that has failed or was stopped; see ``Engine.retry``."""
        return await self._ask_job(
            Verb.RETRY,
            lambda number: border.JobRequest(
                number=number, job_id=self._named(job_id), owner=self._viewer(), with_place=with_place
            ),
        )

    async def answer_question(
        self, job_id: str, key: str, answer: GivenAnswer, *, schema: str | None = None, with_place: bool = False
    ) -> Answer:
        """Answer an open question of a job, whose ``schema`` an accepted value was checked against; the first stands.

        Raises:
            JobNotFound: no such job.
            QuestionNotFound: no such question is open, or was answered; or its schema is another one.
        """
        return await self._ask_job(
            Verb.ANSWER,
            lambda number: border.AnswerRequest(
                number=number,
                job_id=self._named(job_id),
                key=storable(key),
                action=answer.action,
                schema=schema,
                owner=self._viewer(),
                with_place=with_place,
            ),
            answer.value,
        )

    async def set_queue(self, name: str, *, paused: bool) -> QueueReport:
        """Pause or resume a queue; see ``Engine.set_queue``."""
        return await self._ask_page(
            QueueReport,
            Verb.SET_QUEUE,
            lambda number: border.QueueRequest(number=number, name=storable(name), paused=paused),
        )

    async def stop_job(
        self, job_id: str, *, reason: str, grace_seconds: float | None = None, wait_seconds: float | None = None
    ) -> Answer:
        """Stop a job; see ``Engine.stop``."""
        return await self._ask_to_let_go(Verb.STOP, job_id, reason, grace_seconds, wait_seconds)

    async def delete_job(
        self, job_id: str, *, reason: str, grace_seconds: float | None = None, wait_seconds: float | None = None
    ) -> Answer:
        """Delete a job; see ``Engine.delete``."""
        return await self._ask_to_let_go(Verb.DELETE, job_id, reason, grace_seconds, wait_seconds)

    async def status(
        self,
        job_id: str,
        *,
        wait_seconds: float | None = None,
        until: Until = "change",
        known_version: int | None = None,
        with_place: bool = False,
    ) -> Answer:
        """Answer a job's record, now or after a wait; see ``Engine.status``."""
        return await self._ask_job(
            Verb.STATUS,
            lambda number: border.StatusRequest(
                number=number,
                job_id=self._named(job_id),
                owner=self._viewer(),
                wait_seconds=_finite(wait_seconds),
                until=until,
                known_version=known_version,
                with_place=with_place,
            ),
        )

    async def log(self, job_id: str, query: LogQuery, *, wait_seconds: float | None = None) -> LogPage:
        """One page of a job's log, now or when there is something in it; see ``Engine.log``."""
        return await self._ask_page(
            LogPage,
            Verb.LOG,
            lambda number: border.LogRequest(
                number=number,
                job_id=self._named(job_id),
                owner=self._viewer(),
                query=query,
                wait_seconds=_finite(wait_seconds),
            ),
        )

    async def list_jobs(self, query: JobQuery, *, with_places: bool = False) -> Listing:
        """One page of jobs."""
        owner = self._viewer()
        if owner is not None:
            query = msgspec.structs.replace(query, owner=owner)
        return await self._ask_page(
            Listing,
            Verb.LIST,
            lambda number: border.ListRequest(number=number, query=query, with_places=with_places),
        )

    async def health(self) -> EngineHealth:
        """Answer how the queue is."""
        return await self._ask_page(EngineHealth, Verb.HEALTH, lambda number: border.HealthRequest(number=number))

    def adopt(self, submission: Submission, params: bytes, description: str) -> None:
        """Record a job that runs in this process; callable from any thread, not answered."""
        notice = border.AdoptNotice(submission=submission, description=description)
        self._connection.post(Verb.ADOPT, notice, params)

    def end_adopted(
        self, job_id: str, kind: EndingKind, description: str, *, error: str | None, result: bytes | None
    ) -> None:
        """Record the end of such a job; callable from any thread, not answered."""
        notice = border.EndAdoptedNotice(
            job_id=job_id, kind=kind, description=description, error=error, has_result=result is not None
        )
        self._connection.post(Verb.END_ADOPTED, notice, result or b"")

    async def _ask_to_let_go(
        self, verb: Verb, job_id: str, reason: str, grace_seconds: float | None, wait_seconds: float | None
    ) -> Answer:
        return await self._ask_job(
            verb,
            lambda number: border.JobRequest(
                number=number,
                job_id=self._named(job_id),
                owner=self._viewer(),
                reason=reason,
                grace_seconds=_finite(grace_seconds),
                wait_seconds=_finite(wait_seconds),
            ),
        )

    async def _ask_job(self, verb: Verb, request: Callable[[int], object], payload: bytes = b"") -> Answer:
        frame = await self._connection.ask(verb, request, payload)
        reach(CrashPoint.ANSWER_ARRIVED)
        return border.answer_in(frame)

    @staticmethod
    def _named(job_id: str) -> str:
        """``job_id``, if a job can have it: of any other it is known without asking that there is none."""
        if not is_job_id(job_id):
            raise JobNotFound(storable(str(job_id), JOB_ID_MAX_LENGTH))
        return job_id

    async def _ask_page(self, model: type[PageT], verb: Verb, request: Callable[[int], object]) -> PageT:
        return msgspec.json.decode((await self._connection.ask(verb, request)).payload, type=model)


def _finite(seconds: float | None) -> float | None:
    """``seconds``, if they can be said in JSON, which knows no infinity and would say nothing instead."""
    if isinstance(seconds, float) and not math.isfinite(seconds):
        raise InvalidParameters(f"{seconds} is no number of seconds", field="seconds", violation="value")
    return seconds
