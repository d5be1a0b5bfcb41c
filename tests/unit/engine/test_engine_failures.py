"""An engine that does not start, that dies, or that does not end; and what is left of it all: nothing."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from mcp_queue_plugin.engine import connection as connection_module
from mcp_queue_plugin.engine import process as process_module
from mcp_queue_plugin.engine.client import EngineClient
from mcp_queue_plugin.engine.process import EngineProcess
from mcp_queue_plugin.errors import EngineNotRunning, EngineStartFailed, StoreInUse, StoreRefused
from tests.unit.engine.client import Notices, connected, end, engine_of, submit, warden_of
from tests.unit.engine.harness import options
from tests.unit.workers.harness import is_gone, living_children, open_descriptors, until


def interpreter(folder: Path, script: str) -> str:
    """Something that is started in place of the engine's interpreter."""
    path = folder / "interpreter"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


async def refused_start(folder: Path, **changes: object) -> EngineStartFailed:
    client = EngineClient(Notices())
    children = living_children()
    with pytest.raises(EngineStartFailed) as failure:
        await client.start(options(path=str(folder / "queue.db"), **changes))
    assert (client.is_running, client.pid) == (False, None)
    assert living_children() <= children
    with pytest.raises(EngineNotRunning):
        await client.health()
    return failure.value


async def test_a_host_that_dies_at_once_is_told_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", interpreter(tmp_path, "echo 'no such luck' >&2; exit 3"))
    failure = await refused_start(tmp_path)
    assert "its process ended" in failure.message
    assert "exit code 3" in failure.message
    assert "no such luck" in failure.message


async def test_a_host_that_hangs_is_killed_after_the_start_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_module, "END_TIMEOUT_SECONDS", 0.1)
    monkeypatch.setattr(sys, "executable", interpreter(tmp_path, "echo 'thinking' >&2; exec sleep 3600"))
    begin = time.monotonic()
    failure = await refused_start(tmp_path, start_timeout_seconds=0.3)
    assert "did not answer within 0.3 s" in failure.message
    assert "thinking" in failure.message
    assert time.monotonic() - begin < 5


async def test_a_host_that_cannot_import_shows_its_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "msgspec.py").write_text("raise ImportError('not this one')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    failure = await refused_start(tmp_path)
    assert "Traceback" in failure.message
    assert "ImportError: not this one" in failure.message


async def test_an_interpreter_that_is_not_there_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    descriptors = open_descriptors()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    await refused_start(tmp_path)
    gc.collect()
    assert open_descriptors() <= descriptors


async def test_a_refused_store_is_told_as_what_it_is_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "queue.jsonl"
    path.write_text('{"job_id": "old"}\n')
    client = EngineClient(Notices())
    children, descriptors = living_children(), open_descriptors()
    with pytest.raises(StoreRefused):
        await client.start(options(path=str(path), temporary=False))
    assert path.read_text() == '{"job_id": "old"}\n'
    assert not client.is_running
    assert living_children() <= children
    assert open_descriptors() <= descriptors
    await client.close(0)


async def test_a_second_engine_on_a_store_is_refused_by_name(tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        second = EngineClient(Notices())
        with pytest.raises(StoreInUse, match=f"process id {os.getpid()}") as refusal:
            await second.start(options(path=str(tmp_path / "queue.db"), temporary=False))
        assert refusal.value.data["pid"] == os.getpid()
        assert (await client.health()).issues == ()


async def test_a_path_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    client = EngineClient(Notices())
    with pytest.raises(Exception, match=r"file/queue\.db") as failure:
        await client.start(options(path=str(tmp_path / "file" / "queue.db"), temporary=False))
    assert type(failure.value).__name__ == "StoreUnavailable"


async def test_closing_after_a_loss_leaves_nothing(tmp_path: Path) -> None:
    descriptors, children = open_descriptors(), living_children()
    notices = Notices()
    async with connected(tmp_path, notices) as client:
        engine_of(client).kill()
        await until(lambda: notices.lost)
    assert (client.is_running, client.pid) == (False, None)
    gc.collect()
    assert open_descriptors() <= descriptors
    assert living_children() <= children


@pytest.mark.parametrize("frozen", ["engine", "warden"])
async def test_an_engine_that_does_not_end_is_killed(
    frozen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection_module, "CLOSE_EXTRA_SECONDS", 0.2)
    monkeypatch.setattr(process_module, "END_TIMEOUT_SECONDS", 0.2)
    async with connected(tmp_path, warm=True) as client:
        await submit(client, "a", "hold", f'"{tmp_path / "never"}"'.encode())
        all_of_it = [warden_of(client), *warden_of(client).children(recursive=True)]
        (engine_of if frozen == "engine" else warden_of)(client).suspend()
        await client.close(0)
        await until(lambda: all(is_gone(process.pid) for process in all_of_it), seconds=2)
    assert ("did not end orderly" in caplog.text) is (frozen == "engine")


async def test_ctrl_c_and_termination_of_the_group_do_not_reach_the_engine(tmp_path: Path) -> None:
    async with connected(tmp_path, warm=True) as client:
        for process in (warden_of(client), engine_of(client)):
            assert os.getpgid(process.pid) != os.getpgrp()
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                process.send_signal(number)
        await submit(client, "a")
        assert (await end(client, "a")).result == b"1"


async def test_an_engine_ends_when_its_server_closes_the_border_without_a_word(tmp_path: Path) -> None:
    process = EngineProcess.spawn()
    pid = process.pid
    process.socket.close()
    process.end()
    assert is_gone(pid)


async def test_what_an_ended_process_said_is_kept_to_its_last_kibibytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "i=0; while [ $i -lt 3000 ]; do echo line $i >&2; i=$((i+1)); done; kill -9 $$"
    monkeypatch.setattr(sys, "executable", interpreter(tmp_path, script))
    process = EngineProcess.spawn()
    await until(lambda: is_gone(process.pid))
    words = process.describe_end()
    process.socket.close()
    process.end()
    assert "ended with signal 9" in words
    assert words.endswith("line 2999")
    assert len(words) < process_module.STDERR_TAIL_BYTES + 200


async def test_twenty_starts_and_stops_leave_no_descriptor_thread_or_process(tmp_path: Path) -> None:
    async def cycle(number: int) -> None:
        async with connected(tmp_path, warm=number % 5 == 0) as client:
            await submit(client, f"job {number}")
            if number % 5 == 0:
                await end(client, f"job {number}")

    await cycle(0)
    gc.collect()
    children, descriptors, threads = living_children(), open_descriptors(), threading.active_count()
    for number in range(1, 21):
        await cycle(number)
    gc.collect()
    assert living_children() <= children
    assert open_descriptors() <= descriptors
    assert threading.active_count() <= threads
