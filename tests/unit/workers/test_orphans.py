"""Ending a process with everything it has started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_queue_plugin.workers import orphans
from tests.unit.workers.harness import is_gone, living_children, wait_until

FAMILY = """
import os, subprocess, sys, time
def note():
    with open(sys.argv[1], "a") as file:
        file.write(f"{os.getpid()}\\n")
for leave in (lambda: None, os.setpgrp, os.setsid):
    if os.fork() == 0:
        leave()
        if os.fork() == 0:
            note()
            time.sleep(3600)
        note()
        time.sleep(3600)
note()
time.sleep(3600)
"""


@pytest.fixture
def family(tmp_path: Path) -> Iterator[list[int]]:
    """A process with children and grandchildren in its own and in other groups and sessions; the root comes first."""
    path = tmp_path / "pids"
    root = subprocess.Popen([sys.executable, "-c", FAMILY, str(path)], start_new_session=True)
    wait_until(lambda: path.exists() and len(path.read_text().split()) == 7)
    yield [root.pid, *({int(pid) for pid in path.read_text().split()} - {root.pid})]
    orphans.kill_tree(root.pid)
    root.wait()


def test_kill_tree_ends_every_descendant(family: list[int]) -> None:
    orphans.kill_tree(family[0])
    wait_until(lambda: all(is_gone(pid) for pid in family), seconds=2)


def test_kill_tree_of_a_process_that_has_ended_is_fine() -> None:
    ended = subprocess.Popen(["/bin/true"])
    ended.wait()
    orphans.kill_tree(ended.pid)


@pytest.mark.usefixtures("subreaper")
def test_what_a_dead_process_left_is_ended_and_reaped(family: list[int]) -> None:
    os.kill(family[0], signal.SIGKILL)
    wait_until(lambda: is_gone(family[0]))
    orphans.kill_descendants_of_self()
    assert living_children() == set()


@pytest.mark.usefixtures("subreaper")
def test_spared_children_live_on_with_what_they_have_started(family: list[int]) -> None:
    stray = subprocess.Popen(["/bin/sleep", "3600"])
    orphans.kill_descendants_of_self(spare={family[0]})
    assert living_children() == set(family)
    assert stray.poll() is not None


def test_the_group_of_the_caller_is_never_killed() -> None:
    orphans.kill_group(os.getpgrp())


def test_being_a_subreaper_can_be_asked_and_undone() -> None:
    assert not orphans.is_subreaper()
    orphans.become_subreaper()
    assert orphans.is_subreaper()
    orphans.become_subreaper(active=False)
    assert not orphans.is_subreaper()


def test_the_kernel_s_refusal_is_an_error() -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        orphans._prctl(-1, 0)


@pytest.mark.parametrize(("parent", "lives"), [("None", True), ("os.getppid()", True), ("1_000_000_000", False)])
def test_a_process_whose_parent_was_replaced_ends_at_once(parent: str, lives: bool) -> None:
    code = f"import os\nfrom mcp_queue_plugin.workers import orphans\norphans.die_with_parent({parent})"
    ended = subprocess.run([sys.executable, "-c", code], check=False)
    assert ended.returncode == (0 if lives else -signal.SIGKILL)


def test_a_process_dies_with_its_parent() -> None:
    child = "from mcp_queue_plugin.workers import orphans; orphans.die_with_parent(); print(flush=True); input()"
    parent = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); print(child.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.kill()
    wait_until(lambda: is_gone(pid), seconds=2)


def test_what_carries_a_mark_is_found_wherever_it_has_moved() -> None:
    script = (
        "import os, sys, time; os.fork() or (os.setsid(), os.fork() and os._exit(0)); print(os.getpid(), flush=True)"
    )
    environment = {**os.environ, orphans.MARK: "ours"}
    with subprocess.Popen(
        [sys.executable, "-c", f"{script}; time.sleep(3600)"], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        pids = [int(process.stdout.readline()), int(process.stdout.readline())]
        orphans.kill_marked("another")
        assert not any(map(is_gone, pids))
        orphans.kill_marked("ours")
        assert all(map(is_gone, pids))
