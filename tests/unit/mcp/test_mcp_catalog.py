"""What a command says of itself, as what is listed of the tool: sound, or left out."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema_rs
import pytest
from mcp_proxy_adapter.commands.base import Command
from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import SuccessResult
from mcp_types import Tool
from pydantic import BaseModel, ConfigDict

from mcp_queue_plugin.adapter import job_types
from mcp_queue_plugin.adapter.bridge import tools
from mcp_queue_plugin.adapter.job_types import register_job_type
from mcp_queue_plugin.commands.add_job import QueueAddJobCommand
from mcp_queue_plugin.mcp.catalog import Catalog, OfferedTool
from mcp_queue_plugin.settings.mcp import ToolSettings
from tests.unit.adapter.sample_jobs import AdapterJob

Schema = dict[str, Any]
Register = Callable[..., type[Command]]

STRICT = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
STARTED = {"job_id": "1", "status": "pending", "poll_with": "queue_wait_job", "message": "started"}
MESSAGE = {"message": "done"}


class Bad:
    """Says nothing of itself in words."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.fixture
def register() -> Iterator[Register]:
    """Registers a command class with these attributes; afterwards it is not there any more."""
    names: list[str] = []

    def register_command(name: str = "sample", **attributes: Any) -> type[Command]:
        told = {"name": name, "descr": "A sample", "result_class": SuccessResult, **attributes}
        command: type[Command] = type("Sample", (Command,), told)
        registry.register(command, "custom")
        names.append(name)
        return command

    yield register_command
    with registry._lock:
        for name in set(names):
            del registry._commands[name], registry._command_types[name]
        registry._bump_openapi_version()


def saying(schema: Any) -> Any:
    """A method of a command that answers ``schema``."""
    return classmethod(lambda _: schema)


def of_data(data: Schema, **root: Any) -> Any:
    return saying({"type": "object", "properties": {"data": data}, **root})


def found(name: str = "sample", catalog: Catalog | None = None) -> OfferedTool:
    offered = (catalog or Catalog(ToolSettings())).find(name)
    assert offered is not None
    return offered


def listed(catalog: Catalog) -> dict[str, Tool]:
    page, _ = catalog.page(None)
    return {tool.name: tool for tool in page}


def allows(schema: Schema | None, value: Any) -> bool:
    assert schema is not None
    return jsonschema_rs.validator_for(schema).is_valid(value)


@pytest.mark.parametrize("use_queue", [False, True])
def test_a_job_and_a_message_alone_are_answers_too(register: Register, use_queue: bool) -> None:
    register(use_queue=use_queue, get_result_schema=of_data(STRICT))
    schema = found().tool.output_schema
    assert schema is not None
    assert schema["type"] == "object"
    assert all(allows(schema, answer) for answer in ({"n": 1}, STARTED, MESSAGE, {}))
    assert not any(allows(schema, answer) for answer in ({"n": "1"}, {"n": 1, "m": 2}, {"message": 1}))


@pytest.mark.parametrize(
    "result", [{}, {"properties": {}}, {"properties": {"data": {"type": "object"}}}, {"properties": {"data": True}}]
)
def test_who_does_not_say_what_the_data_are_has_no_output_schema(
    register: Register, result: Schema, caplog: pytest.LogCaptureFixture
) -> None:
    register(get_result_schema=saying(result))
    assert (found().tool.output_schema, caplog.records) == (None, [])


def test_who_ends_in_time_has_none(register: Register) -> None:
    register(get_result_schema=of_data(STRICT), ends_in_time=True)
    assert found().tool.output_schema is None


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid")

    children: list[Item]


class Items(BaseModel):
    items: list[Item]


def test_definitions_of_pydantic_are_found_where_they_are_now(register: Register) -> None:
    register(get_result_schema=of_data(Items.model_json_schema()))
    schema = found().tool.output_schema
    assert allows(schema, {"items": [{"children": [{"children": []}]}]})
    assert not allows(schema, {"items": [{"children": [{"children": [{}]}]}]})


