"""The table of transitions, the documentation's diagram and the schema's constraints say the same."""

from __future__ import annotations

import re
from pathlib import Path

import mcp_queue_plugin.store.sqlite as sqlite
from mcp_queue_plugin.model.states import ENDED_STATES, State
from mcp_queue_plugin.model.transitions import TRANSITIONS, Event
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
    begins = {("[*]", "created", "add"), ("[*]", "working", "adopt")}
    assert shown == expected | begins | {(state, "[*]", "sweep") for state in ENDED_STATES}


def test_every_event_is_explained() -> None:
    explained = [event for events, _ in table(PAGE.section("## Transitions")) for event in events.split(", ")]
    assert sorted(explained) == sorted(["add", "adopt", "sweep", *Event])


def test_the_table_of_states_is_complete() -> None:
    rows = [(status.strip("`"), state.strip("`")) for status, state, _ in table(PAGE.section("## States"))]
    assert rows == [(state.status, state) for state in State]


def test_the_schema_knows_the_same_states_and_statuses() -> None:
    cases = re.findall(r"WHEN '(\w+)' THEN '(\w+)'", SCHEMA)
    assert cases == [(state, state.status) for state in State]
