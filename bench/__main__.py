"""``python -m bench``: measure the systems in alternating rounds and write a table and a plot."""

from __future__ import annotations

import importlib.util
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from bench import goals, machine, peers, report, scenarios
from bench.peers.protocol import Peer
from bench.programs import ROOT
from bench.rounds import Outcome, outcomes
from bench.statistics import Spread, spread

RESULTS = ROOT / "bench" / "results"
SCENARIOS = (*scenarios.SHARED, *scenarios.OWN)


def _names(allowed: Sequence[str]) -> Any:
    def split(_context: click.Context, _parameter: click.Parameter, text: str) -> list[str]:
        chosen = text.split(",") if text else list(allowed)
        unknown = [name for name in chosen if name not in allowed]
        if unknown:
            raise click.BadParameter(f"{', '.join(unknown)}: choose from {', '.join(allowed)}")
        return [name for name in allowed if name in chosen]

    return split


@click.command()
@click.option("--rounds", type=click.IntRange(1, 100), default=5, show_default=True, help="Every system once in each.")
@click.option("--peers", "systems", default="", callback=_names(tuple(peers.MODULES)), help="Systems, with commas.")
@click.option("--scenarios", "names", default="", callback=_names(SCENARIOS), help="Scenarios, with commas.")
@click.option("--seconds", type=click.FloatRange(0.1, 600), default=2.0, show_default=True, help="For each figure.")
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Worker processes.")
@click.option("--results", type=click.Path(path_type=Path), default=RESULTS, help="The folder to write to.")
@click.option("--json", "as_json", is_flag=True, help="Print every round's figures as JSON instead of the tables.")
def main(
    rounds: int, systems: list[str], names: list[str], seconds: float, workers: int, results: Path, as_json: bool
) -> None:
    """Measure ours and the peers side by side; report.md, rounds.json and plot.svg go to the results folder."""
    results.mkdir(parents=True, exist_ok=True)
    measured = []
    for outcome in outcomes(systems, names, rounds, seconds, workers):
        measured.append(outcome)
        (results / "rounds.json").write_bytes(msgspec.json.encode(measured))
        said = outcome.error or ", ".join(f"{name} {value:,.4g}" for name, value in outcome.figures.items())
        click.echo(f"round {outcome.round} {outcome.system} ({outcome.seconds:.0f} s): {said}", err=True)
    text = written_report(measured, results)
    click.echo(msgspec.json.encode(measured).decode() if as_json else text)
    if any(outcome.error for outcome in measured):
        raise SystemExit(1)


def spreads_of(measured: Sequence[Outcome]) -> dict[str, dict[str, Spread]]:
    """The spread of each figure of each system over the rounds that have it."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for outcome in measured:
        for name, value in outcome.figures.items():
            values[outcome.system][name].append(value)
    return {system: {name: spread(rounds) for name, rounds in names.items()} for system, names in values.items()}


def written_report(measured: Sequence[Outcome], results: Path) -> str:
    """Write report.md, and plot.svg where matplotlib is installed; the report."""
    sections = sections_of(measured, results, results / "plot.svg")
    text = "\n".join(section for section in sections.values() if section)
    (results / "report.md").write_text(text)
    return text


def sections_of(measured: Sequence[Outcome], stores: Path, plot: Path) -> dict[str, str]:
    """The tables, by name, of what was measured with stores on the file system of ``stores``; and ``plot`` drawn."""
    spreads = spreads_of(measured)
    loaded = {name: peers.load(name) for name in peers.MODULES if name in spreads}
    titles = {name: peer.name for name, peer in loaded.items()}
    medians = {system: {name: value.median for name, value in figures.items()} for system, figures in spreads.items()}
    if importlib.util.find_spec("matplotlib"):
        from bench.plot import draw

        draw(plot, spreads, titles, peers.OURS)
    return {
        "systems": report.systems_table(spreads, titles),
        "own": report.own_table(spreads.get(peers.OURS, {})),
        "goals": report.goals_table(goals.judgements(medians)),
        "settings": _settings(loaded),
        "machine": "; ".join(f"{name}: {value}" for name, value in machine.facts(stores).items()) + "\n",
    }


def _settings(loaded: dict[str, Peer]) -> str:
    versions = {
        name: ", ".join(f"{package} {found}" for package, found in machine.versions(peer.packages).items())
        for name, peer in loaded.items()
    }
    titles = {name: peer.name for name, peer in loaded.items()}
    return report.settings_table(titles, versions, {name: peer.settings for name, peer in loaded.items()})


if __name__ == "__main__":
    main()
