"""Messages that are wrong in every way: each is answered or ends its socket, and none is the gateway's own fault."""

import asyncio
import json
import random
import time
from collections import Counter
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from rt.clients.effects import Beat, Close, Send, Watch
from rt.clients.facts import Facts
from rt.clients.session import Session, SessionState
from rt.map.geometry import bounds, view
from rt.wire.closes import Closing
from rt.wire.inbound import Connect, Malformed, Problem, decode
from tests.support.fuzz import message
from tests.support.gateway import gateway

MESSAGES = 2_000
PER_SOCKET = 8
LONG = 1_000_000
CODES = {1000, 4001, 4500, 4501, 4505}


async def test_two_thousand_at_the_port(redis_url: str, tmp_path: Path) -> None:
    """Seen failing: a decoder whose RecursionError was not caught."""
    seed = random.randrange(10**9)
    print(f"seed {seed}")
    ends: Counter[int | None] = Counter()
    async with gateway(redis_url, tmp_path) as gate:
        line = asyncio.Semaphore(20)

        async def one(number: int) -> None:
            chance = random.Random(seed + number)
            # Unbounded: a client that does not read what it was sent waits ten seconds for the end of its own close.
            async with line, gate.socket(max_queue=None) as talk:
                try:
                    if chance.random() < 0.9:
                        user = chance.choice(("u1", "u2", "u3", None))
                        await talk.say("connect", **({"token": gate.mint.access(user)} if user else {}))
                    for _ in range(PER_SOCKET):
                        await talk.socket.send(message(chance).decode())
                    await talk.say("ping", id="last")
                    while json.loads(await asyncio.wait_for(talk.socket.recv(), 15)).get("id") != "last":
                        pass
                    ends[None] += 1
                except ConnectionClosed as end:
                    ends[end.rcvd.code if end.rcvd else -1] += 1

        await asyncio.gather(*(one(number) for number in range(MESSAGES // PER_SOCKET)))
        log = gate.fleet.rt.log.read_text("utf-8")
    print(f"{MESSAGES} messages on {ends.total()} sockets: {dict(ends)}")
    assert set(ends) <= CODES | {None}
    assert ends[None] > ends.total() // 20
    assert "session_failed" not in log
    assert "Traceback" not in log


@pytest.mark.chaos
@pytest.mark.timeout(1_800)
def test_a_million_through_decoder_and_session() -> None:
    """The same messages without sockets: whatever is decided, nothing is raised and no socket ends by a bug."""
    seed = random.randrange(10**9)
    print(f"seed {seed}")
    chance = random.Random(seed)
    facts = Facts(
        issuer="i", audience="a", open_namespaces=frozenset({"open"}), connections_per_user_max=5, settled_s=0
    )
    facts.exercises = frozenset({"squat"})
    counts: Counter[str] = Counter()
    began = time.monotonic()
    session, now = Session("s", 0.0), 0.0
    for _ in range(LONG):
        data = message(chance)
        told = decode(data)
        counts[type(told).__name__] += 1
        if session.state is SessionState.CLOSING or chance.random() < 0.02:
            session = Session("s", now)
            session.step(Connect(), facts, now)
        now += 0.02
        for effect in session.step(told, facts, now):
            match effect:
                case Send():
                    json.loads(effect.frame[2:] if effect.frame[1] < 126 else effect.frame[4:])
                case Close():
                    assert effect.closing is not Closing.INTERNAL, data
                    counts[effect.closing.name] += 1
                case Watch():
                    seen = effect.message
                    view(bounds(seen.west, seen.south, seen.east, seen.north), seen.zoom)
                case Beat():
                    assert effect.cell is None or len(effect.cell) == 15
                case _:
                    pass
    print(f"{LONG} messages in {time.monotonic() - began:.0f} s: {dict(counts)}; raised 0, 1011: 0")
    assert counts[Malformed.__name__]
    assert counts[Problem.__name__]
