"""The systems as an SVG: throughput and idle latency, on logarithmic scales, with the spread."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.goals import THROUGHPUT
from bench.report import Spreads
from bench.statistics import Spread

PANELS = {"no-op jobs per second, best load": THROUGHPUT, "idle submit to end, p50 in ms": ("idle_p50_ms",)}
OURS_COLOUR = "#1a7f5a"
PEERS_COLOUR = "#9aa5b1"


def draw(path: Path, spreads: Spreads, titles: Mapping[str, str], ours: str) -> None:
    """Write the plot."""
    import matplotlib as mpl

    mpl.use("svg")
    # Text stays text, and the same figures give the same file.
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "bench", "font.size": 9})
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(PANELS), figsize=(11, 0.4 * len(titles) + 1), layout="constrained")
    for axes, (title, names) in zip(panels, PANELS.items(), strict=True):
        bars = {system: best for system in titles if (best := _best(spreads.get(system, {}), names)) is not None}
        middle = [value.median for value in bars.values()]
        errors = [[v.median - v.lowest for v in bars.values()], [v.highest - v.median for v in bars.values()]]
        colours = [OURS_COLOUR if system == ours else PEERS_COLOUR for system in bars]
        axes.barh([titles[system].strip("*") for system in bars], middle, xerr=errors, color=colours, capsize=2)
        axes.set(xscale="log", title=title)
        axes.invert_yaxis()
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


def _best(figures: Mapping[str, Spread], names: tuple[str, ...]) -> Spread | None:
    found = [figures[name] for name in names if name in figures]
    return max(found, key=lambda value: value.median) if found else None
