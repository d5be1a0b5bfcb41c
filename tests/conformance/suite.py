"""The official conformance suite, run against one server; its results are the files that it writes."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.server import Server
from tests.conformance.scenarios import REVISION

FOLDER = Path(__file__).parent
APP = "tests.conformance.app"
MODULES = (f"{APP}.calls", f"{APP}.jobs", f"{APP}.questions")
RUN_SECONDS = 120.0

_FOLDER_NAME = re.compile(r"server-(?P<scenario>.+)-\d{4}-\d\d-\d\dT[\d-]+Z")

FAILURE, SUCCESS, WARNING = "FAILURE", "SUCCESS", "WARNING"


class Check(NamedTuple):
    """What the suite has found: ``status`` is one of its own words."""

    id: str
    status: str
    text: str

    def __str__(self) -> str:
        return f"{self.status} {self.id}: {self.text}"


Results = dict[str, list[Check]]
"""Scenario -> its checks, in their order."""


def fixture_server(folder: Path) -> Server:
    """A server with the tools that the suite calls; the configuration goes to ``folder``."""
    config = write_configuration(folder, queue_plugin={"workers": {"min": 2}}, modules=MODULES)
    return Server(config)


def command(*arguments: str) -> list[str]:
    """How the suite is called, on the Node.js that is installed with it."""
    nodes = list(FOLDER.glob("node_modules/node-linux-*/bin/node"))
    assert nodes, f"{FOLDER}/node_modules is not complete: scripts/test installs it"
    return [str(nodes[0]), str(FOLDER / "node_modules/@modelcontextprotocol/conformance/dist/index.js"), *arguments]


def run_suite(url: str, folder: Path) -> Results:
    """Run all server scenarios of the revision against an endpoint, one after the other.

    The exit code says nothing here: it counts the scenarios that are skipped.
    """
    arguments = ("server", "--url", url, "--requirements", REVISION, "--output-dir", str(folder))
    with (folder / "output.txt").open("wb") as output:
        subprocess.run(
            command(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=RUN_SECONDS,
            check=False,
        )
    return read_results(folder)


def read_results(folder: Path) -> Results:
    """What the suite has written: a folder ``server-SCENARIO-TIME`` with ``checks.json`` for each scenario."""
    results: Results = {}
    for path in sorted(folder.glob("server-*/checks.json")):
        found = _FOLDER_NAME.fullmatch(path.parent.name)
        assert found is not None, path
        results[found["scenario"]] = [
            Check(check["id"], check["status"], check.get("errorMessage") or check["description"])
            for check in json.loads(path.read_text())
        ]
    return results


def scenarios_of_the_suite() -> set[str]:
    """The server scenarios of the revision, and all of the tasks extension, as the suite lists them."""
    required = _listed("list", "--requirements", REVISION)
    server = {line.split()[0] for line in _lines(required, "Server scenarios")}
    others = (line.partition(" [") for line in _lines(required, "Run and reported"))
    unscored = {scenario for scenario, _, leg in others if leg == "server]"}
    every = {line.split()[0] for line in _lines(_listed("list", "--server"), "Server scenarios")}
    return server | unscored | {scenario for scenario in every if scenario.startswith("tasks-")}


def of_status(checks: Iterable[Check], *statuses: str) -> list[Check]:
    return [check for check in checks if check.status in statuses]


def _listed(*arguments: str) -> list[str]:
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=RUN_SECONDS, check=True)
    return done.stdout.splitlines()


def _lines(listed: list[str], heading: str) -> list[str]:
    """The items below the heading that begins so, up to the next heading."""
    begin = next(number for number, line in enumerate(listed) if line.startswith(heading))
    items: list[str] = []
    for line in listed[begin + 1 :]:
        if line and not line.startswith(" "):
            break
        if line.strip().startswith("- "):
            items.append(line.strip().removeprefix("- "))
    return items
