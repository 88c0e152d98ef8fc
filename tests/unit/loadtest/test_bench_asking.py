"""The crowd that asks an HTTP server: what counts as an answer, and that a server which errs has no figures."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from loadtest.bench.asking import CONNECTIONS, BadAnswerError, Crowd, percentile_ms, request, size_of

BODY = b'{"data":{"a":1}}'
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


@asynccontextmanager
async def serving(*answers: bytes) -> AsyncIterator[int]:
    """The port of a server that sends these parts, each by itself, for each request."""

    class Answers(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def data_received(self, _: bytes) -> None:
            loop = asyncio.get_running_loop()
            for turn, part in enumerate(answers):
                loop.call_later(turn / 1_000, self.transport.write, part)  # type: ignore[attr-defined]

    server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_answers_are_counted_however_they_are_cut() -> None:
    """Seen failing with the size taken from the newest part alone."""
    async with serving(GOOD[:10], GOOD[10:40], GOOD[40:]) as port, asyncio.timeout(20):
        crowd = Crowd(port, [request(port, b"{}")])
        assert await crowd.pauseless(0.05) >= CONNECTIONS
        assert len(await crowd.at_rate(1_000, 0.05)) == 50
    assert crowd.answer == GOOD


@pytest.mark.parametrize(
    "answer",
    [
        GOOD.replace(b"200 OK", b"503 No"),
        GOOD.replace(b'"data":', b'"errors":'),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["a status", "an error", "no length"],
)
async def test_a_server_that_errs_has_no_figures(answer: bytes) -> None:
    """Seen failing with answers counted whatever they say."""
    async with serving(answer) as port, asyncio.timeout(20):
        crowd = Crowd(port, [request(port, b"{}")])
        with pytest.raises(BadAnswerError):
            await crowd.pauseless(0)


def test_the_size_of_an_answer_is_known_with_its_head() -> None:
    assert [size_of(GOOD[:cut]) for cut in (0, 20, len(GOOD) - len(BODY))] == [0, 0, len(GOOD)]
    assert size_of(GOOD) == len(GOOD)
    assert size_of(b"HTTP/1.1 204 No\r\n\r\n") == -1


def test_a_percentile_of_few_is_one_of_them() -> None:
    assert percentile_ms([], 0.99) == 0.0
    assert percentile_ms([0.001, 0.002, 0.003], 0.5) == 2.0
    assert percentile_ms([0.001, 0.002, 0.003], 0.99) == 3.0
