"""Jobs that fail, workers that die, and processes that are no workers at all."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from mcp_queue_plugin.model.operations import EndingKind
from mcp_queue_plugin.workers import process
from mcp_queue_plugin.workers.spawn import WORKER_COMMAND
from tests.unit.workers import jobs
from tests.unit.workers.harness import ROOT, Harness, is_gone, kill_and_wait, living_children, running, setup, until


@pytest.mark.parametrize(
    ("target", "value", "kind"),
    [
        ("fail", "no", "ValueError"),
        ("leave_python", 3, "SystemExit"),
        ("leave_python_async", 3, "SystemExit"),
        ("interrupt", None, "KeyboardInterrupt"),
        ("fail_at_length", None, "ValueError"),
    ],
)
async def test_an_error_of_the_job_fails_the_job_and_not_the_worker(target: str, value: object, kind: str) -> None:
    async with running() as harness:
        ending = await harness.end(target, value)
        assert ending.kind is EndingKind.FAILED
        assert ending.error is not None
        assert ending.error.type == kind
        assert await harness.result("nothing_async", 1) == 1
        assert harness.pool.statistics().started == 1


async def test_a_result_that_is_too_large_fails_the_job() -> None:
    async with running(result_bytes=100) as harness:
        ending = await harness.end("large", 1000)
        assert ending.error is not None
        assert ending.error.type == "ResultTooLarge"
        assert ending.error_kinds == ("ResultTooLarge",)


async def test_an_error_comes_with_the_names_by_which_it_can_be_told() -> None:
    async with running() as harness:
        assert (await harness.end("leave_python", 3)).error_kinds == ("SystemExit", "BaseException")
        odd = await harness.end("fail_oddly")
        assert odd.error_kinds == ("Odd", "no\\udc80module.Odd", "SystemExit", "BaseException")
        assert (await harness.end("echo")).error_kinds == ()


@pytest.mark.parametrize(
    ("target", "value", "says"),
    [
        ("leave_process", 3, "exited with code 3"),
        ("leave_process", 0, "exited with code 0"),
        ("kill_self", signal.SIGKILL, "was killed by SIGKILL"),
        ("kill_self", 40, "was killed by signal 40"),
        ("become_another_program", None, "closed its control socket"),
        ("close_all_descriptors", None, "exited with code 1"),
        ("write_rubbish", None, "a frame announces"),
    ],
)
async def test_a_job_that_ends_its_worker_has_crashed(target: str, value: object, says: str) -> None:
    async with running() as harness:
        first = await harness.result("pid")
        ending = await harness.end(target, value)
        assert ending.kind is EndingKind.CRASHED
        assert ending.error is not None
        assert ending.error.type == "WorkerCrashed"
        assert says in ending.error.message
        if target == "leave_process":
            assert ending.error.traceback_tail == "last words"
        await until(lambda: is_gone(first))
        assert await harness.result("pid") != first
        statistics = harness.pool.statistics()
        assert (statistics.crashed_total, statistics.last_error) == (1, ending.error.message)


async def test_a_job_that_dies_without_a_word_does_not_show_the_words_of_another() -> None:
    async with running() as harness:
        await harness.end("say_on_both", "secret")
        ending = await harness.end("kill_self", signal.SIGKILL)
        assert ending.error is not None
        assert ending.error.traceback_tail is None


async def test_the_kernel_would_end_a_worker_before_its_engine() -> None:
    async with running() as harness:
        assert await harness.result("oom_scores") == [500, 500]
        assert max(jobs.oom_scores(None)) < 500


async def test_an_idle_worker_that_is_killed_is_replaced() -> None:
    async with running() as harness:
        first = await harness.result("pid")
        os.kill(first, signal.SIGKILL)
        assert await harness.result_of_another_worker(first)
        assert harness.pool.statistics().crashed_total == 1
        assert harness.broken == []


async def test_a_job_given_to_a_worker_that_has_just_died_is_taken_back() -> None:
    async with running() as harness:
        kill_and_wait(await harness.result("pid"))
        token = await harness.start("echo")
        await until(lambda: harness.recalled)
        assert harness.recalled == [token]
        assert await harness.result("echo", 1) == 1
        assert harness.pool.statistics().crashed_total == 1


async def test_an_idle_worker_that_speaks_out_of_turn_is_replaced(tmp_path: Path) -> None:
    async with fake(tmp_path, READY + "socket.send(bytes([0, 0, 0, 0, 0, 0, 99])); time.sleep(3600)") as harness:
        await until(lambda: harness.broken)
        assert "a frame of kind 99 while IDLE" in harness.broken[0].message


async def test_a_runner_that_cannot_be_made_is_told_with_traceback_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running("raising") as harness:
        await until(lambda: len(harness.broken) == 2)
        error = harness.broken[0]
        assert "LookupError: no runner today" in error.message
        assert "Traceback" in error.data["traceback"]
        assert harness.pool.statistics().last_error == harness.broken[1].message
        harness.pool.warm_up(setup())
        assert await harness.result("echo", "better") == "better"


@pytest.mark.parametrize(
    ("runner", "timeout_seconds", "says"),
    [
        ("hanging", 1.0, "was not ready within 1 s"),
        ("exiting", 20.0, "exited with code 7"),
        ("nowhere", 20.0, "could not be set up: AttributeError"),
    ],
)
async def test_a_worker_that_does_not_become_ready_is_told(runner: str, timeout_seconds: float, says: str) -> None:
    async with running(runner, start_timeout_seconds=timeout_seconds) as harness:
        await until(lambda: harness.broken)
        assert says in harness.broken[0].message
        assert harness.pool.free() == 0
        tail = harness.broken[0].data["stderr_tail"]
        if runner == "exiting":
            assert tail == "gone before it began"
        if runner == "hanging":
            assert "in hanging" in tail.partition("(most recent call first):")[2]


async def test_a_worker_that_hangs_at_its_start_and_is_deaf_to_sigterm_is_killed() -> None:
    async with running("hanging_deaf", start_timeout_seconds=1.0) as harness:
        await until(lambda: harness.broken)
        assert "was not ready within 1 s" in harness.broken[0].message


async def test_a_program_that_cannot_be_started_is_told() -> None:
    async with running(command=("/nowhere/python",)) as harness:
        assert "could not be started" in harness.broken[0].message
        assert harness.pool.statistics().starting == 0


READY = """
import os, socket, sys, time
inbox = socket.socket(fileno=int(sys.argv[2]))
socket = socket.socket(fileno=int(sys.argv[1]))
def send(kind, header, payload=b""):
    socket.send(len(payload).to_bytes(4, "big") + len(header).to_bytes(2, "big") + bytes([kind]) + header + payload)
