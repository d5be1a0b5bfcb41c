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
from mcp_queue_plugin.settings import check_settings, load_settings, settings_reference, settings_schema
from mcp_queue_plugin.settings.schema import Node, SettingPath, all_settings, branches, schema_at, sections

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "configuration.md"
SETTINGS = list(all_settings().items())
NUMBERS = [(path, node) for path, node in SETTINGS if any("maximum" in branch for branch in branches(node))]


def name_of(value: object) -> str | None:
    return ".".join(value) if isinstance(value, tuple) else None


def accepts(path: SettingPath, value: object) -> bool:
    config: Any = value
    for key in reversed(path):
        config = {key: config}
    return check_settings(config, environ={}, source="config") == []


def page_block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found.group(1)


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
    assert [node["additionalProperties"] for node in sections().values()] == [False] * 4


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
    assert ("x-unit" in node) == bool(types & {"integer", "number", "object"})
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
    assert [cells[0].strip("| `") for cells in rows] == [path[-1] for path, _ in SETTINGS]
    assert {len(cells) for cells in rows} == {6}
    assert [line for line in reference.splitlines() if line.startswith("## ")] == [
        f"## `{'.'.join(path)}`" for path in sections()
    ]


def test_a_row_of_the_reference() -> None:
    (row,) = (line for line in settings_reference().splitlines() if line.startswith("| `completed_job_retention"))
    assert row == (
        "| `completed_job_retention_seconds` | an integer from 0 to 1,000,000,000 | `21600` | seconds | `0`: for ever "
        "| How long the record, result and log of a job are kept after it has ended. "
        "The adapter's default, six hours. This version checks the value and keeps every job until it is deleted. |"
    )


def test_the_documentation_contains_the_reference() -> None:
    found = re.search(
        r"<!-- settings:begin [^>]*-->\n(.*)<!-- settings:end -->", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    assert found is not None
    assert found.group(1) == f"\n{settings_reference()}\n"


def test_the_documentations_example_is_valid(tmp_path: Path) -> None:
    settings = load_settings(json.loads(page_block("json")), environ={}, base_dir=tmp_path)
    assert settings.queue_manager.registry_path == str(tmp_path / "data" / "queue.db")
    assert settings.queue_plugin.workers.min == 2


def test_the_documentations_variables_are_valid() -> None:
    environ = dict(assignment.split("=", 1) for assignment in shlex.split(page_block("sh")))
    assert len(environ) == 7
    assert check_settings({}, environ=environ, source="config.json") == []


def test_the_documentation_quotes_a_real_message() -> None:
    config = {"queue_plugin": {"workers": {"mni": 2}}}
    with pytest.raises(ConfigurationError) as caught:
        load_settings(config, environ={"MCP_QUEUE__DURABILITY": "fast"}, source="config.json")
    assert f"{caught.value}\n" == page_block("text")