def test_definitions_of_the_answer_and_of_its_data_are_merged(register: Register) -> None:
    data = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/a"}, "b": {"$ref": "#/$defs/b"}, "c": {"$ref": "#/definitions/c"}},
        "$defs": {"a": {"type": "integer"}, "both": {}},
    }
    root = {"$defs": {"b": {"type": "string"}, "both": {}}, "definitions": {"c": {"type": "null"}}}
    register(get_result_schema=of_data(data, **root))
    schema = found().tool.output_schema
    assert allows(schema, {"a": 1, "b": "b", "c": None})
    assert not any(allows(schema, wrong) for wrong in ({"a": "a"}, {"b": 1}, {"c": 1}))


def test_references_into_the_data_move_with_them(register: Register) -> None:
    data: Schema = {
        "type": "object",
        "properties": {
            "first": {"type": "integer"},
            "same": {"$ref": "#/properties/data/properties/first"},
            "inner": {"$ref": "#/properties/data"},
            "i": {"$ref": "#/properties/data/$defs/I"},
            "$ref": {"const": {"$ref": "#/nowhere"}},
        },
        "$defs": {"I": {"type": "integer"}},
        "default": {"$ref": "#/nowhere"},
        "additionalProperties": False,
    }
    register(get_result_schema=of_data(data))
    schema = found().tool.output_schema
    assert allows(schema, {"first": 1, "same": 1, "i": 1, "inner": {"same": 1}, "$ref": {"$ref": "#/nowhere"}})
    assert not any(allows(schema, wrong) for wrong in ({"same": "1"}, {"i": "1"}, {"inner": {"same": "1"}}))
    assert data["properties"]["same"] == {"$ref": "#/properties/data/properties/first"}


def test_the_draft_that_the_data_name_is_the_tools(register: Register) -> None:
    draft = "http://json-schema.org/draft-07/schema#"
    data = {"$schema": draft, "$id": "https://example.org/data", **STRICT}
    register(get_result_schema=of_data(data))
    schema = found().tool.output_schema
    assert schema is not None
    assert (schema["$schema"], "$schema" in schema["anyOf"][0]) == (draft, False)
    assert allows(schema, {"n": 1})


