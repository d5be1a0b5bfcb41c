from __future__ import annotations

from tests.unit.adapter.fixtures import adapter_restored, manager, serving

__all__ = ["adapter_restored", "manager", "serving"]
