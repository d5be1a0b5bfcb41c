"""The one line that installs the queue: what it checks, and what it lets the adapter see."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mcp_queue_plugin.commands.catalog import QUEUE_COMMANDS
from mcp_queue_plugin.plugin import validate_section

ROOT = Path(__file__).parents[3]

# The adapter keeps commands, signal handlers and the queue for the whole process, so the application gets its own.
APPLICATION = """
import asyncio, json, logging, sys

from mcp_proxy_adapter.api.app import create_app
from mcp_proxy_adapter.api.handlers import execute_command
from mcp_proxy_adapter.core.errors import MicroserviceError
from mcp_proxy_adapter.integrations.queuemgr_integration.global_manager import _peek_global_queue_manager

from mcp_queue_plugin import QueuePlugin
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

async def answers(app):
    async with app.router.lifespan_context(app):
        yield "manager", type(_peek_global_queue_manager()).__module__
        for name, params in json.load(sys.stdin).items():
            try:
                yield name, await execute_command(name, params, request_id="1")
            except MicroserviceError as error:
                yield name, {"success": False, "error": {"code": error.code, "data": error.data}}

async def said(app):
    return {name: answer async for name, answer in answers(app)}

config = json.loads(sys.argv[1])
app = create_app(app_config=config)
if "middleware" in config:
    app.user_middleware.append(Middleware(GZipMiddleware))
QueuePlugin.install(app, config)
adapters_logger = logging.getLogger("mcp_proxy_adapter")
adapters_logger.addFilter(logging.Filter())
answers = asyncio.run(said(app))
filters = [type(kept).__name__ for kept in adapters_logger.filters]
stack = [middleware.cls.__name__ for middleware in app.user_middleware]
print(json.dumps({"config": config, "answers": answers, "filters": filters, "stack": stack}))
"""

JOB_COMMANDS = {
    "queue_start_job",
    "queue_stop_job",
    "queue_delete_job",
    "queue_retry_job",
    "queue_get_job_status",
    "queue_get_job_logs",
    "queue_get_job_result",
    "queue_wait_job",
}
QUEUE_COMMANDS_OF_ONE = {"queue_pause", "queue_resume"}
CALLS: dict[str, dict[str, Any]] = {
    **{name: {} for name in QUEUE_COMMANDS},
    **{name: {"job_id": "1"} for name in JOB_COMMANDS},
    **{name: {"queue": "default"} for name in QUEUE_COMMANDS_OF_ONE},
    "queue_answer_job": {"job_id": "1", "key": "first", "value": 1},
    "queue_add_job": {"job_type": "command_execution", "job_id": "1", "params": {"command": "echo", "params": {}}},
    "sample_echo": {"value": "x"},
}


def run_application(folder: Path, config: dict[str, Any], calls: dict[str, Any], **environment: str) -> dict[str, Any]:
    """The configuration and the answers of an application that has started with the queue installed."""
    server = {"host": "127.0.0.1", "port": 8080, "protocol": "http"}
    whole = {"uuid": "20919984-3b3f-451c-a7e8-5662012b1aeb", "server": server, "logging": {"log_dir": "log"}, **config}
    done = subprocess.run(
        [sys.executable, "-c", APPLICATION, json.dumps(whole)],
        input=json.dumps(calls),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    document: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return document


@pytest.mark.parametrize(
    ("section", "environment"), [({"enabled": False}, {}), ({}, {"MCP_QUEUE__QUEUE_MANAGER__ENABLED": "false"})]
)
def test_a_disabled_queue_is_started_by_nobody_and_refuses_every_call(
    tmp_path: Path, section: dict[str, Any], environment: dict[str, str]
) -> None:
    config = {
        "queue_manager": {"in_memory": True, **section},
        "queue_plugin": {"auto_import_modules": ["tests.unit.adapter.sample_commands"]},
    }
    said = run_application(tmp_path, config, CALLS, **environment)
    assert said["config"]["queue_manager"]["enabled"] is False
    answers = said["answers"]
    assert answers.pop("manager") == "builtins"
    assert set(answers) == set(CALLS)
    for name, answer in answers.items():
        error = answer["error"]
        assert (name, error["code"], error["data"]["domain_code"]) == (name, -32000, "QUEUE_DISABLED")


def test_a_variable_can_enable_what_the_file_has_disabled(tmp_path: Path) -> None:
    environment = {"MCP_QUEUE__QUEUE_MANAGER__ENABLED": "true", "MCP_QUEUE__QUEUE_MANAGER__MAX_CONCURRENT_JOBS": "1"}
    said = run_application(tmp_path, {"queue_manager": {"enabled": False}}, {"queue_health": {}}, **environment)
    assert said["config"]["queue_manager"]["max_concurrent_jobs"] == 1
    assert said["answers"]["manager"] == "mcp_queue_plugin.adapter.integration"
    assert said["answers"]["queue_health"]["data"]["max_concurrent_jobs"] == 1


def test_no_request_leaves_a_filter_at_the_adapters_logger(tmp_path: Path) -> None:
    said = run_application(tmp_path, {}, {"queue_health": {}, "queue_list_jobs": {}})
    assert said["filters"] == ["Filter"]


TOKENS: dict[str, Any] = {"auth": {"use_token": True, "tokens": {"a": ["*"]}}}
LOG, SECURITY = "RequestLoggingMiddleware", "UnifiedSecurityMiddleware"


@pytest.mark.parametrize(
    ("config", "stack"),
    [
        ({}, ["DirectCalls", LOG, "Gate", "Guard"]),
        (TOKENS, ["DirectCalls", LOG, "Gate", SECURITY, "Guard"]),
        ({**TOKENS, "middleware": 1}, [LOG, "Gate", SECURITY, "GZipMiddleware", "DirectCalls", "Guard"]),
    ],
    ids=["open", "tokens", "with an application's own"],
)
def test_the_queues_middleware_stands_around_the_adapters_security(
    tmp_path: Path, config: dict[str, Any], stack: list[str]
) -> None:
    assert run_application(tmp_path, config, {})["stack"] == ["CORSMiddleware", *stack]


def test_the_adapters_check_sees_the_settings_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"queue_manager": {"in_memory": False}, "queue_plugin": {"durability": "fast"}}
    refused = validate_section(None, config)
    assert {error.key for error in refused} == {"queue_manager.registry_path", "queue_plugin.durability"}
    monkeypatch.setenv("MCP_QUEUE__DURABILITY", "normal")
    monkeypatch.setenv("MCP_QUEUE__QUEUE_MANAGER__REGISTRY_PATH", "queue.db")
    assert validate_section(None, config) == []


def test_the_adapters_check_names_a_variable_that_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_QUEUE__WORKERS__MIN", "many")
    (error,) = validate_section(None, {"queue_plugin": {}})
    assert error.message.startswith("MCP_QUEUE__WORKERS__MIN: queue_plugin.workers.min: must be")
