"""A worker process of the bare prototype: frames in, frames out, on one socket."""

from __future__ import annotations

import socket
import sys

import msgspec

from bench.tasks import TASKS, Call

LENGTH_BYTES = 8


def frame(job_id: int, payload: bytes) -> bytes:
    """The payload's size, the job, the payload."""
    return len(payload).to_bytes(LENGTH_BYTES, "little") + job_id.to_bytes(LENGTH_BYTES, "little") + payload


def main(descriptor: int) -> None:
    """Run jobs until the socket closes."""
    connection = socket.socket(fileno=descriptor)
    stream = connection.makefile("rb", buffering=65536)
    decoder = msgspec.json.Decoder(Call)
    while size := stream.read(LENGTH_BYTES):
        job_id = int.from_bytes(stream.read(LENGTH_BYTES), "little")
        call = decoder.decode(stream.read(int.from_bytes(size, "little")))
        connection.sendall(frame(job_id, msgspec.json.encode(TASKS[call.task](**call.arguments))))


if __name__ == "__main__":
    main(int(sys.argv[1]))
