"""A client of ``/ws``, and what has come over it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp

SECONDS = 15.0
ENDS = ("job_completed", "job_failed", "job_stopped", "command_completed", "command_failed", "command_cancelled")


class Socket:
    """One connection to ``/ws``, and what has come over it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def send(self, **message: Any) -> None:
        await self._socket.send_json(message)

    async def send_text(self, text: str) -> None:
        await self._socket.send_str(text)

    async def subscribe(self, job_id: str, kind: str = "queue_job") -> None:
        await self.send(action="subscribe", subscription_type=kind, job_id=job_id)

    async def run(self, command: str, **params: Any) -> str:
        """Start a command session; its job's id."""
        await self.send(action="execute_command", command=command, params=params)
        event = await self.next()
        assert event["event"] == "command_accepted", event
        return str(event["job_id"])

    async def next(self) -> dict[str, Any]:
        event: dict[str, Any] = await self._socket.receive_json(timeout=SECONDS)
        return event

    async def passed(self) -> None:
        """Read what has come so far."""
        with suppress(TimeoutError):
            while True:
                await self._socket.receive_json(timeout=0.0001)

    async def run_among_others(self, command: str, **params: Any) -> str:
        """As ``run``, whatever else comes."""
        request_id = "the one that is meant"
        await self.send(action="execute_command", command=command, params=params, request_id=request_id)
        while (event := await self.next()).get("request_id") != request_id:
            pass
        return str(event["job_id"])

    async def until_end(self, job_id: str) -> list[dict[str, Any]]:
        """All events of a job up to its end."""
        events: list[dict[str, Any]] = []
        while not events or events[-1]["event"] not in ENDS:
            events.append(await self.next())
            assert events[-1]["job_id"] == job_id
        return events


@asynccontextmanager
async def connected(url: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[Socket]:
    """A connection to ``/ws`` of the server at ``url``."""
    address = f"{url.replace('http', 'ws', 1)}/ws"
    async with aiohttp.ClientSession(headers=headers) as session, session.ws_connect(address) as connection:
        yield Socket(connection)
