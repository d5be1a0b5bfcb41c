"""One source: the schema, the reference and the documentation say what the models say."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

import mcp_queue_plugin.settings as public
from mcp_queue_plugin.errors import ConfigurationError
from mcp_queue_plugin.settings import (
    NamedQueueSettings,
    check_settings,
    load_settings,
    settings_reference,
    settings_schema,
)
from mcp_queue_plugin.settings.schema import SettingPath, all_settings, schema_at, sections
from mcp_queue_plugin.words import Node, branches, values_of

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "configuration.md"
SETTINGS = list(all_settings().items())
NUMBERS = [(path, node) for path, node in SETTINGS if any("maximum" in branch for branch in branches(node))]


def name_of(value: object) -> str | None:
    return ".".join(value) if isinstance(value, tuple) else None


COMPANIONS = {
    "retry_base_seconds": ("retry_max_seconds", 1_000_000_000),
    "retry_max_seconds": ("retry_base_seconds", 0),
    "backoff_base_seconds": ("backoff_max_seconds", 1_000_000_000),
}
"""What has to stand beside a setting that would break a rule alone."""


def accepts(path: SettingPath, value: object) -> bool:
    config: Any = {path[-1]: value, **dict([COMPANIONS[path[-1]]] if path[-1] in COMPANIONS else [])}
    for key in reversed(path[:-1]):
        config = {key.replace("<name>", "llm"): config}
    return check_settings(config, environ={}, source="config") == []


def holds_numbers(node: Node) -> bool:
    values = values_of(node)
    return values is not None and values["type"] == "integer"


def page_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def settings_of(variables: str) -> dict[str, str]:
    return dict(assignment.split("=", 1) for assignment in shlex.split(variables))


def test_the_public_names_are_sorted_and_exist() -> None:
    assert public.__all__ == sorted(public.__all__)
    assert all(hasattr(public, name) for name in public.__all__)


def test_the_schema_is_a_json_document_of_its_dialect() -> None:
    schema = settings_schema()
    assert json.loads(json.dumps(schema, allow_nan=False)) == schema
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(schema["properties"]) == {"queue_manager", "queue_plugin"}


def test_every_reference_of_the_schema_leads_somewhere() -> None:
    schema = settings_schema()
    references = set(re.findall(r'"\$ref": "#/\$defs/(\w+)"', json.dumps(schema)))
    assert references == set(schema["$defs"])


def test_the_schema_allows_other_sections_but_no_unknown_key_in_ours() -> None:
    assert settings_schema()["additionalProperties"] is True
    assert [node["additionalProperties"] for node in sections().values()] == [False] * 11


def test_a_callers_schema_is_a_copy() -> None:
    settings_schema()["properties"].clear()
    assert settings_schema()["properties"]


@pytest.mark.parametrize(("path", "node"), SETTINGS, ids=name_of)
def test_every_setting_is_documented(path: SettingPath, node: Node) -> None:
    assert node["description"].endswith(".")
    assert "|" not in node["description"]
    assert "default" in node
    assert accepts(path, node["default"])
    types = {branch.get("type") for branch in branches(node)}
    assert ("x-unit" in node) == bool(types & {"integer", "number"} or any(map(holds_numbers, branches(node))))
    assert not ("null" in types and "x-special" not in node)


@pytest.mark.parametrize(("path", "node"), NUMBERS, ids=name_of)
def test_the_schemas_bounds_are_those_of_the_check(path: SettingPath, node: Node) -> None:
    (bounds,) = (branch for branch in branches(node) if "maximum" in branch)
    assert accepts(path, bounds["maximum"])
    assert not accepts(path, bounds["maximum"] + 1)
    if "exclusiveMinimum" in bounds:
        assert not accepts(path, bounds["exclusiveMinimum"])
    else:
        assert accepts(path, bounds["minimum"])
        assert not accepts(path, bounds["minimum"] - 1)


def test_the_schema_is_found_inside_lists_and_objects_too() -> None:
    limit = schema_at(("queue_manager", "per_job_type_limits", "any_type"))
    module = schema_at(("queue_plugin", "auto_import_modules", "0"))
    assert limit is not None
    assert limit["type"] == "integer"
    assert module is not None
    assert module["type"] == "string"
    assert schema_at(("queue_plugin", "nothing", "below")) is None
    assert schema_at(("server",)) is None


def test_the_reference_has_a_row_for_every_setting() -> None:
    reference = settings_reference()
    rows = [line.split(" | ") for line in reference.splitlines() if line.startswith("| `")]
    by_section = [path[-1] for section in sections() for path, _ in SETTINGS if path[:-1] == section]
    assert [cells[0].strip("| `") for cells in rows] == by_section
    assert len(by_section) == len(SETTINGS)
    assert {len(cells) for cells in rows} == {6}
    assert [line for line in reference.splitlines() if line.startswith("## ")] == [
        f"## `{'.'.join(path)}`" for path in sections()
    ]


def test_a_row_of_the_reference() -> None:
    (row,) = (line for line in settings_reference().splitlines() if line.startswith("| `completed_job_retention"))
    assert row == (
        "| `completed_job_retention_seconds` | an integer from 0 to 1,000,000,000 | `21600` | seconds | `0`: for ever "
        "| How long the record, result and log of a job are kept after it has ended; "
        "jobs that have not ended are never removed. What is due is removed every sixth of this time, at least once an "
        "hour and at most once a second. The adapter's default, six hours. |"
    )


def test_the_documentation_contains_the_reference() -> None:
    found = re.search(
        r"<!-- settings:begin [^>]*-->\n(.*)<!-- settings:end -->", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    assert found is not None
    assert found.group(1) == f"\n{settings_reference()}\n"


def test_the_documentations_examples_are_valid(tmp_path: Path) -> None:
    first, named_queue = (
        load_settings(json.loads(block), environ={}, base_dir=tmp_path) for block in page_blocks("json")
    )
    assert first.queue_manager.registry_path == str(tmp_path / "data" / "queue.db")
    assert first.queue_plugin.workers.min == 2
    assert named_queue.queue_plugin.queues == {
        "llm": NamedQueueSettings(
            max_concurrent_jobs=1,
            min_pause_seconds=10,
            backoff_base_seconds=15,
            backoff_max_seconds=300,
            max_queue_size=50,
            overflow="reject",
        )
    }


def test_the_documentations_variables_are_valid() -> None:
    everywhere, of_a_queue = (settings_of(block) for block in page_blocks("sh"))
    assert len(everywhere) == 7
    assert check_settings({}, environ=everywhere, source="config.json") == []
    queues = load_settings({}, environ=of_a_queue).queue_plugin.queues
    assert queues == {"llm": NamedQueueSettings(min_pause_seconds=30, overflow="evict_oldest")}


def test_the_documentation_quotes_real_messages() -> None:
    config = {"queue_plugin": {"workers": {"mni": 2}, "queues": {"LLM": {}}}}
    with pytest.raises(ConfigurationError) as caught:
        load_settings(config, environ={"MCP_QUEUE__DURABILITY": "fast"}, source="config.json")
    assert [f"{caught.value}\n"] == page_blocks("text")
