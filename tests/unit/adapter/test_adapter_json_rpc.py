"""What a JSON-RPC call that takes the short way is answered with, and what its command is told."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from fastapi import FastAPI
from mcp_proxy_adapter.core.errors import ValidationError
from starlette.types import Scope

from mcp_queue_plugin.adapter.bridge import json_rpc
from mcp_queue_plugin.errors import JobNotFound


def request(**state: Any) -> Scope:
    return {"type": "http", "path": json_rpc.JSON_RPC_PATH, "state": state}


def test_the_adapters_errors_are_told_as_they_are() -> None:
    error = ValidationError("no such parameter", data={"field": "a"})
    assert json_rpc.told(error) == {"code": -32602, "message": "no such parameter", "data": {"field": "a"}}


def test_an_error_without_data_says_so() -> None:
    assert list(json_rpc.told(ValidationError("no")).items()) == [("code", -32602), ("message", "no"), ("data", None)]


def test_the_queues_errors_are_told_as_everywhere() -> None:
    told = json_rpc.told(JobNotFound("a"))
    assert (told["code"], told["data"]["domain_code"], told["data"]["value"]) == (-32000, "JOB_NOT_FOUND", "a")


def test_what_nobody_expects_is_logged_and_told_as_the_adapter_would(caplog: pytest.LogCaptureFixture) -> None:
    told = json_rpc.told(RuntimeError("it broke"))
    assert told == {"code": -32603, "message": "Internal error", "data": {"error": "it broke"}}
    (record,) = caplog.records
    assert record.exc_info is not None
    assert "it broke" in str(record.exc_info[1])


@pytest.mark.parametrize(
    ("state", "context"),
    [
        ({}, {}),
        ({"request_id": "mine"}, {}),
        ({"user_id": "u"}, {"user": {"id": "u", "role": None, "roles": []}}),
        ({"user_roles": ["r"], "user_role": "r"}, {"user": {"id": None, "role": "r", "roles": ["r"]}}),
    ],
)
def test_a_command_is_told_the_user_that_a_middleware_has_named(state: dict[str, Any], context: dict[str, Any]) -> None:
    assert json_rpc.context_of(request(**state)) == context
    assert json_rpc.context_of({"type": "http"}) == {}


@pytest.mark.parametrize(("state", "mark"), [({"request_id": "100%s"}, "[100%s] "), ({}, "")])
def test_a_line_about_a_request_bears_its_id(
    state: dict[str, Any], mark: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "mcp_proxy_adapter"):
        json_rpc.request_log(request(**state))("Queued command %s as job %s", "add", "7")
    assert caplog.messages == [f"{mark}Queued command add as job 7"]


def test_where_nobody_asks_for_lines_there_are_none(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "mcp_proxy_adapter"):
        json_rpc.request_log(request(request_id="mine"))("Queued")
    assert caplog.messages == []


def test_an_adapter_without_the_route_fails_loudly() -> None:
    with pytest.raises(LookupError, match="no route /api/jsonrpc"):
        json_rpc.json_rpc_route(FastAPI().router.routes)
