"""What ``import mcp_queue_plugin`` gives, and what it costs."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import mcp_queue_plugin


def in_a_fresh_interpreter(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.strip()


def test_the_face_is_sorted_and_complete() -> None:
    assert mcp_queue_plugin.__all__ == sorted(mcp_queue_plugin.__all__)
    assert dir(mcp_queue_plugin) == mcp_queue_plugin.__all__
    namespace: dict[str, object] = {}
    exec("from mcp_queue_plugin import *", namespace)
    assert set(mcp_queue_plugin.__all__) <= set(namespace)


@pytest.mark.parametrize("name", mcp_queue_plugin.__all__)
def test_every_name_can_be_imported_and_is_always_the_same(name: str) -> None:
    value = getattr(mcp_queue_plugin, name)
    assert value is not None
    assert getattr(importlib.import_module("mcp_queue_plugin"), name) is value


def test_the_adapters_names_are_the_adapters_own() -> None:
    from mcp_proxy_adapter.integrations import queuemgr_integration

    for name in ("QueueJobBase", "QueueJobError", "QueueJobResult", "QueueJobStatus"):
        assert getattr(mcp_queue_plugin, name) is getattr(queuemgr_integration, name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'mcp_queue_plugin' has no attribute 'nothing'"):
        mcp_queue_plugin.nothing  # noqa: B018 (the access is the test)


def test_nothing_is_imported_before_it_is_used() -> None:
    heavy = "{'mcp_proxy_adapter', 'queuemgr', 'fastapi', 'apsw', 'pydantic', 'asyncio', 'msgspec'}"
    program = f"import sys, mcp_queue_plugin; print(sorted({heavy} & set(sys.modules)))"
    assert in_a_fresh_interpreter(program) == "[]"


def test_job_code_does_not_need_the_adapter() -> None:
    program = "import sys; from mcp_queue_plugin import current_job, task; print('mcp_proxy_adapter' in sys.modules)"
    assert in_a_fresh_interpreter(program) == "False"


def test_a_worker_knows_nothing_of_the_adapter_before_its_runner_is_loaded() -> None:
    program = "import sys, mcp_queue_plugin.workers.child; print('mcp_proxy_adapter' in sys.modules)"
    assert in_a_fresh_interpreter(program) == "False"


def test_the_engine_knows_nothing_of_the_adapter() -> None:
    program = "import sys, mcp_queue_plugin.engine.host; print('mcp_proxy_adapter' in sys.modules)"
    assert in_a_fresh_interpreter(program) == "False"
