"""The adapter's own examples of queued execution, with their own verdicts, against the plugin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.acceptance.harness import processes
from tests.acceptance.harness.server import ROOT

EXAMPLES = ("e1", "e2", "e3", "e4", "e5", "e6", "e7")
AT_ONCE = 2
"""They mostly wait, but measure how long: the start of many servers at once would be part of that."""

SECONDS = 240.0

Outputs = dict[str, Future[str]]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outputs]:
    """What each example prints; the one that takes longest is begun first."""
    mark = str(uuid.uuid4())
    environment = {**os.environ, "PYTHONPATH": str(ROOT), processes.MARK: mark}

    def run(name: str) -> str:
        scratch = tmp_path_factory.mktemp(name)
        return subprocess.run(
            [sys.executable, "-m", "tests.acceptance.app.transparent_queue", name],
            cwd=scratch,
            env={**environment, "TMPDIR": str(scratch)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
        ).stdout

    executor = ThreadPoolExecutor(AT_ONCE)
    yield {name: executor.submit(run, name) for name in reversed(EXAMPLES)}
    executor.shutdown(wait=False, cancel_futures=True)
    left = processes.marked_processes(mark)
    processes.kill(left)
    executor.shutdown()
    assert not left


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_content(outputs: Outputs, name: str) -> None:
    verdict = json.loads(outputs[name].result(SECONDS).splitlines()[-1])
    assert verdict["ok"], verdict["cases"]
