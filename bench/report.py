"""Figures to Markdown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.goals import Judgement
from bench.statistics import Spread

Spreads = Mapping[str, Mapping[str, Spread]]
"""By system, by figure."""

SHARED_COLUMNS = {
    "idle_p50_ms": "idle p50, ms",
    "idle_p99_ms": "idle p99, ms",
    "burst_64_jobs_per_second": "burst, 64 clients, jobs/s",
    "burst_256_jobs_per_second": "burst, 256 clients, jobs/s",
    "callers_64_jobs_per_second": "64 callers, jobs/s",
    "callers_256_jobs_per_second": "256 callers, jobs/s",
    "cpu_10_ms_jobs_per_second": "10 ms CPU, jobs/s",
    "payload_1_mb_jobs_per_second": "1 MB in and out, jobs/s",
}
MISSING = "-"
THREE_DIGITS = 100


def systems_table(spreads: Spreads, titles: Mapping[str, str]) -> str:
    """A row per system, a column per shared figure: the median, and lowest to highest beside it."""
    measured = {name for figures in spreads.values() for name in figures}
    columns = {name: title for name, title in SHARED_COLUMNS.items() if name in measured}
    rows = [
        [titles[system], *(cell(spreads[system].get(name)) for name in columns)]
        for system in titles
        if any(name in spreads.get(system, {}) for name in columns)
    ]
    return _table(["system", *columns.values()], rows) if rows else ""


def own_table(figures: Mapping[str, Spread]) -> str:
    """A row per figure that only ours has."""
    rows = [[f"`{name}`", cell(value)] for name, value in figures.items() if name not in SHARED_COLUMNS]
    return _table(["figure", "ours"], rows) if rows else ""


def goals_table(judgements: Sequence[Judgement]) -> str:
    """A row per goal."""
    rows = [
        [
            judgement.goal.text,
            f"{'≥' if judgement.goal.at_least else '≤'} {judgement.goal.bound:,g}",
            number(judgement.value),
            "holds" if judgement.holds else "**does not hold**",
        ]
        for judgement in judgements
    ]
    return _table(["goal", "bound", "measured", ""], rows) if rows else ""


def settings_table(titles: Mapping[str, str], versions: Mapping[str, str], settings: Mapping[str, str]) -> str:
    """A row per system: how it was set up."""
    return _table(["system", "versions", "settings"], [[titles[s], versions[s], settings[s]] for s in titles])


def cell(value: Spread | None) -> str:
    """A median with its spread."""
    if value is None:
        return MISSING
    return f"{number(value.median)} ({number(value.lowest)} to {number(value.highest)})"


def number(value: float) -> str:
    """Three digits that count, or all of them before the point."""
    if abs(value) >= THREE_DIGITS:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
