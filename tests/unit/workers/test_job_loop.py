"""The worker's loop and control socket, when the engine goes away."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from mcp_queue_plugin.model.job import Token
from mcp_queue_plugin.workers.control import Control
from mcp_queue_plugin.workers.jobloop import JobLoop

TOKEN = Token(1, 1)


def control_over(endpoint: socket.socket) -> Control:
    writing, inbox = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    writing.close()
    return Control(endpoint, inbox)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs
    asyncio.set_event_loop(None)


def test_a_coroutine_is_cancelled_when_the_engine_goes_away(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    control = control_over(theirs)
    loop = JobLoop(control)
    loop.begin(TOKEN)
    assert control.stop_requested(TOKEN) is False

    async def job() -> None:
        ours.close()
        await asyncio.sleep(3600)

    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(job())
    assert control.stop_requested(TOKEN) is True
    assert control.next_frame() is None
    loop.close()


def test_a_socket_that_the_job_has_closed_is_an_engine_that_has_gone(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    control = control_over(ends[1])
    ends[1].close()
    assert control.stop_requested(TOKEN) is True


def test_a_look_waits_for_nobody_who_is_reading(ends: tuple[socket.socket, socket.socket]) -> None:
    control = control_over(ends[1])
    with control._receiving:
        control.poll()
    assert control.closed is False
