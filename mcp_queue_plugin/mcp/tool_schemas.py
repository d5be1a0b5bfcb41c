"""What a tool's structured content may be, as the JSON Schema that clients check it against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import unquote

import jsonschema_rs

from mcp_queue_plugin.adapter.bridge.tools import CommandDescription, Schema
from mcp_queue_plugin.mcp.references import DEFINITIONS, with_references

STARTED: Schema = {
    "type": "object",
    "description": "To clients without tasks: the job that was started; queue_wait_job answers its result",
    "properties": {
        "job_id": {"type": "string"},
        "status": {"type": "string"},
        "poll_with": {"type": "string"},
        "poll_after_seconds": {"type": "number"},
    },
    "required": ["job_id", "status", "poll_with"],
}

MESSAGE: Schema = {
    "type": "object",
    "description": "An answer that says nothing, or nothing but a message",
    "properties": {"message": {"type": "string"}},
    "additionalProperties": False,
}

_IN_ANSWER = "#/properties/data"
_IN_TOOL = "#/anyOf/0"


class UnusableSchema(Exception):
    """What a command says of its result cannot be told to clients; the message says why."""


def output_schema(command: CommandDescription) -> Schema | None:
    """The schema of structuredContent; None if the command does not say what is in its answer's data.

    Any command may be answered by the job that it has become, and any may answer a message alone. One that ends in
    time is not described: what it answers may be cut to what fits.

    Raises:
        UnusableSchema: what it says is no JSON Schema by itself, or loses its meaning where tools say it.
    """
    if command.ends_in_time:
        return None
    properties = command.result.get("properties", {})
    if not isinstance(properties, Mapping):
        raise UnusableSchema("the properties of its result schema are no object")
    data = properties.get("data")
    if not isinstance(data, Mapping) or data.get("type") != "object" or "properties" not in data:
        return None
    schema = _assembled(command.result, data)
    _check(schema)
    return schema


def _assembled(answer: Schema, data: Mapping[str, Any]) -> Schema:
    """The data's schema as one of several, and at the root what must be there: definitions, and the draft's name."""
    parts = (answer, data)
    shared: Schema = {}
    for key in ("$schema", *DEFINITIONS):
        said = [part[key] for part in parts if key in part]
        if said:
            shared[key] = _merged(key, said) if key in DEFINITIONS else _agreed(key, said)
    of_data = {key: value for key, value in data.items() if key not in ("$schema", "$id", *DEFINITIONS)}
    whole = {**shared, "anyOf": [of_data]}
    moved: Schema = with_references(whole, _moved, _refuse_documents)
    return {**moved, "type": "object", "anyOf": [*moved["anyOf"], STARTED, MESSAGE]}


def _merged(key: str, said: list[Any]) -> Schema:
    merged: Schema = {}
    for definitions in said:
        if not isinstance(definitions, Mapping):
            raise UnusableSchema(f"its {key} are no object")
        for name, definition in definitions.items():
            merged[name] = _agreed(f"{key}/{name}", [merged.get(name, definition), definition])
    return merged


def _agreed(what: str, said: list[Any]) -> Any:
    if any(each != said[0] for each in said):
        raise UnusableSchema(f"its answer and the data in it have different {what}")
    return said[0]


def _refuse_documents(schema: Mapping[str, Any]) -> bool:
    if isinstance(schema.get("$id"), str):
        raise UnusableSchema(f"references below its $id {schema['$id']!r} cannot be followed")
    return False


def _moved(_: str, reference: str) -> str:
    """A reference into the data of the answer, as one to where they stand in a tool's schema."""
    if reference in ("", "#"):
        raise UnusableSchema("a reference in it is to the whole answer")
    place = reference.removeprefix(_IN_ANSWER)
    if place == reference or place[:1] not in ("", "/"):
        return reference
    is_definition = place.startswith(tuple(f"/{key}/" for key in DEFINITIONS))
    return f"#{place}" if is_definition else f"{_IN_TOOL}{place}"


def _check(schema: Schema) -> None:
    def resolved(_: str, reference: str) -> str:
        if reference.startswith("#/"):
            _resolve(schema, reference)
        return reference

    with_references(schema, resolved, _refuse_documents)
    try:
        jsonschema_rs.validator_for(schema, retriever=_refuse)
    except ValueError as error:
        raise UnusableSchema(str(error).partition("\n")[0]) from error


def _resolve(schema: Any, reference: str) -> None:
    """Check that the pointer ``reference`` leads to a schema."""
    for part in unquote(reference).split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        try:
            schema = schema[int(key)] if isinstance(schema, list) else schema[key]
        except (KeyError, IndexError, TypeError, ValueError):
            raise UnusableSchema(f"nothing is at {reference}") from None
    if not isinstance(schema, Mapping | bool):
        raise UnusableSchema(f"there is no schema at {reference}")


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"{uri} is not part of it")
