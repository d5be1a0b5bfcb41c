"""The table of transitions, the documentation's diagram and the schema's constraints say the same."""

from __future__ import annotations

import re
from pathlib import Path

import mcp_queue_plugin.store.sqlite as sqlite
from mcp_queue_plugin.model.states import PENDING_STATES, RUNNING_STATES, State
from mcp_queue_plugin.model.transitions import TRANSITIONS
from tests.docs.pages import REPOSITORY, Page, table
from tests.docs.running import DIAGRAM_PAGE

PAGE = Page(REPOSITORY / DIAGRAM_PAGE)
SCHEMA = Path(sqlite.__file__).with_name("schema.sql").read_text(encoding="utf-8")


def test_the_diagram_shows_every_transition_and_no_other() -> None:
    (diagram,) = (block.text for block in PAGE.blocks() if block.language == "mermaid")
    header, *lines = diagram.splitlines()
    assert header == "stateDiagram-v2"
    arrows = [re.fullmatch(r" +(\S+) --> (\S+)(?:: (.+))?", line) for line in lines]
    assert None not in arrows
    shown = {arrow.groups() for arrow in arrows if arrow is not None}
    assert len(shown) == len(lines)
    expected = {(before, after, event) for (before, event), states in TRANSITIONS.items() for after in states}
    assert shown == expected | {("[*]", "created", "add"), ("deleted", "[*]", None)}


def test_the_table_of_states_is_complete() -> None:
    rows = [(status.strip("`"), state.strip("`")) for status, state, _ in table(PAGE.section("## States"))]
    assert rows == [(state.status, state) for state in State]


def test_the_schema_knows_the_same_states() -> None:
    allowed = re.search(r"state TEXT NOT NULL CHECK \(state IN \(([^)]*)\)", SCHEMA)
    assert allowed is not None
    assert re.findall(r"'(\w+)'", allowed[1]) == list(State)


def test_the_schema_gives_them_the_same_statuses() -> None:
    cases = re.findall(r"WHEN state IN \(([^)]*)\) THEN '(\w+)'", SCHEMA)
    assert {status: set(re.findall(r"'(\w+)'", states)) for states, status in cases} == {
        "pending": PENDING_STATES,
        "running": RUNNING_STATES,
    }
