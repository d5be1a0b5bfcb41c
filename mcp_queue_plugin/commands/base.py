"""What all queue commands share: how they find the queue, and the one place that maps errors to results."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from mcp_proxy_adapter.commands.base import Command
from mcp_proxy_adapter.commands.result import CommandResult, ErrorResult, SuccessResult

from mcp_queue_plugin.adapter.bridge.server import adapter_error
from mcp_queue_plugin.adapter.enqueue import running_manager
from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.adapter.waits import WAIT_MAX_SECONDS, wait_terms
from mcp_queue_plugin.errors import InvalidParameters, QueueError
from mcp_queue_plugin.model.job import JOB_ID_MAX_LENGTH
from mcp_queue_plugin.model.masking import masked_refusal

JOB_ID = {"type": "string", "description": "The job's id", "minLength": 1, "maxLength": JOB_ID_MAX_LENGTH}
GRACE_SECONDS = {
    "type": "number",
    "description": "Seconds the job gets to let go before it is killed; default: the job's own stop_grace_seconds",
    "minimum": 0,
    "maximum": 3600,
}
WAIT_SECONDS = {
    "type": "number",
    "description": (
        "Wait up to so many seconds for the next change or the end of the job, then answer; over JSON-RPC cut to one "
        "second below the server's cap for synchronous commands"
    ),
    "minimum": 0,
    "maximum": WAIT_MAX_SECONDS,
}


READS: dict[str, Any] = {"readOnlyHint": True, "openWorldHint": False}
"""The hints of a command that changes nothing, as MCP tells them."""
CHANGES: dict[str, Any] = {"readOnlyHint": False, "destructiveHint": False, "openWorldHint": False}
"""Those of one that does, and takes nothing away."""
ENDS: dict[str, Any] = {**CHANGES, "destructiveHint": True, "idempotentHint": True}
"""Those of one that ends something, once and for all."""


def within_cap(wait_seconds: float) -> tuple[float, dict[str, float]]:
    """The wait that the surface of this call leaves, and what the answer says if it is shorter."""
    seconds = min(wait_seconds, wait_terms().longest_seconds)
    return seconds, {"wait_capped_seconds": seconds} if seconds < wait_seconds else {}


class QueueCommand(Command):
    """A command on the queue. Subclasses declare ``properties`` and ``required`` and answer data."""

    properties: ClassVar[dict[str, Any]] = {}
    required: ClassVar[tuple[str, ...]] = ()
    nullable: ClassVar[frozenset[str]] = frozenset()
    """The parameters for which null is a value, and not the same as leaving them out."""
    category = "queue"
    ends_in_time = True
    """What waits does so no longer than is asked for."""
    mcp_annotations: ClassVar[dict[str, Any]] = CHANGES

    # NUL bytes and numbers that are not finite are refused by the adapter at any depth.
    nested_value_spec: ClassVar[dict[str, Any] | None] = {}

    @classmethod
    def get_schema(cls) -> dict[str, Any]:
        """The JSON Schema of the parameters."""
        return {
            "type": "object",
            "properties": cls.properties,
            "required": list(cls.required),
            "additionalProperties": False,
        }

    @classmethod
    def get_result_schema(cls) -> dict[str, Any]:
        """The JSON Schema of the result."""
        return SuccessResult.get_schema()

    @abstractmethod
    async def answer(self, manager: QueueManagerIntegration, params: dict[str, Any]) -> dict[str, Any]:
        """Do what the command does and answer its data.

        Raises:
            QueueError: it cannot be done.
        """

    async def execute(self, **kwargs: Any) -> CommandResult:
        """Answer, or turn the queue's error into the result that the adapter's clients expect.

        Raises:
            ValidationError: the adapter's own (-32602), for a parameter that is not valid.
        """
        params = {
            name: value
            for name, value in kwargs.items()
            if name in self.properties and (value is not None or name in self.nullable)
        }
        try:
            manager = running_manager()
        except QueueError as error:
            return ErrorResult(message=error.message, code=error.code, details=error.details())
        try:
            return SuccessResult(data=await self.answer(manager, params))
        except InvalidParameters as error:
            words = manager.settings.queue_plugin.security.masked_keys
            error.message, error.data = masked_refusal(error.message, error.data, words)
            raise adapter_error(error) from error
        except QueueError as error:
            return ErrorResult(message=error.message, code=error.code, details=error.details())
