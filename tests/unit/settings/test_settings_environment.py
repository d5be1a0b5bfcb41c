"""The environment: a variable for every setting, over the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mcp_queue_plugin.settings import Settings, check_settings, load_settings
from mcp_queue_plugin.settings.environment import variable_name
from mcp_queue_plugin.settings.schema import all_settings
from mcp_queue_plugin.words import branches

VARIABLES = [
    ("MCP_QUEUE__QUEUE_MANAGER__ENABLED", "false", "queue_manager.enabled", False),
    ("MCP_QUEUE__QUEUE_MANAGER__IN_MEMORY", "true", "queue_manager.in_memory", True),
    ("MCP_QUEUE__QUEUE_MANAGER__REGISTRY_PATH", "/srv/queue.db", "queue_manager.registry_path", "/srv/queue.db"),
    ("MCP_QUEUE__QUEUE_MANAGER__SHUTDOWN_TIMEOUT", "2.5", "queue_manager.shutdown_timeout", 2.5),
    ("MCP_QUEUE__QUEUE_MANAGER__MAX_CONCURRENT_JOBS", "4", "queue_manager.max_concurrent_jobs", 4),
    ("MCP_QUEUE__QUEUE_MANAGER__MAX_QUEUE_SIZE", "50", "queue_manager.max_queue_size", 50),
    ("MCP_QUEUE__QUEUE_MANAGER__PER_JOB_TYPE_LIMITS", '{"Echo": 2}', "queue_manager.per_job_type_limits", {"Echo": 2}),
    (
        "MCP_QUEUE__QUEUE_MANAGER__COMPLETED_JOB_RETENTION_SECONDS",
        "0",
        "queue_manager.completed_job_retention_seconds",
        0,
    ),
    ("MCP_QUEUE__QUEUE_MANAGER__COMMAND_TIMEOUT", "9", "queue_manager.command_timeout", 9),
    ("MCP_QUEUE__QUEUE_MANAGER__STOP_JOB_WAIT_TIMEOUT", "9", "queue_manager.stop_job_wait_timeout", 9),
    ("MCP_QUEUE__QUEUE_MANAGER__MAX_RETAINED_TERMINAL_JOBS", "9", "queue_manager.max_retained_terminal_jobs", 9),
    ("MCP_QUEUE__QUEUE_MANAGER__DEFAULT_POLL_INTERVAL", "0.5", "queue_manager.default_poll_interval", 0.5),
    ("MCP_QUEUE__QUEUE_MANAGER__DEFAULT_MAX_WAIT_TIME", "9", "queue_manager.default_max_wait_time", 9),
    ("MCP_QUEUE__BACKEND", "sqlite", "queue_plugin.backend", "sqlite"),
    ("MCP_QUEUE__DURABILITY", "normal", "queue_plugin.durability", "normal"),
    ("MCP_QUEUE__AUTO_IMPORT_MODULES", '["a.b", "c"]', "queue_plugin.auto_import_modules", ("a.b", "c")),
    ("MCP_QUEUE__WORKERS__MIN", "2", "queue_plugin.workers.min", 2),
    ("MCP_QUEUE__WORKERS__ISOLATION", "fresh", "queue_plugin.workers.isolation", "fresh"),
    ("MCP_QUEUE__WORKERS__RECYCLE_AFTER_JOBS", "50", "queue_plugin.workers.recycle_after_jobs", 50),
    ("MCP_QUEUE__WORKERS__RECYCLE_RSS_MB", "512", "queue_plugin.workers.recycle_rss_mb", 512),
    ("MCP_QUEUE__WORKERS__IDLE_TIMEOUT_SECONDS", "0.5", "queue_plugin.workers.idle_timeout_seconds", 0.5),
    ("MCP_QUEUE__WORKERS__START_TIMEOUT_SECONDS", "1e1", "queue_plugin.workers.start_timeout_seconds", 10),
    ("MCP_QUEUE__WORKERS__MIN_FREE_MEMORY_MB", "0", "queue_plugin.workers.min_free_memory_mb", 0),
    ("MCP_QUEUE__WORKERS__MAX_LOAD_PER_CORE", "1.5", "queue_plugin.workers.max_load_per_core", 1.5),
    ("MCP_QUEUE__WORKERS__LASTING_THREADS", '["a.b", "*"]', "queue_plugin.workers.lasting_threads", ("a.b", "*")),
    ("MCP_QUEUE__QUEUES", '{"llm": {"max_queue_size": 7}}', "queue_plugin.queues.llm.max_queue_size", 7),
    ("MCP_QUEUE__QUEUES__LLM__MAX_CONCURRENT_JOBS", "1", "queue_plugin.queues.llm.max_concurrent_jobs", 1),
    ("MCP_QUEUE__QUEUES__LLM__MIN_PAUSE_SECONDS", "10", "queue_plugin.queues.llm.min_pause_seconds", 10),
    ("MCP_QUEUE__QUEUES__LLM__BACKOFF_BASE_SECONDS", "15", "queue_plugin.queues.llm.backoff_base_seconds", 15),
    ("MCP_QUEUE__QUEUES__LLM__BACKOFF_MAX_SECONDS", "60", "queue_plugin.queues.llm.backoff_max_seconds", 60),
    ("MCP_QUEUE__QUEUES__LLM__MAX_QUEUE_SIZE", "50", "queue_plugin.queues.llm.max_queue_size", 50),
    ("MCP_QUEUE__QUEUES__LLM__OVERFLOW", "reject", "queue_plugin.queues.llm.overflow", "reject"),
    ("MCP_QUEUE__JOB_DEFAULTS__QUEUE", "default", "queue_plugin.job_defaults.queue", "default"),
    ("MCP_QUEUE__JOB_DEFAULTS__PRIORITY", "-3", "queue_plugin.job_defaults.priority", -3),
    ("MCP_QUEUE__JOB_DEFAULTS__TIMEOUT_SECONDS", "90", "queue_plugin.job_defaults.timeout_seconds", 90),
    ("MCP_QUEUE__JOB_DEFAULTS__MAX_RETRIES", "2", "queue_plugin.job_defaults.max_retries", 2),
    ("MCP_QUEUE__JOB_DEFAULTS__RETRY_BASE_SECONDS", "0.1", "queue_plugin.job_defaults.retry_base_seconds", 0.1),
    ("MCP_QUEUE__JOB_DEFAULTS__RETRY_MAX_SECONDS", "20", "queue_plugin.job_defaults.retry_max_seconds", 20),
    ("MCP_QUEUE__JOB_DEFAULTS__MAX_CRASHES", "1", "queue_plugin.job_defaults.max_crashes", 1),
    ("MCP_QUEUE__JOB_DEFAULTS__ON_INTERRUPT", "fail", "queue_plugin.job_defaults.on_interrupt", "fail"),
    ("MCP_QUEUE__JOB_DEFAULTS__STOP_GRACE_SECONDS", "0", "queue_plugin.job_defaults.stop_grace_seconds", 0),
    ("MCP_QUEUE__LIMITS__PARAMS_BYTES", "2048", "queue_plugin.limits.params_bytes", 2048),
    ("MCP_QUEUE__LIMITS__RESULT_BYTES", "2048", "queue_plugin.limits.result_bytes", 2048),
    ("MCP_QUEUE__LIMITS__LOG_BYTES", "4096", "queue_plugin.limits.log_bytes", 4096),
    ("MCP_QUEUE__LIMITS__OVERFLOW", "reject", "queue_plugin.limits.overflow", "reject"),
    ("MCP_QUEUE__RETENTION__TOMBSTONE_SECONDS", "0", "queue_plugin.retention.tombstone_seconds", 0),
    ("MCP_QUEUE__ACCESS__OWNER_ONLY", "false", "queue_plugin.access.owner_only", False),
    ("MCP_QUEUE__ACCESS__ADMIN_ROLES", '["techsup"]', "queue_plugin.access.admin_roles", ("techsup",)),
    ("MCP_QUEUE__SECURITY__MAX_BODY_BYTES", "4096", "queue_plugin.security.max_body_bytes", 4096),
    ("MCP_QUEUE__SECURITY__MAX_DEPTH", "9", "queue_plugin.security.max_depth", 9),
    ("MCP_QUEUE__SECURITY__MAX_WAITS_PER_CALLER", "9", "queue_plugin.security.max_waits_per_caller", 9),
    ("MCP_QUEUE__SECURITY__MASKED_KEYS", '["pin"]', "queue_plugin.security.masked_keys", ("pin",)),
    ("MCP_QUEUE__SECURITY__ENV_DENY", '["AWS_*"]', "queue_plugin.security.env_deny", ("AWS_*",)),
    ("MCP_QUEUE__MCP__ENABLED", "false", "queue_plugin.mcp.enabled", False),
    ("MCP_QUEUE__MCP__PATH", "/agents", "queue_plugin.mcp.path", "/agents"),
    ("MCP_QUEUE__MCP__TOOLS__ALLOW", '["queue_*"]', "queue_plugin.mcp.tools.allow", ("queue_*",)),
    ("MCP_QUEUE__MCP__TOOLS__DENY", '["config"]', "queue_plugin.mcp.tools.deny", ("config",)),
    ("MCP_QUEUE__MCP__MAX_OUTPUT_BYTES", "2048", "queue_plugin.mcp.max_output_bytes", 2048),
    ("MCP_QUEUE__MCP__ALLOWED_HOSTS", '["example.org"]', "queue_plugin.mcp.allowed_hosts", ("example.org",)),
    ("MCP_QUEUE__MCP__ALLOWED_ORIGINS", '["https://a"]', "queue_plugin.mcp.allowed_origins", ("https://a",)),
]

NULLABLE = [".".join(path) for path, node in all_settings().items() if {"type": "null"} in branches(node)]

REFUSED = [
    ("MCP_QUEUE__QUEUE_MANAGER__ENABLED", "yes", 'queue_manager.enabled: must be true or false, not "yes"'),
    ("MCP_QUEUE__QUEUE_MANAGER__ENABLED", "1", "queue_manager.enabled: must be true or false, not 1"),
    ("MCP_QUEUE__QUEUE_MANAGER__ENABLED", "True", 'queue_manager.enabled: must be true or false, not "True"'),
    (
        "MCP_QUEUE__QUEUE_MANAGER__SHUTDOWN_TIMEOUT",
        "NaN",
        "queue_manager.shutdown_timeout: must be a number from 0 to 1,000,000,000, not NaN",
    ),
    (
        "MCP_QUEUE__QUEUE_MANAGER__SHUTDOWN_TIMEOUT",
        "1e999",
        "queue_manager.shutdown_timeout: must be a number from 0 to 1,000,000,000, not Infinity",
    ),
    (
        "MCP_QUEUE__QUEUE_MANAGER__REGISTRY_PATH",
        "",
        'queue_manager.registry_path: must be a non-empty string, or null, not ""',
    ),
    (
        "MCP_QUEUE__QUEUE_MANAGER__PER_JOB_TYPE_LIMITS",
        '{"echo": 0}',
        "queue_manager.per_job_type_limits.echo: must be an integer from 1 to 1,000,000,000, not 0",
    ),
    ("MCP_QUEUE__WORKERS__MIN", "1.5", "queue_plugin.workers.min: must be an integer from 0 to 10,000, not 1.5"),
    ("MCP_QUEUE__WORKERS__MIN", "", 'queue_plugin.workers.min: must be an integer from 0 to 10,000, not ""'),
    ("MCP_QUEUE__WORKERS__MIN", '"2"', 'queue_plugin.workers.min: must be an integer from 0 to 10,000, not "2"'),
    (
        "MCP_QUEUE__AUTO_IMPORT_MODULES",
        "a,b",
        'queue_plugin.auto_import_modules: must be a JSON list of dotted module names, not "a,b"',
    ),
    (
        "MCP_QUEUE__AUTO_IMPORT_MODULES",
        '["a b"]',
        'queue_plugin.auto_import_modules.0: must be a dotted module name, not "a b"',
    ),
    ("MCP_QUEUE__DURABILITY", "null", 'queue_plugin.durability: must be "full" or "normal", not "null"'),
    (
        "MCP_QUEUE__WORKERS__MNI",
        "1",
        "queue_plugin.workers.mni: unknown variable; did you mean MCP_QUEUE__WORKERS__MIN?",
    ),
    (
        "MCP_QUEUE__workers__min",
        "1",
        "queue_plugin.workers.min: unknown variable; did you mean MCP_QUEUE__WORKERS__MIN?",
    ),
    (
        "MCP_QUEUE__QUEUE_PLUGIN__WORKERS__MIN",
        "1",
        "queue_plugin.queue_plugin.workers.min: unknown variable; did you mean MCP_QUEUE__WORKERS__MIN?",
    ),
    (
        "MCP_QUEUE__MAX_CONCURRENT_JOBS",
        "1",
        (
            "queue_plugin.max_concurrent_jobs: unknown variable; "
            "did you mean MCP_QUEUE__QUEUE_MANAGER__MAX_CONCURRENT_JOBS?"
        ),
    ),
    (
        "MCP_QUEUE__QUEUE_MANAGER__IN_MEMROY",
        "1",
        "queue_manager.in_memroy: unknown variable; did you mean MCP_QUEUE__QUEUE_MANAGER__IN_MEMORY?",
    ),
    (
        "MCP_QUEUE__QUEUES__LLM__MAX_QUEUE_SISE",
        "1",
        (
            "queue_plugin.queues.llm.max_queue_sise: unknown variable; "
            "did you mean MCP_QUEUE__QUEUES__LLM__MAX_QUEUE_SIZE?"
        ),
    ),
    (
        "MCP_QUEUE__QUEUES__llm__MAX_QUEUE_SIZE",
        "1",
        (
            "queue_plugin.queues.llm.max_queue_size: unknown variable; "
            "did you mean MCP_QUEUE__QUEUES__LLM__MAX_QUEUE_SIZE?"
        ),
    ),
    (
        "MCP_QUEUE__MIN_PAUSE_SECONDS",
        "1",
        (
            "queue_plugin.min_pause_seconds: unknown variable; "
            "did you mean MCP_QUEUE__QUEUES__<NAME>__MIN_PAUSE_SECONDS?"
        ),
    ),
    (
        "MCP_QUEUE__QUEUES__LLM__MAX_QUEUE_SIZE",
        "0",
        "queue_plugin.queues.llm.max_queue_size: must be an integer from 1 to 1,000,000,000, or null, not 0",
    ),
    (
        "MCP_QUEUE__QUEUES",
        '{"llm": {"overflow": "evict"}}',
        'queue_plugin.queues.llm.overflow: must be "evict_oldest" or "reject", or null, not "evict"',
    ),
    (
        "MCP_QUEUE__QUEUES__LLM",
        "{}",
        "queue_plugin.queues.llm: unknown variable",
    ),
    (
        "MCP_QUEUE__JOB_DEFAULTS__QUEUE",
        "llm",
        'queue_plugin.job_defaults.queue: must be one of the queues ("default"), not "llm"',
    ),
    ("MCP_QUEUE__URL", "redis://:secret@host", "queue_plugin.url: unknown variable"),
    ("MCP_QUEUE__", "1", "queue_plugin.: unknown variable"),
]


def setting_of(settings: Settings, path: str) -> Any:
    value: Any = settings
    for key in path.split("."):
        value = value[key] if isinstance(value, Mapping) else getattr(value, key)
    return value


def test_the_table_of_variables_is_complete() -> None:
    settings = [variable_name(path).replace("<NAME>", "LLM") for path in all_settings()]
    assert [variable for variable, *_ in VARIABLES] == settings


@pytest.mark.parametrize(("variable", "text", "path", "value"), VARIABLES)
def test_every_setting_has_a_variable(variable: str, text: str, path: str, value: object) -> None:
    assert setting_of(load_settings({}, environ={variable: text}), path) == value


@pytest.mark.parametrize("path", NULLABLE)
def test_null_takes_a_setting_back(path: str) -> None:
    *sections, key = path.replace("<name>", "llm").split(".")
    file_value = {"registry_path": "queue.db", "per_job_type_limits": {"a": 1}, "overflow": "reject"}.get(key, 5)
    config: Any = {key: file_value}
    for section in reversed(sections):
        config = {section: config}
    variable = variable_name((*sections, key))
    assert setting_of(load_settings(config, environ={}), ".".join((*sections, key))) == file_value
    assert setting_of(load_settings(config, environ={variable: "null"}), ".".join((*sections, key))) is None


def test_the_environment_goes_before_the_file_and_the_file_before_the_defaults() -> None:
    config = {"queue_plugin": {"workers": {"min": 3, "start_timeout_seconds": 7}}}
    workers = load_settings(config, environ={"MCP_QUEUE__WORKERS__MIN": "5"}).queue_plugin.workers
    assert (workers.min, workers.start_timeout_seconds) == (5, 7)


def test_an_object_from_the_environment_replaces_the_files() -> None:
    config = {"queue_manager": {"per_job_type_limits": {"a": 1}}}
    environ = {"MCP_QUEUE__QUEUE_MANAGER__PER_JOB_TYPE_LIMITS": '{"b": 2}'}
    assert load_settings(config, environ=environ).queue_manager.per_job_type_limits == {"b": 2}


def test_text_is_taken_as_it_is_written(tmp_path: Path) -> None:
    environ = {"MCP_QUEUE__QUEUE_MANAGER__REGISTRY_PATH": "2024"}
    settings = load_settings({}, environ=environ, base_dir=tmp_path)
    assert settings.queue_manager.registry_path == str(tmp_path / "2024")


def test_a_value_that_a_variable_replaces_is_not_looked_at() -> None:
    config = {"queue_plugin": {"workers": {"min": "two"}}}
    assert check_settings(config, environ={"MCP_QUEUE__WORKERS__MIN": "2"}, source="config.json") == []


@pytest.mark.parametrize("config", [{"queue_plugin": {"workers": 3}}, {"queue_plugin": [3]}])
def test_a_variable_does_not_hide_that_the_files_section_is_none(config: dict[str, Any]) -> None:
    (problem,) = check_settings(config, environ={"MCP_QUEUE__WORKERS__MIN": "2"}, source="config.json")
    assert problem.source == "config.json"
    assert problem.message.startswith("must be a JSON object, not ")


@pytest.mark.parametrize(("variable", "text", "line"), REFUSED)
def test_a_mistake_names_the_variable(variable: str, text: str, line: str) -> None:
    problems = check_settings({}, environ={variable: text}, source="config.json")
    assert [str(problem) for problem in problems] == [f"{variable}: {line}"]


def test_other_variables_are_none_of_ours() -> None:
    environ = {
        "MCP_QUEUE_WORKERS": "x",
        "MCP_AUTO_REGISTER_MODULES": "a",
        "PATH": "/bin",
        "mcp_queue__workers__min": "x",
    }
    assert check_settings({}, environ=environ, source="config.json") == []


def test_without_an_environment_given_it_is_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_QUEUE__WORKERS__MIN", "6")
    assert load_settings({}).queue_plugin.workers.min == 6
