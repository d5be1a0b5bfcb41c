"""The adapter's own examples of queued execution, with their own verdicts, against the plugin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest

from tests.acceptance.harness import processes
from tests.acceptance.harness.server import ROOT

EXAMPLES = ("e1", "e2", "e3", "e4", "e5", "e6", "e7")
SECONDS = 120.0

Running = dict[str, subprocess.Popen[str]]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """All examples, started at once: they mostly wait."""
    mark = str(uuid.uuid4())
    environment = {**os.environ, "PYTHONPATH": str(ROOT), processes.MARK: mark}
    examples = {}
    for name in EXAMPLES:
        scratch = tmp_path_factory.mktemp(name)
        examples[name] = subprocess.Popen(
            [sys.executable, "-m", "tests.acceptance.app.transparent_queue", name],
            cwd=scratch,
            env={**environment, "TMPDIR": str(scratch)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    yield examples
    left = processes.marked_processes(mark)
    processes.kill(left)
    for example in examples.values():
        example.communicate()
    assert not left


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_content(running: Running, name: str) -> None:
    output, _ = running[name].communicate(timeout=SECONDS)
    verdict = json.loads(output.splitlines()[-1])
    assert verdict["ok"], verdict["cases"]