socket.recv(65536)
send(16, b"null", b"{}")
"""


def fake(folder: Path, code: str) -> AbstractAsyncContextManager[Harness]:
    """A pool whose workers execute ``code``."""
    script = folder / "fake.py"
    script.write_text(code)
    return running(command=(sys.executable, str(script)))


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("os.write(int(sys.argv[1]), b'Hello, this is no frame')", "a frame announces"),
        ("os.write(int(sys.argv[1]), bytes([0, 0, 0, 0, 0, 2, 16]) + b'{}')", "is not a Ready"),
        ("os.close(int(sys.argv[1]))", "closed its control socket"),
    ],
)
async def test_a_process_that_is_no_worker_is_ended(tmp_path: Path, code: str, says: str) -> None:
    async with fake(tmp_path, f"import os, sys, time\n{code}\ntime.sleep(3600)") as harness:
        await until(lambda: harness.broken)
        assert says in harness.broken[0].message


async def test_a_broken_worker_that_does_not_go_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "RETIRE_SECONDS", 0.05)
    code = READY.replace('16, b"null", b"{}"', """17, b"null", b'{"error":"E","traceback":"T"}'""") + "time.sleep(3600)"
    async with fake(tmp_path, code) as harness:
        await until(lambda: harness.broken)
        assert harness.broken[0].message.endswith("could not be set up: E")
        assert harness.broken[0].data["traceback"] == "T"


async def test_a_worker_that_ignores_its_retirement_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "RETIRE_SECONDS", 0.05)
    async with fake(tmp_path, READY + "time.sleep(3600)") as harness:
        await until(lambda: harness.pool.free())
        assert await harness.pool.close(20) == []
        assert harness.pool.statistics().pids == ()


async def test_frames_of_another_attempt_are_dropped(tmp_path: Path) -> None:
    code = READY + (
        "inbox.recv(65536)\n"
        'for token in (b\'{"uid":7,"attempt":1}\', b\'{"uid":1,"attempt":1}\'):\n'
        '    send(18, b\'{"token":%b,"changes":{"progress":%d}}\' % (token, len(token)))\n'
        '    send(19, b\'{"token":%b,"kind":"completed","has_result":true}\' % token, token)\n'
        "time.sleep(3600)"
    )
    async with fake(tmp_path, code) as harness:
        token = await harness.start("echo")
        assert (await harness.ending(token)).result == b'{"uid":1,"attempt":1}'
        assert list(harness.progress) == [token]


async def test_a_result_sent_just_before_death_counts(tmp_path: Path) -> None:
    code = READY + (
        "inbox.recv(65536); print('worked', flush=True)\n"
        'send(19, b\'{"token":{"uid":1,"attempt":1},"kind":"completed","has_result":true,"unread":true}\', b"1")\n'
        "os._exit(1)"
    )
    async with fake(tmp_path, code) as harness:
        token = await harness.start("echo")
        assert (await harness.ending(token)).result == b"1"
        assert harness.text(token) == "worked\n"


async def test_a_large_result_sent_just_before_death_arrives_whole(tmp_path: Path) -> None:
    code = READY + (
        "inbox.recv(65536)\n"
        'send(19, b\'{"token":{"uid":1,"attempt":1},"kind":"completed","has_result":true}\', b"x" * 150_000)\n'
        "os._exit(1)"
    )
    async with fake(tmp_path, code) as harness:
        assert (await harness.end("echo")).result == b"x" * 150_000


async def test_a_worker_that_dies_as_soon_as_it_is_ready_is_not_replaced_in_a_busy_loop(tmp_path: Path) -> None:
    async with fake(tmp_path, READY + "os._exit(5)") as harness:
        await until(lambda: harness.broken)
        assert "exited with code 5" in harness.broken[0].message
        assert harness.pool.statistics().starting == 0


async def test_a_job_is_sent_in_full_to_a_worker_that_reads_late(tmp_path: Path) -> None:
    code = READY + (
        "time.sleep(0.1); got = 0\n"
        "while got < 2_000_000: got += len(socket.recv(65536))\n"
        'send(19, b\'{"token":{"uid":1,"attempt":1},"kind":"stopped"}\')\n'
        "time.sleep(3600)"
    )
    async with fake(tmp_path, code) as harness:
        token = await harness.start("echo", "x" * 2_000_000)
        harness.pool.stop(token, 3600)
        assert (await harness.ending(token)).kind is EndingKind.STOPPED


async def test_workers_die_with_the_process_that_started_them(tmp_path: Path) -> None:
    code = (
        "import asyncio, os, signal\n"
        "from tests.unit.workers.harness import running, until\n"
        "async def main():\n"
        "    async with running() as harness:\n"
        "        print(await harness.result('pid'), flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())"
    )
    host = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
    output, _ = await host.communicate()
    await until(lambda: is_gone(int(output)), seconds=2)


async def test_a_worker_whose_engine_never_speaks_ends_quietly() -> None:
    ours, control = socket.socketpair()
    writing, inbox = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with control, inbox:
        descriptors = control.fileno(), inbox.fileno()
        worker = await asyncio.create_subprocess_exec(*WORKER_COMMAND, *map(str, descriptors), pass_fds=descriptors)
    ours.close()
    writing.close()
    assert await worker.wait() == 0
    assert worker.pid not in living_children()
