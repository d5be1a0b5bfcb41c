"""What ``scripts/chaos`` runs: random kills of a loaded server, until enough of them have been survived."""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.harness.siege import Siege


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how many processes to kill (default: 200)")
    parser.add_argument("--seed", type=int, default=None, help="repeat the schedule of another run")
    arguments = parser.parse_args()
    seed = random.randrange(1_000_000) if arguments.seed is None else arguments.seed
    folder = Path(tempfile.mkdtemp(prefix="mcp-queue-chaos-"))
    print(f"seed {seed}", flush=True)
    report = Siege(folder, seed, lambda line: print(line, flush=True)).run(arguments.kills)
    print(report)
    if report.violations:
        print(f"what it left is in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
