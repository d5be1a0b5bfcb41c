"""What the benchmark makes of its figures: statistics, orders, goals and tables."""

from __future__ import annotations

import msgspec
import pytest

from bench import document, goals, load, mcp_client, report, rounds
from bench.scenarios import mcp_clients
from bench.statistics import Spread, centile, spread


def test_a_centile_is_one_of_the_values() -> None:
    values = [float(number) for number in range(1, 101)]
    assert (centile(values, 50), centile(values, 99), centile(values, 100)) == (50, 99, 100)
    assert centile([7.0], 1) == 7
    with pytest.raises(ValueError, match="no values"):
        centile([], 50)


def test_a_spread_has_the_median_and_both_ends() -> None:
    assert spread([3, 1, 2]) == Spread(median=2, lowest=1, highest=3)


@pytest.mark.parametrize(("jobs", "clients"), [(10, 3), (2, 64), (64, 64), (1, 1)])
def test_clients_share_all_jobs(jobs: int, clients: int) -> None:
    shares = load.shares(jobs, clients)
    assert sum(shares) == jobs
    assert len(shares) == min(jobs, clients)
    assert max(shares) - min(shares) <= 1


def test_every_round_has_every_system_and_the_order_moves() -> None:
    systems = ["a", "b", "c", "d"]
    orders = [rounds.order_of(systems, number) for number in range(8)]
    assert all(sorted(order) == systems for order in orders)
    assert orders[0] == systems
    assert orders[1] == systems[::-1]
    assert {order[0] for order in orders} == set(systems)


def test_times_with_clients_and_without_take_turns() -> None:
    assert mcp_clients.turns(3) == [False, True, True, False, False, True]


def test_a_request_of_mcp_says_in_its_headers_what_it_is() -> None:
    head, body = mcp_client.task_get("some-id").split(b"\r\n\r\n")
    assert {b"Mcp-Method: tasks/get", b"Mcp-Name: some-id", b"Content-Length: %d" % len(body)} < set(head.splitlines())
    assert msgspec.json.decode(body)["params"] == {"taskId": "some-id", "_meta": mcp_client.META}
    assert b"Mcp-Name" not in mcp_client.message("tools/list", {})


def test_the_best_load_counts() -> None:
    assert goals.best_throughput({"burst_64_jobs_per_second": 10, "callers_256_jobs_per_second": 20}) == 20
    with pytest.raises(KeyError):
        goals.best_throughput({"idle_p50_ms": 1})


def test_goals_are_judged_where_their_figures_are() -> None:
    medians = {
        "ours": {"burst_64_jobs_per_second": 4000.0, "idle_p50_ms": 2.0},
        "huey": {"callers_64_jobs_per_second": 2000.0},
    }
    judged = {each.goal.text: (each.value, each.holds) for each in goals.judgements(medians)}
    assert judged == {
        "no-op jobs/s, durable, best load": (4000, False),
        "throughput ÷ Huey's (SQLite)": (2, True),
        "idle p50, in process, ms": (2, True),
    }


def test_tables() -> None:
    spreads = {"ours": {"idle_p50_ms": Spread(1.234, 1, 2), "jsonrpc_idle_ratio": Spread(3, 3, 3)}, "peer": {}}
    titles = {"ours": "Ours", "peer": "Peer"}
    assert report.systems_table(spreads, titles) == (
        "| system | idle p50, ms |\n| --- | --- |\n| Ours | 1.23 (1 to 2) |\n"
    )
    assert (
        report.own_table(spreads["ours"]) == "| figure | ours |\n| --- | --- |\n| `jsonrpc_idle_ratio` | 3 (3 to 3) |\n"
    )
    assert report.cell(None) == report.MISSING
    assert report.number(12345.6) == "12,346"
    goal = goals.Goal("speed", lambda medians: medians["ours"]["x"], 10, at_least=True)
    judged = [goals.Judgement(goal, 9.5, holds=False)]
    assert report.goals_table(judged).splitlines()[-1] == "| speed | ≥ 10 | 9.5 | **does not hold** |"


def test_sections_go_into_their_places_again_and_again() -> None:
    page = "# A\n<!-- bench: goals -->\nold\n<!-- end -->\nkept\n<!-- bench: own -->\n<!-- end -->\n"
    once = document.filled(page, {"goals": "new", "own": ""})
    assert once == "# A\n<!-- bench: goals -->\n\nnew\n<!-- end -->\nkept\n<!-- bench: own -->\n\n\n<!-- end -->\n"
    assert document.filled(once, {"goals": "new", "own": ""}) == once
    with pytest.raises(KeyError, match="own"):
        document.filled(page, {"goals": "new"})
