"""Where jobs lie ready for a worker. It takes them out one by one, and until then we can take them back.

Both processes hold the reading end, and the kernel gives each packet to exactly one of them: a job is either begun or
taken back, however the two race (unix(7), SOCK_SEQPACKET). Both take the packets from the front, so the worker may get
one that lay behind others which are taken back.
"""

from __future__ import annotations

import socket

PACKET_MAX_BYTES = 4_096
"""The size of the largest packet. The kernel counts about twice as much for each."""

BUFFER_BYTES = 131_072
"""What is asked for an inbox; the kernel makes twice as much of it (socket(7), SO_SNDBUF), which is more than all the
packets take that may lie ready."""


class Inbox:
    """Our side of it. It owns both ends."""

    def __init__(self, writing: socket.socket, reading: socket.socket) -> None:
        """Put packets into ``writing``; ``reading`` is the worker's end."""
        writing.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        self._writing = writing
        self._reading = reading

    def put(self, packet: bytes) -> None:
        """Lay down one packet, of at most ``PACKET_MAX_BYTES``, behind those that are there."""
        self._writing.send(packet, socket.MSG_DONTWAIT)

    def take_back(self) -> list[bytes]:
        """All packets that the worker has not taken, in their order."""
        packets = []
        try:
            while True:
                packets.append(self._reading.recv(PACKET_MAX_BYTES, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return packets

    def close(self) -> None:
        """Close both ends."""
        self._writing.close()
        self._reading.close()
