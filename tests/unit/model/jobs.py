"""Records to test the rules with."""

from __future__ import annotations

from typing import Any

import msgspec

from mcp_queue_plugin.model import decide
from mcp_queue_plugin.model.decide import Moment
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.states import State
from tests.contract.samples import add


def at(now: float, version: int = 9) -> Moment:
    """A moment of a clock that was never set back."""
    return Moment(now, now, version)


def job_in(state: State, options: JobOptions | None = None, **fields: Any) -> Job:
    """A job in ``state`` that has begun once."""
    job = decide.add(add("a", options=options), uid=1, at=at(1.0, 1))
    return msgspec.structs.replace(job, **{"state": state, "attempt": 1, **fields})
