"""An answer's head and body leave together, by uvicorn's own cycle."""

import asyncio
import logging
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from config.serving.joined import Joined


class Wire(asyncio.Transport):
    """What reaches the socket, by system call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.closed
        self.calls.append(bytes(data))

    def writelines(self, list_of_data: Any) -> None:
        self.calls.append(b"".join(list_of_data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


def cycle(wire: Wire, method: str = "GET", *, keep_alive: bool = True, expects: bool = False) -> RequestResponseCycle:
    """An answer that is to be made, as HttpProtocol begins it."""
    log = logging.getLogger("uvicorn")
    made = RequestResponseCycle(
        scope={"type": "http", "method": method, "path": "/"},  # type: ignore[typeddict-item]
        transport=wire,
        flow=FlowControl(wire),
        logger=log,
        access_logger=log,
        access_log=False,
        default_headers=[],
        message_event=asyncio.Event(),
        expect_100_continue=expects,
        keep_alive=keep_alive,
        on_response=lambda: made.transport.flush(),  # type: ignore[attr-defined]
    )
    made.transport = Joined(wire, made)  # type: ignore[assignment]
    return made


async def answer(made: RequestResponseCycle, *bodies: bytes, length: int | None = None) -> None:
    headers = [] if length is None else [(b"content-length", b"%d" % length)]
    await made.send({"type": "http.response.start", "status": 200, "headers": headers})
    for n, body in enumerate(bodies, 1):
        await made.send({"type": "http.response.body", "body": body, "more_body": n < len(bodies)})


async def test_head_and_body_are_one_system_call() -> None:
    """Seen failing with uvicorn's own transport."""
    wire = Wire()
    await answer(cycle(wire), b"all of it", length=9)
    assert len(wire.calls) == 1
    assert wire.calls[0].endswith(b"\r\n\r\nall of it")


async def test_what_follows_leaves_at_once() -> None:
    wire = Wire()
    made = cycle(wire)
    await answer(made, b"one", b"two", b"")
    assert wire.calls[0].endswith(b"\r\n\r\n3\r\none\r\n")
    assert wire.calls[1:] == [b"3\r\ntwo\r\n", b"0\r\n\r\n"]


async def test_an_answer_without_a_body_leaves_too() -> None:
    """Of HEAD, and before the connection closes. Seen failing without `flush`, and with a `close` that does none."""
    wire = Wire()
    await answer(cycle(wire, "HEAD"), b"", length=9)
    assert len(wire.calls) == 1
    wire = Wire()
    await answer(cycle(wire, "HEAD", keep_alive=False), b"", length=9)
    assert (len(wire.calls), wire.closed) == (1, True)


async def test_who_is_asked_to_go_on_hears_it_before_the_answer() -> None:
    """Seen failing where the first write was taken for the head."""
    wire = Wire()
    made = cycle(wire, expects=True)
    made.message_event.set()
    await made.receive()
    assert wire.calls == [b"HTTP/1.1 100 Continue\r\n\r\n"]
    await answer(made, b"x", length=1)
    assert len(wire.calls) == 2
