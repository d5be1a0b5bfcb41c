"""The callers of a server that asks for tokens."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.harness.configuration import write_configuration

ALICE, BOB, ROOT = "alice-token-1c9d", "bob-token-77ab", "root-token-e0f2"
AUTH = {
    "use_token": True,
    "use_roles": True,
    "tokens": {ALICE: ["embedder"], BOB: ["chunker"], ROOT: ["*"]},
    "roles": {"embedder": ["read", "write"], "chunker": ["read"], "*": ["*"]},
}
PERMISSIONS = {"stamp": ["write"], "transfer_ack": ["write"]}
WAITS_MAX = 2


def write_guarded_configuration(folder: Path) -> Path:
    """A server that these callers may call, and nobody else."""
    plugin = {"security": {"max_waits_per_caller": WAITS_MAX}}
    return write_configuration(folder, queue_plugin=plugin, auth=AUTH, command_permissions=PERMISSIONS)
