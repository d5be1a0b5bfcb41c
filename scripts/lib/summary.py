"""Prints in one line how many tests passed, failed and were skipped, over all JUnit reports that are named."""

from __future__ import annotations

import sys
from collections import Counter
from xml.etree import ElementTree

COUNTED = ("tests", "failures", "errors", "skipped")


def main() -> None:
    """Add up the reports."""
    counts: Counter[str] = Counter()
    for path in sys.argv[1:]:
        for suite in ElementTree.parse(path).iter("testsuite"):  # noqa: S314 (pytest has just written it)
            counts.update({name: int(suite.get(name, "0")) for name in COUNTED})
    failed = counts["failures"] + counts["errors"]
    print(f"{counts['tests'] - failed - counts['skipped']} passed, {failed} failed, {counts['skipped']} skipped")


if __name__ == "__main__":
    main()
