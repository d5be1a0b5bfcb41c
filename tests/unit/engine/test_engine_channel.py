"""Frames over a real socket pair, whatever the socket does."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator

import pytest

from mcp_queue_plugin.engine.channel import QUIET_SECONDS, Channel
from mcp_queue_plugin.workers.protocol import PAYLOAD_MAX_BYTES, PREFIX, Frame, FrameReader, encode
from tests.unit.workers.harness import until


class End:
    """A channel, what it received in how many reads, and how often it was told of its end."""

    def __init__(self, sock: socket.socket) -> None:
        self.reads: list[list[Frame]] = []
        self.closed = 0
        self.now = 0.0
        self.channel = Channel(sock, on_frames=self.reads.append, on_closed=self._on_closed, clock=lambda: self.now)
        self.channel.attach(asyncio.get_running_loop())

    @property
    def frames(self) -> list[Frame]:
        return [frame for frames in self.reads for frame in frames]

    def _on_closed(self) -> None:
        self.closed += 1


@pytest.fixture
async def pair() -> AsyncIterator[tuple[End, socket.socket]]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    end = End(ours)
    yield end, theirs
    end.channel.close()
    theirs.close()


async def receive(sock: socket.socket, count: int) -> list[Frame]:
    reader, frames = FrameReader(), list[Frame]()
    async with asyncio.timeout(20):
        while len(frames) < count:
            frames += reader.feed(await asyncio.get_running_loop().sock_recv(sock, 1 << 20))
    return frames


async def test_of_many_frames_those_of_one_turn_go_out_together_and_in_order(pair: tuple[End, socket.socket]) -> None:
    end, theirs = pair
    first, *frames = (encode(number, number) for number in range(1, 51))
    for now in (1000.0, 1000.0 + 2 * QUIET_SECONDS):
        end.now = now
        end.channel.send(first)
        assert theirs.recv(1 << 20) == first, "after a quiet time nothing waits"
        for frame in frames:
            end.channel.send(frame)
        with pytest.raises(BlockingIOError):
            theirs.recv(1)
        await asyncio.sleep(0)
        assert theirs.recv(1 << 20) == b"".join(frames)


async def test_a_flush_does_not_wait_for_the_end_of_the_turn(pair: tuple[End, socket.socket]) -> None:
    end, theirs = pair
    end.channel.flush()
    end.channel.send(encode(1, None))
    end.channel.flush()
    assert theirs.recv(1 << 20) == encode(1, None)


async def test_what_a_full_socket_does_not_take_follows_in_order(pair: tuple[End, socket.socket]) -> None:
    end, theirs = pair
    payloads = [os.urandom(300_000) for _ in range(20)]
    for number, payload in enumerate(payloads):
        end.channel.send(encode(1, number, payload))
        if number % 5 == 0:
            await asyncio.sleep(0)
    received = await receive(theirs, len(payloads))
    assert [frame.payload for frame in received] == payloads
    end.channel.send(encode(2, "after"))
    assert (await receive(theirs, 1))[0].header == b'"after"'


async def test_frames_arrive_whole_whatever_pieces_they_come_in(pair: tuple[End, socket.socket]) -> None:
    end, theirs = pair
    stream = encode(1, {"a": 1}, b"first") + encode(2, {"b": 2}, b"second")
    for byte in stream:
        theirs.send(bytes((byte,)))
        await asyncio.sleep(0)
    await until(lambda: len(end.frames) == 2)
    assert end.frames == [Frame(1, b'{"a":1}', b"first"), Frame(2, b'{"b":2}', b"second")]


async def test_frames_of_one_read_come_together(pair: tuple[End, socket.socket]) -> None:
    end, theirs = pair
    theirs.send(b"".join(encode(number, None) for number in range(1, 100)))
    await until(lambda: len(end.frames) == 99)
    assert len(end.reads) == 1


async def test_the_end_is_told_once_after_the_last_frames(pair: tuple[End, socket.socket]) -> None:
    end, theirs = pair
    theirs.send(encode(1, None))
    theirs.close()
    await until(lambda: end.closed)
    assert [frame.kind for frame in end.frames] == [1]
    end.channel.send(encode(2, None))
    await asyncio.sleep(0)
    assert end.closed == 1


async def test_sending_to_one_who_is_gone_is_no_error(pair: tuple[End, socket.socket]) -> None:
    end, theirs = pair
    theirs.close()
    end.channel.send(encode(1, None))
    end.channel.flush()
    await until(lambda: end.closed)
    assert end.closed == 1


async def test_one_who_goes_while_a_send_waits_is_told_as_gone(pair: tuple[End, socket.socket]) -> None:
    end, theirs = pair
    end.channel.send(encode(1, None, bytes(5_000_000)))
    end.channel.flush()
    theirs.close()
    await until(lambda: end.closed)
    assert end.closed == 1


async def test_a_frame_that_is_too_large_ends_the_channel(pair: tuple[End, socket.socket]) -> None:
    end, theirs = pair
    theirs.send(PREFIX.pack(PAYLOAD_MAX_BYTES + 1, 2, 1))
    await until(lambda: end.closed)
    assert (end.closed, end.frames) == (1, [])


async def test_a_detached_channel_keeps_what_it_was_given_for_the_next_loop() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        end = End(ours)
        end.channel.detach()
        end.channel.send(encode(1, "kept"))
        theirs.send(encode(2, None))
        await asyncio.sleep(0)
        assert not end.frames
        end.channel.attach(asyncio.get_running_loop())
        await until(lambda: end.frames)
        assert theirs.recv(1 << 20) == encode(1, "kept")
        end.channel.close()


def test_a_channel_moves_from_a_loop_that_has_ended_to_another() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        received: list[Frame] = []
        channel = Channel(ours, on_frames=received.extend, on_closed=lambda: None)

        async def on_a_loop(number: int) -> None:
            channel.detach()
            channel.attach(asyncio.get_running_loop())
            channel.send(encode(number, None))
            theirs.send(encode(number, None))
            await until(lambda: len(received) == number)
            assert theirs.recv(1 << 20) == encode(number, None)

        asyncio.run(on_a_loop(1))
        asyncio.run(on_a_loop(2))
        channel.close()
