"""Jobs as classes: the adapter's and queuemgr's."""

from __future__ import annotations

import sys
import time
from typing import Any

from queuemgr.jobs.base import QueueJobBase as QueuemgrJobBase

from mcp_queue_plugin import QueueJobBase, current_job, register_job_type
from tests.acceptance.app.base import POLL_SECONDS


class DoubleJob(QueueJobBase):
    """The adapter's kind: doubles ``number``."""

    def run(self) -> None:
        self.set_progress(10)
        self.set_description("doubling")
        print("doubling", self.mcp_params["number"])
        self.set_mcp_result({"doubled": 2 * self.mcp_params["number"]})


class ReportedFailureJob(QueueJobBase):
    """Says itself that it has failed."""

    def run(self) -> None:
        self.set_mcp_error("out of ink", code=7)


class RaisingJob(QueueJobBase):
    def run(self) -> None:
        raise LookupError("no such page")


class PatientJob(QueueJobBase):
    """Goes on until it is asked to stop."""

    def run(self) -> None:
        self.set_description("running")
        while not self.should_stop():
            time.sleep(POLL_SECONDS)
        self.set_mcp_result({"pages": 3}, status="stopped")


class HooksJob(QueuemgrJobBase):
    """Queuemgr's kind, with its hooks."""

    def on_start(self) -> None:
        print("on_start")

    def execute(self) -> None:
        self.set_result({"params": self.params, "attempt": current_job().attempt})

    def on_end(self) -> None:
        print("on_end", file=sys.stderr)


def make_local_job() -> type[QueueJobBase]:
    class LocalJob(QueueJobBase):
        """Defined where no worker finds it."""

        def run(self) -> None:
            raise NotImplementedError

    return LocalJob


JOB_TYPES: dict[str, Any] = {
    "double": DoubleJob,
    "reported_failure": ReportedFailureJob,
    "raising": RaisingJob,
    "patient": PatientJob,
    "hooks": HooksJob,
    "local": make_local_job(),
}

for name, job_class in JOB_TYPES.items():
    register_job_type(name, job_class)
