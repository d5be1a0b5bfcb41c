"""``mcp-queue bench``: what it measures, and what it says when it cannot."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

import psutil
import pytest

from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.cli.bench_load import NOOP, Load
from mcp_queue_plugin.cli.soak import Holding, Soak, in_words, trends_of
from mcp_queue_plugin.errors import EngineNotRunning, QueueError
from mcp_queue_plugin.settings import load_settings
from tests.unit.cli.program import execute, start, until_there

MEASURED = ("jobs_per_second", "cpu_us_per_job", "engine_cpu_us_per_job", "idle_p50_ms", "idle_p99_ms")


def test_a_bench_answers_its_figures_and_nothing_else(tmp_path: Path) -> None:
    load = ("--pending", "300", "--queues", "3")
    done = execute("bench", "--seconds", "1", "--workers", "1", *load, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    measured = {name: figures.pop(name) for name in MEASURED}
    assert figures == {"workers": 1, "pending": 300, "queues": 3, "durability": "full"}
    assert all(figure > 0 for figure in measured.values())
    assert measured["engine_cpu_us_per_job"] < measured["cpu_us_per_job"]
    assert not list(tmp_path.iterdir())


def test_a_bench_does_not_look_at_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_QUEUE__WORKERS__MIN", "many")
    monkeypatch.setenv("MCP_QUEUE__NO_SUCH_SETTING", "1")
    done = execute("bench", "--seconds", "1", "--workers", "1", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["workers"] == 1


def test_a_bench_that_loses_its_queue_says_so_like_every_command(tmp_path: Path) -> None:
    with start("bench", "--seconds", "3600", "--workers", "1", "--json", folder=tmp_path) as bench:
        (engine,) = until_there(lambda: psutil.Process(bench.pid).children())
        until_there(engine.children)
        engine.kill()
        output, complaints = bench.communicate(timeout=60)
    assert bench.returncode == 1, complaints
    assert "Traceback" not in complaints
    assert json.loads(output)["error"]["domain_code"] == "ENGINE_UNAVAILABLE"


def test_a_soak_watches_every_kind_of_process(tmp_path: Path) -> None:
    done = execute("bench", "--soak", "--jobs", "4000", "--workers", "1", "--pending", "20", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    soaked = json.loads(done.stdout)
    assert soaked["jobs"] >= 4000
    assert (soaked["growing"], soaked["workers"], soaked["pending"]) == ([], 1, 20)
    assert soaked["processes"].keys() == {"server", "warden", "engine", "worker"}
    for trends in soaked["processes"].values():
        assert trends.keys() == {"descriptors", "threads", "rss_bytes"}
        for trend in trends.values():
            assert 0 < trend["first"] <= trend["highest"] >= trend["last"] > 0


def test_a_soak_is_told_in_words(tmp_path: Path) -> None:
    done = execute("bench", "--soak", "--jobs", "200", "--workers", "1", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^server +descriptors +\d+\.0 ", done.stdout, re.MULTILINE)
    assert re.search(r"^worker +RSS \(MiB\) ", done.stdout, re.MULTILINE)
    assert done.stdout.endswith("nothing grows\n")


def test_a_soak_that_finds_growth_says_what_grows_and_fails() -> None:
    holdings = [(jobs, {"server": Holding(10 + jobs, 3, 1_000_000)}) for jobs in range(100)]
    soaked = Soak(jobs=99, seconds=1.0, processes=trends_of(holdings))
    assert soaked.growing == ["server.descriptors"]
    lines = list(in_words(soaked))
    assert [line for line in lines if line.endswith("GROWS")] == [line for line in lines if "descriptors  " in line]
    assert lines[-1] == "growing: server.descriptors"


async def test_the_error_of_one_caller_is_the_error_of_all() -> None:
    manager = QueueManagerIntegration.from_settings(load_settings({}, environ={}))
    load = Load(manager, ["default"])
    with pytest.raises(EngineNotRunning):
        await load.run(4, partial(load.cost, 60))


async def test_a_job_that_does_not_complete_is_an_error() -> None:
    manager = QueueManagerIntegration.from_settings(load_settings({}, environ={}))
    load = Load(manager, ["default"])
    await manager.start()
    try:
        with pytest.raises(QueueError, match=rf"job .* is failed: .*{NOOP}"):
            await load.run(1, partial(load.cost, 60))
    finally:
        await manager.stop()
