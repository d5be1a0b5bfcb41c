"""The queue of one server, from its start to its end: settings, engine and workers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Self

from mcp_queue_plugin.adapter.callers import AccessMode, current_caller, viewer
from mcp_queue_plugin.adapter.detached import DetachedCommands
from mcp_queue_plugin.adapter.health import health_report
from mcp_queue_plugin.adapter.job_types import JobTarget, submission_of
from mcp_queue_plugin.adapter.listeners import EngineListener
from mcp_queue_plugin.adapter.options import declared_options
from mcp_queue_plugin.adapter.setup import engine_options, queue_rules, worker_setup
from mcp_queue_plugin.adapter.waits import Waits
from mcp_queue_plugin.engine.client import EngineClient
from mcp_queue_plugin.errors import InvalidParameters, QueueError
from mcp_queue_plugin.model.job import Submission
from mcp_queue_plugin.model.options import JobOptions, QueueOptions, decide_options
from mcp_queue_plugin.model.strict_json import exceeds_depth
from mcp_queue_plugin.settings import Settings
from mcp_queue_plugin.store.protocol import Capabilities

logger = logging.getLogger(__name__)


class RunningQueue:
    """What a manager is before anybody asks it for a job."""

    def __init__(self, settings: Settings, access: Callable[[], AccessMode] = lambda: "one_owner") -> None:
        """A queue with these settings that does not run yet; what ``access`` answers is told in its health."""
        self.settings = settings
        self.access = access
        self.waits = Waits(settings.queue_plugin.security.max_waits_per_caller)
        self.capabilities: Capabilities | None = None
        self._listener = EngineListener(lambda: self._detached)
        self.engine = EngineClient(self._listener, viewer)
        self._detached = DetachedCommands(self.engine, settings.queue_plugin.limits.result_bytes)
        self.default_options = JobOptions(
            **settings.queue_plugin.job_defaults.model_dump(), isolation=settings.queue_plugin.workers.isolation
        )
        self.queue_rules = queue_rules(settings)

    @classmethod
    def from_settings(cls, settings: Settings, access: Callable[[], AccessMode] = lambda: "one_owner") -> Self:
        """A manager with all of ``settings``, those of ``queue_plugin`` included; the environment is not read."""
        manager = cls.__new__(cls)
        RunningQueue.__init__(manager, settings, access)
        return manager

    @property
    def registry_path(self) -> str | None:
        """The store's file; None for one that goes with the server."""
        return self.settings.queue_manager.registry_path

    @property
    def max_concurrent_jobs(self) -> int:
        """How many jobs may run at once."""
        return self.settings.queue_manager.max_concurrent_jobs

    async def start(self) -> None:
        """Open the store and start the workers.

        Raises:
            StoreError: the store cannot be used.
            EngineStartFailed: the engine's process did not come up in time; its standard error is in the message.
        """
        await self.open()
        await self.warm_up()

    async def open(self) -> None:
        """Start the engine and open the store: jobs are taken, but none runs before ``warm_up``.

        Raises:
            StoreError: the store cannot be used.
            EngineStartFailed: the engine's process did not come up in time.
        """
        if self.is_running():
            return
        logger.info("The queue is starting")
        try:
            self.capabilities = await self.engine.start(engine_options(self.settings))
        except QueueError as error:
            logger.error("The queue did not start: %s", error)
            raise
        if not self.capabilities.durable:
            logger.warning("The queue is in memory: jobs and results are lost when the server ends")
        logger.info("The queue is open: %s", self.capabilities.path)

    async def warm_up(self) -> None:
        """Start the workers, set up as this server is now: its import path, its modules, its hooks."""
        await self.engine.warm_up(worker_setup(self.settings.queue_plugin))

    async def stop(self) -> None:
        """End the queue: running jobs get ``shutdown_timeout``, then go back to the queue. Again: does nothing."""
        if self.is_running():
            logger.info("The queue is stopping; running jobs get %g s", self.settings.queue_manager.shutdown_timeout)
            await self.engine.close(self.settings.queue_manager.shutdown_timeout)
            logger.info("The queue has stopped")

    def is_running(self) -> bool:
        """Whether jobs can be handed in."""
        return self.engine.is_running

    async def health(self) -> dict[str, Any]:
        """How the queue is, as far as the caller may know."""
        health = await self.engine.health()
        return health_report(health, self.settings, access=self.access(), sees_all=current_caller().sees_all)

    def submission(
        self, job_class: JobTarget, job_id: str, params: dict[str, Any], options: QueueOptions | None = None
    ) -> tuple[Submission, bytes]:
        """A job as the engine takes it, with the options that hold for it.

        Raises:
            InvalidParameters: the id, the parameters or an option is not valid.
        """
        layers = () if options is None else (options,)
        decided, idempotency_key = decide_options(
            *layers,
            *declared_options(job_class, params),
            defaults=self.default_options,
            queues=self.queue_rules,
        )
        owner = current_caller().owner
        submission, document = submission_of(
            job_class, job_id, params, decided, owner=owner, idempotency_key=idempotency_key
        )
        self.check_document(document, "params")
        return submission, document

    def check_document(self, document: bytes, field: str) -> None:
        """Check that what a client hands in as ``field``, a JSON document, is not too large nor nested too deep.

        Raises:
            InvalidParameters: it is.
        """
        name = "the parameters are" if field == "params" else f"the {field} is"
        most, deepest = self.settings.queue_plugin.limits.params_bytes, self.settings.queue_plugin.security.max_depth
        if len(document) > most:
            raise InvalidParameters(
                f"{name} too large: {len(document)} bytes; limits.params_bytes allows {most}",
                field=field,
                violation="size",
                maximum=most,
                got=len(document),
            )
        if exceeds_depth(document, deepest):
            raise InvalidParameters(
                f"{name} nested deeper than the {deepest} levels of security.max_depth",
                field=field,
                violation="depth",
                maximum=deepest,
            )
