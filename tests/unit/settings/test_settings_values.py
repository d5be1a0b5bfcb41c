"""Which settings there are, what they default to, and which values they take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from mcp_proxy_adapter.core.config.simple_config import QueueManagerConfig
from pydantic import ValidationError

from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.settings import QueueManagerSettings, Settings, check_settings, load_settings

DEFAULTS: dict[str, Any] = {
    "queue_manager": {
        "enabled": True,
        "in_memory": True,
        "registry_path": None,
        "shutdown_timeout": 30.0,
        "max_concurrent_jobs": 10,
        "max_queue_size": None,
        "per_job_type_limits": None,
        "completed_job_retention_seconds": 21600,
        "command_timeout": None,
        "stop_job_wait_timeout": None,
        "max_retained_terminal_jobs": None,
        "default_poll_interval": 0.0,
        "default_max_wait_time": None,
    },
    "queue_plugin": {
        "backend": "auto",
        "durability": "full",
        "auto_import_modules": (),
        "workers": {
            "min": 1,
            "isolation": "warm",
            "recycle_after_jobs": 1000,
            "recycle_rss_mb": None,
            "idle_timeout_seconds": 60.0,
            "start_timeout_seconds": 30.0,
            "min_free_memory_mb": 256,
            "max_load_per_core": None,
            "lasting_threads": ("grpc", "opentelemetry", "pymongo", "sentry_sdk", "tqdm"),
        },
        "queues": {},
        "job_defaults": {
            "queue": "default",
            "priority": 0,
            "timeout_seconds": None,
            "max_retries": 0,
            "retry_base_seconds": 1.0,
            "retry_max_seconds": 300.0,
            "max_crashes": 3,
            "on_interrupt": "retry",
            "stop_grace_seconds": 5.0,
        },
        "limits": {
            "params_bytes": 1_048_576,
            "result_bytes": 16_777_216,
            "log_bytes": 8_388_608,
            "overflow": "evict_oldest",
        },
        "retention": {"tombstone_seconds": 3600.0},
        "access": {"owner_only": True, "admin_roles": ("*",)},
        "security": {
            "max_body_bytes": 4_194_304,
            "max_depth": 64,
            "max_waits_per_caller": 2000,
            "masked_keys": ("password", "token", "secret", "authorization", "api_key"),
            "env_deny": (),
        },
        "mcp": {
            "enabled": True,
            "path": "/mcp",
            "tools": {"allow": ("*",), "deny": ()},
            "max_output_bytes": 65_536,
            "allowed_hosts": (),
            "allowed_origins": (),
        },
    },
}

ACCEPTED = [
    ("queue_manager.enabled", False),
    ("queue_manager.in_memory", True),
    ("queue_manager.registry_path", "data/queue.db"),
    ("queue_manager.registry_path", None),
    ("queue_manager.shutdown_timeout", 0),
    ("queue_manager.shutdown_timeout", 2.5),
    ("queue_manager.max_concurrent_jobs", 1),
    ("queue_manager.max_queue_size", 1),
    ("queue_manager.max_queue_size", None),
    ("queue_manager.per_job_type_limits", {"command_execution": 3, "analyze_project": 1}),
    ("queue_manager.per_job_type_limits", {}),
    ("queue_manager.per_job_type_limits", None),
    ("queue_manager.completed_job_retention_seconds", 0),
    ("queue_manager.command_timeout", 0.5),
    ("queue_manager.command_timeout", None),
    ("queue_manager.stop_job_wait_timeout", 7),
    ("queue_manager.max_retained_terminal_jobs", 1),
    ("queue_manager.default_poll_interval", 0.25),
    ("queue_manager.default_max_wait_time", 60),
    ("queue_plugin.backend", "auto"),
    ("queue_plugin.backend", "sqlite"),
    ("queue_plugin.durability", "full"),
    ("queue_plugin.durability", "normal"),
    ("queue_plugin.auto_import_modules", []),
    ("queue_plugin.workers.min", 0),
    ("queue_plugin.workers.isolation", "warm"),
    ("queue_plugin.workers.isolation", "fresh"),
    ("queue_plugin.workers.recycle_after_jobs", 1),
    ("queue_plugin.workers.recycle_after_jobs", None),
    ("queue_plugin.workers.recycle_rss_mb", 1),
    ("queue_plugin.workers.idle_timeout_seconds", 0.1),
    ("queue_plugin.workers.idle_timeout_seconds", None),
    ("queue_plugin.workers.start_timeout_seconds", 0.1),
    ("queue_plugin.workers.min_free_memory_mb", 0),
    ("queue_plugin.workers.max_load_per_core", 0.5),
    ("queue_plugin.job_defaults.queue", "default"),
    ("queue_plugin.job_defaults.priority", -1_000_000_000),
    ("queue_plugin.job_defaults.timeout_seconds", 0.001),
    ("queue_plugin.job_defaults.timeout_seconds", None),
    ("queue_plugin.job_defaults.max_retries", 0),
    ("queue_plugin.job_defaults.retry_base_seconds", 0),
    ("queue_plugin.job_defaults.retry_max_seconds", 1),
    ("queue_plugin.job_defaults.max_crashes", 1),
    ("queue_plugin.job_defaults.on_interrupt", "retry"),
    ("queue_plugin.job_defaults.on_interrupt", "fail"),
    ("queue_plugin.job_defaults.stop_grace_seconds", 0),
    ("queue_plugin.queues.llm.max_concurrent_jobs", 1),
    ("queue_plugin.queues.llm.max_concurrent_jobs", None),
    ("queue_plugin.queues.llm.min_pause_seconds", 0),
    ("queue_plugin.queues.llm.backoff_base_seconds", 300),
    ("queue_plugin.queues.llm.backoff_max_seconds", 0),
    ("queue_plugin.queues.llm.max_queue_size", 1),
    ("queue_plugin.queues.llm.overflow", "evict_oldest"),
    ("queue_plugin.queues.llm.overflow", "reject"),
    ("queue_plugin.queues.llm.overflow", None),
    ("queue_plugin.queues.default.max_concurrent_jobs", 2),
    ("queue_plugin.limits.log_bytes", 1024),
    ("queue_plugin.limits.overflow", "reject"),
    ("queue_plugin.retention.tombstone_seconds", 0),
    ("queue_plugin.limits.params_bytes", 1024),
    ("queue_plugin.limits.result_bytes", 268_435_456),
    ("queue_plugin.access.owner_only", False),
    ("queue_plugin.access.admin_roles", []),
    ("queue_plugin.security.max_body_bytes", 1024),
    ("queue_plugin.security.max_depth", 8),
    ("queue_plugin.security.max_waits_per_caller", 1),
    ("queue_plugin.security.masked_keys", []),
    ("queue_plugin.security.env_deny", ["AWS_*"]),
    ("queue_plugin.mcp.enabled", False),
    ("queue_plugin.mcp.path", "/agents/mcp"),
    ("queue_plugin.mcp.tools.allow", ["queue_*"]),
    ("queue_plugin.mcp.tools.deny", []),
    ("queue_plugin.mcp.max_output_bytes", 1024),
    ("queue_plugin.mcp.allowed_hosts", ["example.org:*"]),
    ("queue_plugin.mcp.allowed_origins", ["https://example.org"]),
]

BOOLEANS = ["enabled", "in_memory"]

NUMBERS = [
    ("queue_manager.shutdown_timeout", "a number from 0 to 1,000,000,000", -0.1),
    ("queue_manager.max_concurrent_jobs", "an integer from 1 to 10,000", 0),
    ("queue_manager.max_queue_size", "an integer from 1 to 1,000,000,000, or null", 0),
    ("queue_manager.completed_job_retention_seconds", "an integer from 0 to 1,000,000,000", -1),
    ("queue_manager.command_timeout", "a number above 0 and up to 1,000,000,000, or null", 0),
    ("queue_manager.stop_job_wait_timeout", "a number above 0 and up to 1,000,000,000, or null", 0),
    ("queue_manager.max_retained_terminal_jobs", "an integer from 1 to 1,000,000,000, or null", 0),
    ("queue_manager.default_poll_interval", "a number from 0 to 1,000,000,000", -1),
    ("queue_manager.default_max_wait_time", "a number above 0 and up to 1,000,000,000, or null", 0),
    ("queue_plugin.workers.min", "an integer from 0 to 10,000", -1),
    ("queue_plugin.workers.recycle_after_jobs", "an integer from 1 to 1,000,000,000, or null", 0),
    ("queue_plugin.workers.recycle_rss_mb", "an integer from 1 to 1,000,000,000, or null", 0),
    ("queue_plugin.workers.idle_timeout_seconds", "a number above 0 and up to 1,000,000,000, or null", 0),
    ("queue_plugin.workers.start_timeout_seconds", "a number above 0 and up to 1,000,000,000", 0),
    ("queue_plugin.workers.min_free_memory_mb", "an integer from 0 to 1,000,000,000", -1),
    ("queue_plugin.workers.max_load_per_core", "a number above 0 and up to 1,000,000, or null", 0),
    ("queue_plugin.queues.llm.max_concurrent_jobs", "an integer from 1 to 10,000, or null", 0),
    ("queue_plugin.queues.llm.min_pause_seconds", "a number from 0 to 1,000,000,000", -1),
    ("queue_plugin.queues.llm.backoff_base_seconds", "a number from 0 to 1,000,000,000", -1),
    ("queue_plugin.queues.llm.backoff_max_seconds", "a number from 0 to 1,000,000,000", -1),
    ("queue_plugin.queues.llm.max_queue_size", "an integer from 1 to 1,000,000,000, or null", 0),
    ("queue_plugin.job_defaults.priority", "an integer from -1,000,000,000 to 1,000,000,000", -1_000_000_001),
    ("queue_plugin.job_defaults.timeout_seconds", "a number above 0 and up to 1,000,000,000, or null", 0),
    ("queue_plugin.job_defaults.max_retries", "an integer from 0 to 1,000,000,000", -1),
    ("queue_plugin.job_defaults.retry_base_seconds", "a number from 0 to 1,000,000,000", -0.5),
    ("queue_plugin.job_defaults.retry_max_seconds", "a number from 0 to 1,000,000,000", -0.5),
    ("queue_plugin.job_defaults.max_crashes", "an integer from 1 to 1,000,000,000", 0),
    ("queue_plugin.job_defaults.stop_grace_seconds", "a number from 0 to 1,000,000,000", -5),
    ("queue_plugin.limits.log_bytes", "an integer from 1,024 to 1,000,000,000,000", 1023),
    ("queue_plugin.retention.tombstone_seconds", "a number from 0 to 1,000,000,000", -1),
    ("queue_plugin.mcp.max_output_bytes", "an integer from 1,024 to 16,777,216", 1023),
]

CHOICES = [
    ("queue_plugin.backend", '"auto" or "sqlite"'),
    ("queue_plugin.durability", '"full" or "normal"'),
    ("queue_plugin.workers.isolation", '"warm" or "fresh"'),
    ("queue_plugin.job_defaults.on_interrupt", '"retry" or "fail"'),
    ("queue_plugin.limits.overflow", '"evict_oldest" or "reject"'),
]

MODULES = "a JSON list of dotted module names"
LIMITS = "a JSON object whose values are each an integer from 1 to 1,000,000,000, or null"
OTHER_TYPES = [
    ("queue_manager", "a JSON object", "null", None),
    ("queue_plugin", "a JSON object", "[]", []),
    ("queue_plugin.workers", "a JSON object", "4", 4),
    ("queue_plugin.job_defaults", "a JSON object", "null", None),
    ("queue_plugin.limits", "a JSON object", "null", None),
    ("queue_plugin.retention", "a JSON object", "3600", 3600),
    ("queue_plugin.queues", "a JSON object whose values are each a JSON object", "null", None),
    ("queue_plugin.queues", "a JSON object whose values are each a JSON object", '["llm"]', ["llm"]),
    ("queue_plugin.queues.llm", "a JSON object", "null", None),
    ("queue_plugin.queues.llm.overflow", '"evict_oldest" or "reject", or null', '"evict"', "evict"),
    ("queue_manager.registry_path", "a non-empty string, or null", '""', ""),
    ("queue_manager.registry_path", "a non-empty string, or null", "7", 7),
    ("queue_manager.per_job_type_limits", LIMITS, '["a"]', ["a"]),
    ("queue_manager.per_job_type_limits", LIMITS, "3", 3),
    ("queue_plugin.auto_import_modules", MODULES, '"my_server.jobs"', "my_server.jobs"),
    ("queue_plugin.auto_import_modules", MODULES, "null", None),
    ("queue_plugin.workers.lasting_threads", "a JSON list of dotted module names (or *)", '"tqdm"', "tqdm"),
    ("queue_plugin.mcp.path", "a path (like /mcp, without a slash at its end)", '"/mcp/"', "/mcp/"),
    ("queue_plugin.mcp.tools", "a JSON object", '["*"]', ["*"]),
]


def setting_at(settings: Settings, path: str) -> Any:
    value: Any = settings
    for key in path.split("."):
        value = value[key] if isinstance(value, Mapping) else getattr(value, key)
    return value


def config_with(path: str, value: Any) -> dict[str, Any]:
    first, *inner = path.split(".")
    for key in reversed(inner):
        value = {key: value}
    return {first: value}


def problems_of(config: dict[str, Any]) -> list[str]:
    return [str(problem) for problem in check_settings(config, environ={}, source="config.json")]


def test_every_setting_has_its_documented_default() -> None:
    assert load_settings({}, environ={}).model_dump() == DEFAULTS


def test_the_adapters_section_has_the_adapters_keys_and_defaults() -> None:
    assert asdict(QueueManagerConfig()) == DEFAULTS["queue_manager"]


def test_empty_sections_mean_the_defaults() -> None:
    config: dict[str, Any] = {"queue_manager": {}, "queue_plugin": {"workers": {}, "job_defaults": {}}}
    assert load_settings(config, environ={}) == Settings()


def test_other_sections_are_not_looked_at() -> None:
    config = {"server": {"port": "not a port"}, "queue_plugins": 3}
    assert load_settings(config, environ={}) == Settings()


def test_a_jobs_options_default_to_the_settings() -> None:
    plugin = Settings().queue_plugin
    assert JobOptions(**plugin.job_defaults.model_dump(), isolation=plugin.workers.isolation) == JobOptions()


@pytest.mark.parametrize(("path", "value"), ACCEPTED)
def test_a_value_that_is_allowed_is_taken(path: str, value: object) -> None:
    settings = load_settings(config_with(path, value), environ={})
    taken = setting_at(settings, path)
    assert (list(taken) if isinstance(value, list) else taken) == value


def test_modules_become_an_immutable_tuple() -> None:
    modules = ["app", "app.jobs", "_private.größe2"]
    settings = load_settings({"queue_plugin": {"auto_import_modules": modules}}, environ={})
    assert settings.queue_plugin.auto_import_modules == tuple(modules)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().queue_manager.max_concurrent_jobs = 3


def test_loading_leaves_the_configuration_as_it_was() -> None:
    config: dict[str, Any] = {"queue_plugin": {"workers": {"min": 1}}}
    load_settings(config, environ={"MCP_QUEUE__WORKERS__MIN": "2", "MCP_QUEUE__JOB_DEFAULTS__MAX_CRASHES": "1"})
    assert config == {"queue_plugin": {"workers": {"min": 1}}}


@pytest.mark.parametrize("key", BOOLEANS)
@pytest.mark.parametrize(("value", "shown"), [("yes", '"yes"'), ("true", '"true"'), (1, "1"), (0, "0"), (None, "null")])
def test_only_true_and_false_are_booleans(key: str, value: object, shown: str) -> None:
    assert problems_of({"queue_manager": {key: value}}) == [
        f"config.json: queue_manager.{key}: must be true or false, not {shown}"
    ]


@pytest.mark.parametrize(("path", "allowed", "too_small"), NUMBERS)
def test_a_number_is_a_finite_number_in_its_range(path: str, allowed: str, too_small: float) -> None:
    mistakes = {
        "true": True,
        '"4"': "4",
        "NaN": math.nan,
        "Infinity": math.inf,
        "-Infinity": -math.inf,
        "[1]": [1],
        str(too_small): too_small,
        "1000000000001": 1_000_000_000_001,
    }
    for shown, value in mistakes.items():
        assert problems_of(config_with(path, value)) == [f"config.json: {path}: must be {allowed}, not {shown}"]


@pytest.mark.parametrize("path", [path for path, allowed, _ in NUMBERS if allowed.startswith("an integer")])
def test_a_count_has_no_fraction(path: str) -> None:
    (problem,) = check_settings(config_with(path, 2.0), environ={}, source="config.json")
    assert problem.message.endswith(", not 2.0")


@pytest.mark.parametrize("path", [path for path, allowed, _ in NUMBERS if not allowed.endswith("null")])
def test_a_number_that_must_be_there_is_not_null(path: str) -> None:
    (problem,) = check_settings(config_with(path, None), environ={}, source="config.json")
    assert problem.message.endswith(", not null")


@pytest.mark.parametrize(("path", "allowed"), CHOICES)
def test_a_choice_is_one_of_its_words(path: str, allowed: str) -> None:
    for value, shown in (("FULL", '"FULL"'), (True, "true"), (None, "null")):
        assert problems_of(config_with(path, value)) == [f"config.json: {path}: must be {allowed}, not {shown}"]


@pytest.mark.parametrize(("path", "allowed", "shown", "value"), OTHER_TYPES)
def test_a_value_of_another_type_is_refused(path: str, allowed: str, shown: str, value: object) -> None:
    assert problems_of(config_with(path, value)) == [f"config.json: {path}: must be {allowed}, not {shown}"]


@pytest.mark.parametrize(
    ("name", "shown"), [("a b", '"a b"'), ("", '""'), (".a", '".a"'), ("a..b", '"a..b"'), ("1a", '"1a"'), (3, "3")]
)
def test_each_module_name_is_dotted_identifiers(name: object, shown: str) -> None:
    assert problems_of({"queue_plugin": {"auto_import_modules": ["fine", name]}}) == [
        f"config.json: queue_plugin.auto_import_modules.1: must be a dotted module name, not {shown}"
    ]


def test_each_module_of_lasting_threads_is_a_name_or_stands_for_all() -> None:
    assert problems_of({"queue_plugin": {"workers": {"lasting_threads": ["fine", "*", "tqdm.*"]}}}) == [
        'config.json: queue_plugin.workers.lasting_threads.2: must be a dotted module name (or *), not "tqdm.*"'
    ]


def test_each_job_types_limit_is_a_count() -> None:
    assert problems_of({"queue_manager": {"per_job_type_limits": {"a": 0, "b": "1", "": 2, "d": 1}}}) == [
        "config.json: queue_manager.per_job_type_limits.a: must be an integer from 1 to 1,000,000,000, not 0",
        'config.json: queue_manager.per_job_type_limits.b: must be an integer from 1 to 1,000,000,000, not "1"',
        'config.json: queue_manager.per_job_type_limits: each of its keys must be a non-empty string, not ""',
    ]


def test_a_durable_queue_names_its_file() -> None:
    expected = "config.json: queue_manager.registry_path: must be the path of a file when in_memory is false, not null"
    assert problems_of({"queue_manager": {"in_memory": False}}) == [expected]
    assert problems_of({"queue_manager": {"in_memory": False, "registry_path": None}}) == [expected]
    assert problems_of({"queue_manager": {"in_memory": False, "registry_path": "queue.db"}}) == []
    with pytest.raises(ValidationError, match="must be the path of a file"):
        QueueManagerSettings(in_memory=False)


def test_a_relative_registry_path_begins_at_the_base_dir(tmp_path: Path) -> None:
    config = {"queue_manager": {"in_memory": False, "registry_path": "data/queue.db"}}
    anchored = load_settings(config, environ={}, base_dir=tmp_path)
    assert anchored.queue_manager.registry_path == str(tmp_path / "data" / "queue.db")
    assert load_settings(config, environ={}).queue_manager.registry_path == "data/queue.db"


def test_an_absolute_registry_path_stays_as_it_is(tmp_path: Path) -> None:
    config = {"queue_manager": {"registry_path": "/srv/queue.db"}}
    assert load_settings(config, environ={}, base_dir=tmp_path).queue_manager.registry_path == "/srv/queue.db"
    assert load_settings({}, environ={}, base_dir=tmp_path).queue_manager.registry_path is None
