"""The benchmark itself, so that it cannot rot: a few jobs of ours and of what needs nothing installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import goals, peers, scenarios
from bench.__main__ import spreads_of, written_report
from bench.child import Order, measure
from bench.rounds import Outcome, outcomes
from bench.scenarios import mcp_clients

INSTALLED = (peers.OURS, "process-pool", "limit-4")
SECONDS = 0.05


def test_every_system_and_scenario_has_a_module() -> None:
    folder = Path(peers.__file__).parent
    assert {f"{name}.py" for name in peers.MODULES.values()} <= {path.name for path in folder.iterdir()}
    folder = Path(scenarios.__file__).parent
    modules = {*scenarios.SHARED.values(), *scenarios.OWN.values()}
    assert {f"{name}.py" for name in modules} == {path.name for path in folder.glob("[!_]*.py")}


@pytest.mark.parametrize("system", INSTALLED)
async def test_a_system_is_measured(system: str, tmp_path: Path) -> None:
    order = Order(system, list(scenarios.SHARED), str(tmp_path), str(tmp_path / "answer"), workers=2, seconds=SECONDS)
    figures = await measure(order)
    assert {*goals.THROUGHPUT, "idle_p50_ms", "idle_p99_ms"} < set(figures)
    assert all(value > 0 for value in figures.values())


async def test_jobs_over_json_rpc_are_measured(tmp_path: Path) -> None:
    order = Order(peers.OURS, ["jsonrpc"], str(tmp_path), str(tmp_path / "answer"), workers=2, seconds=SECONDS)
    figures = await measure(order)
    assert figures["jsonrpc_idle_ratio"] > 1
    assert figures["jsonrpc_submit_running_per_second"] > 0


async def test_mcp_clients_are_measured(tmp_path: Path) -> None:
    terms = mcp_clients.Terms(
        clients=10, young_seconds=0, older_seconds=0, old_seconds=0, idle_seconds=SECONDS, windows=2
    )
    figures = await mcp_clients.measure(tmp_path, 0.6, terms)
    assert figures["mcp_get_per_second"] > 0
    for name in ("young", "older", "old"):
        assert figures[f"mcp_{name}_gets_per_second"] > 0
        assert figures[f"mcp_{name}_ratio"] > 0
    judged = {each.goal.text for each in goals.judgements({"ours": figures})}
    assert sum("MCP" in text for text in judged) == 5


def test_a_round_makes_a_report(tmp_path: Path) -> None:
    measured = list(outcomes(["process-pool"], ["idle"], rounds=2, seconds=SECONDS, workers=1))
    assert [(outcome.round, outcome.error) for outcome in measured] == [(1, None), (2, None)]
    report = written_report(measured, tmp_path)
    assert "| ProcessPoolExecutor |" in report
    assert (tmp_path / "report.md").read_text() == report


def test_a_failure_is_told_and_not_averaged_in() -> None:
    (failed,) = outcomes(["process-pool"], ["idle"], rounds=1, seconds=SECONDS, workers=-1)
    assert failed.error is not None
    assert "max_workers" in failed.error
    good = Outcome(1, "process-pool", 1.0, {"idle_p50_ms": 2.0})
    assert spreads_of([failed, good])["process-pool"]["idle_p50_ms"].median == 2
