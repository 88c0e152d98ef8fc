"""An echo server on the gateway's framing code: `python -m tests.support.echo PORT`. For conformance suites."""

import asyncio
import struct
import sys

import uvloop

from config.limits import CLOSE_WAIT_S
from rt.sockets.connection import Connection
from rt.sockets.handshake import Rules

_BINARY = 0x82
_TEXT = 0x81


class Echo(Connection):
    """Answers every message with itself. It takes larger messages than the gateway, and binary ones, as suites do, and
    reads in turns, as the gateway does."""

    __slots__ = ()

    message_bytes_max = 16 << 20
    fragments_max = 1 << 20
    frames_per_turn = 2

    def rules(self) -> Rules:
        return Rules(path=None, origins=None, subprotocols=())

    def on_message(self, payload: bytes | bytearray) -> None:
        self.send(_frame(_TEXT, bytes(payload)))

    def on_binary(self, payload: bytes | bytearray) -> None:
        self.send(_frame(_BINARY, bytes(payload)))

    def put_off(self, data: bytes, at: int) -> None:
        if self.transport is not None:
            self.transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._go_on, data, at)

    def _go_on(self, data: bytes, at: int) -> None:
        if self.transport is not None:
            self.transport.resume_reading()
            self.read(data, at)

    def closing(self) -> None:
        asyncio.get_running_loop().call_later(CLOSE_WAIT_S, self.abort)


def _frame(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65_536:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


async def main(port: int) -> None:
    """Serves until it is ended."""
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
