"""A process dies at the point that it is armed for, and nowhere else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_queue_plugin.crash_points import ARMED_BY, CrashPoint, Fuse, fuse_of
from mcp_queue_plugin.model.operations import Add, Applied, Done, Outcome, Refusal, Refused, Retry, Start, Stop, Sweep
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.commit_points import COMMITTED, WRITTEN, changing
from tests.unit.model.jobs import job_in

REACHES_TWICE = """
from mcp_queue_plugin.crash_points import CrashPoint, reach, reach_each
reach(CrashPoint.CLAIM_COMMITTED)
print("once", flush=True)
reach_each({int: CrashPoint.CLAIM_WRITTEN, str: CrashPoint.CLAIM_COMMITTED}, [1, "one", None])
print("twice", flush=True)
"""


def run(point: str | None, program: str = REACHES_TWICE) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != ARMED_BY}
    if point is not None:
        environment[ARMED_BY] = point
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.fixture
def fuse(tmp_path: Path) -> Path:
    path = tmp_path / "a:fuse"
    path.touch()
    return path


def test_it_dies_at_its_point_and_burns_the_fuse(fuse: Path) -> None:
    done = run(f"engine:claim-committed:2:{fuse}")
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "once\n")
    assert not fuse.exists()


def test_it_kills_another_whose_id_stands_in_the_fuse(fuse: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as victim:
        fuse.write_text(str(victim.pid))
        done = run(f"engine:claim-committed:1:{fuse}")
        assert victim.wait(timeout=30) == -signal.SIGKILL
    assert (done.returncode, done.stdout) == (0, "once\ntwice\n")
    assert not fuse.exists()


def test_without_its_fuse_it_lives_on(tmp_path: Path) -> None:
    done = run(f"engine:claim-committed:1:{tmp_path / 'none'}")
    assert (done.returncode, done.stdout) == (0, "once\ntwice\n")


@pytest.mark.parametrize("point", ["engine:claim-committed:3", "engine:claim-written:2", "worker:result-sent:1"])
def test_a_point_that_is_not_reached_so_often_kills_nobody(fuse: Path, point: str) -> None:
    done = run(f"{point}:{fuse}")
    assert (done.returncode, done.stdout) == (0, "once\ntwice\n")
    assert fuse.exists()


def test_unarmed_it_does_nothing() -> None:
    assert run(None).stdout == "once\ntwice\n"


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("engine:clam-committed:1:/fuse", "names no crash point: 'engine:clam-committed'; there are: engine:subm"),
        ("worker:claim-committed:1:/fuse", "names no crash point"),
        ("engine:claim-committed", "must be PROCESS:POINT:COUNT:FUSE"),
        ("engine:claim-committed:0:/fuse", "must be PROCESS:POINT:COUNT:FUSE"),
        ("engine:claim-committed:x:/fuse", "must be PROCESS:POINT:COUNT:FUSE"),
        ("engine:claim-committed:1:", "must be PROCESS:POINT:COUNT:FUSE"),
        ("", "must be PROCESS:POINT:COUNT:FUSE"),
    ],
)
def test_what_names_no_point_is_refused_loudly(value: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        fuse_of(value)


def test_a_process_that_is_armed_wrongly_does_not_start() -> None:
    done = run("engine:clam-committed:1:/fuse")
    assert done.returncode == 1
    assert "names no crash point" in done.stderr


def test_a_fuse_that_another_process_has_burnt_kills_nobody(fuse: Path) -> None:
    armed = fuse_of(f"engine:run-sent:1:{fuse}")
    assert isinstance(armed, Fuse)
    fuse.unlink()
    armed.reach(CrashPoint.RUN_SENT)


def test_the_points_of_a_commit_are_told_apart_by_what_they_are_of() -> None:
    assert len(set(WRITTEN.values())) == len(WRITTEN)
    assert len(set(COMMITTED.values())) == len(COMMITTED)
    for operation, point in WRITTEN.items():
        assert COMMITTED[operation] == point.replace("written", "committed")


def test_what_changes_nothing_reaches_no_point_of_a_commit() -> None:
    job = job_in(State.QUEUED)
    start, stop, retry = Start("a"), Stop("b"), Retry(job_id="c")
    idle, busy = (Sweep(tombstones=False, age_seconds=1.0, limit=limit) for limit in (1, 2))
    outcomes: list[Outcome] = [
        Applied(job),
        Applied(job, changed=False),
        Refused(Refusal.NOT_FOUND),
        Done(),
        Done(removed=1),
    ]
    assert list(changing([start, stop, retry, idle, busy], outcomes)) == [start, busy]
    assert Add in COMMITTED
