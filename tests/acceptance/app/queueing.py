"""Commands and jobs that say themselves how they are to be run."""

from __future__ import annotations

from typing import Any, ClassVar

from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import CommandResult, SuccessResult

from mcp_queue_plugin import QueueJobBase, QueueOptions, current_job, register_job_type
from tests.acceptance.app.base import QueuedCommand, append, wait_for_file


class AskModel(QueuedCommand):
    """Ask a model that does not like to be asked too often; the answer comes once ``gate`` exists."""

    name = "ask_model"
    properties: ClassVar[dict[str, Any]] = {"gate": {"type": "string"}, "refuse": {"type": "boolean"}}
    queue_options = QueueOptions(queue="llm")

    async def execute(self, **params: Any) -> CommandResult:
        current_job().set_description("running")
        if params.get("gate"):
            await wait_for_file(params["gate"])
        if params.get("refuse"):
            raise ConnectionError("the model does not answer")
        return SuccessResult(data={"answer": 42})


class Persevere(QueuedCommand):
    """Fail until ``path`` has as many characters as there are to be ``runs``; each run adds one."""

    name = "persevere"
    properties: ClassVar[dict[str, Any]] = {"path": {"type": "string"}, "runs": {"type": "integer"}}
    queue_options = QueueOptions(max_retries=2, retry_base_seconds=0.05, priority=3)

    async def execute(self, **params: Any) -> CommandResult:
        run = append(params["path"], "x")
        if run < params["runs"]:
            raise TimeoutError(f"run {run} of {params['runs']}")
        return SuccessResult(data={"attempt": current_job().attempt})


class AsideJob(QueueJobBase):
    """Runs aside from the others."""

    queue_options = QueueOptions(queue="aside", priority=-1, max_retries=1, retry_base_seconds=0.0)

    def run(self) -> None:
        self.set_mcp_result({"said": self.mcp_params})


registry.register(AskModel, "custom")
registry.register(Persevere, "custom")
register_job_type("aside", AsideJob)
