"""``python -m bench.document RESULTS...``: put the tables and the plot of finished runs into docs/performance.md."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from bench.__main__ import sections_of
from bench.programs import ROOT
from bench.rounds import Outcome

PAGE = ROOT / "docs" / "performance.md"
PLACE = re.compile(r"(<!-- bench: (?P<name>[a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str, sections: Mapping[str, str]) -> str:
    """The page with each section between its marks. Pure.

    Raises:
        KeyError: the page has a place for a section that there is not.
    """
    return PLACE.sub(lambda place: f"{place[1]}\n{sections[place['name']]}\n{place[3]}", page)


def main(folders: Sequence[str]) -> None:
    """Merge the runs in these folders, and write the page and the plot beside it."""
    measured: list[Outcome] = []
    for folder in folders:
        measured += msgspec.json.decode(Path(folder, "rounds.json").read_bytes(), type=list[Outcome])
    sections = sections_of(measured, Path(folders[0]), PAGE.with_suffix(".svg"))
    sections["systems"] += f"\n![Jobs per second and idle latency of each system]({PAGE.stem}.svg)\n"
    PAGE.write_text(filled(PAGE.read_text(), sections))


if __name__ == "__main__":
    main(sys.argv[1:])