def reference(to: str) -> Schema:
    return {"type": "object", "properties": {"a": {"$ref": to}}}


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"properties": None}, "the properties of its result schema are no object"),
        ({"properties": {"data": {"type": "object", "properties": None}}}, "is not of type"),
        ({"properties": {"data": {**STRICT, "required": True}}}, "is not of type"),
        ({"properties": {"data": {**STRICT, "x": int}}}, "Unsupported type"),
        ({"properties": {"data": STRICT | {"$defs": {"a": {}}}}, "$defs": {"a": False}}, "different \\$defs/a"),
        ({"properties": {"data": STRICT | {"$defs": [1]}}}, "\\$defs are no object"),
        ({"properties": {"data": STRICT | {"$schema": "x:a"}}, "$schema": "x:b"}, "different \\$schema"),
        ({"properties": {"data": STRICT | {"$schema": "x:a"}}}, "meta-schema"),
        ({"properties": {"data": STRICT | {"not": {"$id": "x:a"}}}}, "below its \\$id 'x:a'"),
        ({"properties": {"data": reference("#/$defs/none")}}, "nothing is at #/\\$defs/none"),
        ({"properties": {"data": reference("#/anyOf/9")}}, "nothing is at #/anyOf/9"),
        ({"properties": {"data": reference("#/properties/data/type")}}, "no schema at #/anyOf/0/type"),
        ({"properties": {"data": reference("#/properties/data2")}}, "nothing is at #/properties/data2"),
        ({"properties": {"data": STRICT | {"$defs": {"unused": {"$ref": "#/$defs/none"}}}}}, "nothing is at"),
        ({"properties": {"data": reference("#nowhere")}}, "nowhere"),
        ({"properties": {"data": reference("#")}}, "to the whole answer"),
        ({"properties": {"data": reference("https://example.org/schema")}}, "is not part of it"),
    ],
)
def test_an_output_schema_that_clients_could_not_use_is_left_out_and_the_log_says_why_once(
    register: Register, result: Schema, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    parameters = {"type": "object", "properties": {"a": {}}}
    annotations = {"title": "Sample"}
    register(get_schema=saying(parameters), get_result_schema=saying(result), mcp_annotations=annotations)
    catalog = Catalog(ToolSettings())
    tool = found(catalog=catalog).tool
    assert (tool.input_schema, tool.output_schema) == (parameters, None)
    assert tool.annotations is not None
    register("another")
    assert "another" in listed(catalog)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("The command 'sample' is listed without an output schema: ")
    assert re.search(words, record.getMessage())


@pytest.mark.parametrize(
    "attributes",
    [
        {"get_schema": saying({"properties": {"a": {"type": int}}})},
        {"get_schema": saying({"properties": {"a": None}})},
        {"get_schema": saying({"properties": None})},
        {"get_schema": saying({"required": True})},
        {"get_schema": saying({"description": "\ud800"})},
        {"mcp_annotations": {"readOnlyHint": []}},
        {"mcp_annotations": 5},
        {"mcp_annotations": ["readOnlyHint"]},
        {"mcp_requires": ["sampling"]},
        {"mcp_requires": None},
        {"mcp_requires": {"sampling": {int}}},
        {"mcp_ask_for": ["a"]},
        {"mcp_ask_for": {"what": "file"}},
        {"mcp_ask_for": {"what": (1,)}},
    ],
)
def test_a_command_that_describes_itself_badly_is_listed_bare_beside_the_others(
    register: Register, attributes: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    good = {"mcp_requires": {"sampling": {}}, "mcp_ask_for": {"what": ("a",)}, "mcp_annotations": {"title": "T"}}
    register(**{"use_queue": True, "get_result_schema": of_data(STRICT), **good, **attributes})
    register("good", **good)
    catalog = Catalog(ToolSettings())
    offered = found(catalog=catalog)
    assert offered.tool.model_dump(exclude_none=True) == {
        "name": "sample",
        "description": "A sample",
        "input_schema": {"type": "object"},
    }
    command = offered.command
    assert (command.use_queue, command.requires, command.asks_for, command.annotations) == (True, {}, {}, {})
    assert catalog.input_schema("sample") == {"type": "object"}
    beside = found("good", catalog)
    assert (beside.command.requires, beside.command.asks_for) == (good["mcp_requires"], good["mcp_ask_for"])
    assert beside.tool.annotations is not None
    register("another")
    assert {"sample", "good", "another"} <= set(listed(catalog))
    (record,) = caplog.records
    assert record.getMessage().startswith("The command 'sample' is listed by its name and description alone: ")


@pytest.mark.parametrize(
    ("attributes", "description"),
    [
        ({"descr": Bad()}, "sample"),
        ({"descr": "\ud800"}, "\\ud800"),
        ({"descr": 5}, "5"),
        ({"descr": None, "__doc__": " In words. "}, "In words."),
    ],
)
def test_a_description_is_a_text_whatever_it_was(
    register: Register, attributes: dict[str, Any], description: str
) -> None:
    register(**attributes)
    assert found().tool.description == description


def test_who_cannot_tell_a_schema_is_told_of_once(register: Register, caplog: pytest.LogCaptureFixture) -> None:
    register("tells_nothing", get_schema=5, get_result_schema=saying([1]))
    catalog = Catalog(ToolSettings())
    assert found("tells_nothing", catalog).tool.input_schema == {"type": "object"}
    register("another")
    assert "another" in listed(catalog)
    assert [record.getMessage() for record in caplog.records] == ["The command tells_nothing cannot tell its schema"]


def test_a_job_type_that_is_registered_later_is_one_that_can_be_added(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_types, "_types", dict(job_types._types))
    schema = QueueAddJobCommand.get_schema
    register("queue_add_sample", get_schema=classmethod(lambda _: schema()))
    catalog = Catalog(ToolSettings())

    def told() -> list[str]:
        names: list[str] = listed(catalog)["queue_add_sample"].input_schema["properties"]["job_type"]["enum"]
        return names

    assert "later" not in told()
    register_job_type("later", AdapterJob)
    assert "later" in told()


def test_whoever_asked_is_told_of_changed_commands_until_it_is_taken_back(register: Register) -> None:
    told: list[str] = []
    end_first = tools.tell_of_changed_commands(lambda: told.append("first"))
    end_second = tools.tell_of_changed_commands(lambda: told.append("second"))
    version = tools.commands_version()
    register()
    assert sorted(told) == ["first", "second"]
    assert tools.commands_version() == version + 1
    told.clear()
    end_second()
    register()
    assert told == ["first"]
    end_first()
    end_first()
    register()
    assert told == ["first"]
    assert tools.commands_version() == version + 3
