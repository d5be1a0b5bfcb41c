"""Patches the adapter's job class when it is imported, as applications do that want a progress tracker."""

from __future__ import annotations

from typing import Any

from mcp_proxy_adapter.commands.queue import jobs

_run = jobs.CommandExecutionJob.run


def run_with_tracker(self: Any) -> None:
    print("patched")
    self.mcp_params.setdefault("context", {})["progress_tracker"] = self
    _run(self)


jobs.CommandExecutionJob.run = run_with_tracker  # type: ignore[method-assign]
