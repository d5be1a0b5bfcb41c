"""The systems that are measured; a module each, imported only where it runs."""

from __future__ import annotations

import importlib

from bench.peers.protocol import Peer

OURS = "ours"

MODULES = {
    OURS: "ours",
    "limit-1": "limit",
    "limit-4": "limit",
    "process-pool": "process_pool",
    "saq": "saq",
    "huey": "huey",
    "docket": "docket",
    "celery": "celery",
    "dramatiq": "dramatiq",
    "rq": "rq",
    "rq-simple": "rq",
    "queuemgr": "queuemgr",
    "adapter-manager": "adapter_manager",
    "adapter-server": "adapter_server",
}
"""The module of each system, by the system's name, in the order of the report."""


def load(name: str) -> Peer:
    """The system of this name.

    Raises:
        ImportError: its packages are not installed.
    """
    peers: dict[str, Peer] = importlib.import_module(f"bench.peers.{MODULES[name]}").PEERS
    return peers[name]
