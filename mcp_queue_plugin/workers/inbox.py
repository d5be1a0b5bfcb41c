"""Where jobs lie ready for a worker. It takes them out one by one, and until then we can take them back.

Both processes hold the reading end, and the kernel gives each packet to exactly one of them: a job is either begun or
taken back, however the two race (unix(7), SOCK_SEQPACKET). Both take the packets from the front, so the worker may get
one that lay behind others which are taken back.
"""

from __future__ import annotations

import socket

PACKET_MAX_BYTES = 8_192
"""The size of the largest packet: as many of them as a worker may have ready fit into the smallest usual buffer."""


class Inbox:
    """Our side of it. It owns both ends."""

    def __init__(self, writing: socket.socket, reading: socket.socket) -> None:
        """Put packets into ``writing``; ``reading`` is the worker's end."""
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
