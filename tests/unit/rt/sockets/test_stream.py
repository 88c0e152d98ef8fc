"""Bytes out of one socket: all of them, in order, however little the kernel takes at a time."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from rt.sockets.stream import Stream
from tests.support.gateway import until

SIZE = 8 * 1024 * 1024


class Pair:
    """A Stream that a server of this loop accepted, and the other end of it."""

    def __init__(self, stream: Stream, peer: socket.socket) -> None:
        self.stream = stream
        self.peer = peer

    async def hear(self, count: int) -> bytes:
        """So many bytes, as they come."""
        heard = bytearray()
        while len(heard) < count:
            heard += await asyncio.get_running_loop().sock_recv(self.peer, 65_536)
        return bytes(heard)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    loop = asyncio.get_running_loop()
    made: list[Stream] = []

    def accepted() -> Stream:
        made.append(Stream())
        return made[0]

    server = await loop.create_server(accepted, "127.0.0.1", 0)
    peer = socket.socket()
    peer.setblocking(False)
    await loop.sock_connect(peer, server.sockets[0].getsockname())
    await until(lambda: bool(made) and made[0].transport is not None)
    server.close()
    yield Pair(made[0], peer)
    peer.close()
    if made[0].transport is not None:
        made[0].transport.abort()
    await until(lambda: made[0].transport is None)


def straight(stream: Stream) -> bool:
    """Whether the next write goes to the kernel."""
    return stream._is_clear


async def test_every_byte_arrives_in_order(pair: Pair) -> None:
    """More than the kernel takes, then small writes while the first still waits, then again when nothing does.

    Seen failing with small writes that went straight to the kernel while earlier ones waited in the transport, with the
    whole of a write that was taken in part repeated, and with a stream that never wrote straight again."""
    blocks = [bytes([number]) * (SIZE if number == 1 else 1_000) for number in range(1, 60)]
    for block in blocks:
        pair.stream.put(block)
    assert not straight(pair.stream)
    wanted = b"".join(blocks)
    assert await pair.hear(len(wanted)) == wanted
    transport = pair.stream.transport
    assert transport is not None
    await until(lambda: not transport.get_write_buffer_size())
    pair.stream.put(b"through the transport, once more")
    pair.stream.put(b", then straight")
    assert await pair.hear(47) == b"through the transport, once more, then straight"
    assert straight(pair.stream)
    pair.peer.close()


async def test_a_socket_that_is_gone_ends_the_stream_and_no_other_ones_descriptor(pair: Pair) -> None:
    """Seen failing with a write error that was kept from the transport (the stream stayed until the next read), and
    with an end that left the descriptor to be closed twice: the second time it was somebody else's."""
    pair.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    pair.peer.close()  # a reset
    transport, direct = pair.stream.transport, pair.stream._socket
    assert transport is not None
    assert direct is not None
    transport.pause_reading()
    pair.stream.put(b"x")
    pair.stream.put(b"y")
    await until(lambda: pair.stream.transport is None)
    assert direct.fileno() == -1  # it will close nothing
    others = [socket.socket() for _ in range(20)]
    assert all(other.fileno() >= 0 and other.getsockname() for other in others)
    for other in others:
        other.close()
    Stream().put(b"to nobody")
