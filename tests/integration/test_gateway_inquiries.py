"""What a gateway's processes answer operators, over real sockets of each protocol."""

import secrets
from pathlib import Path

from rt.operators.ask import Look, ask
from rt.wire.channels import COMMUNITY, app_channel
from rt.wire.inquiry import INQUIRY_CHANNEL, Inquiry, Place, Seat
from tests.support.gateway import Gateway, gateway, until
from tests.support.graphql_ws import live, publish
from tests.support.sse import streaming

HOT, CALM = app_channel("open", "hot"), app_channel("open", "calm")
PAD = "x" * 30_000


async def look(gate: Gateway, user: str = "", *places: Place) -> Look:
    """What its one process answers."""
    found = await ask(gate.feeds.redis, Inquiry(secrets.token_hex(8), user, list(places)))
    assert (found.asked, len(found.answers)) == (1, 1)
    return found


async def test_operators_hear_what_each_socket_heard_who_is_slow_and_who_is_gone(
    redis_url: str, tmp_path: Path
) -> None:
    """Seen failing with digests that were not remembered, with a GraphQL client looked for as the reader that it is
    not, with rates that forgot the inquiry before, and with slow readers that were not told."""
    async with gateway(redis_url, tmp_path, FEED_RATE="app:open=2") as gate:
        for channel in (HOT, CALM, COMMUNITY):
            await gate.feeds.make(channel)
        assert await gate.feeds.redis.publish(INQUIRY_CHANNEL, b"no inquiry") == 1
        await what_each_socket_heard(gate)

        async def gone() -> bool:
            answers = (await look(gate, "ann")).answers
            return [one.why for answer in answers for one in answer.ended] == ["left"] * 3

        await until(gone)
        await who_is_slow_is_told_and_then_gone(gate)


async def what_each_socket_heard(gate: Gateway) -> None:
    """One of each protocol, all of the same user."""
    await publish(gate.feeds, CALM)
    token = {"Authorization": f"Bearer {gate.mint.access('ann')}"}
    async with (
        gate.client("ann") as talk,
        live(gate, "ann") as graphql,
        streaming(gate.fleet.rt.port, **token) as stream,
    ):
        for channel in (HOT, CALM):
            await talk.ask("subscribe", channel=channel.wire)
        await graphql.subscribe("a")
        await stream.until_place()
        await look(gate)
        await publish(gate.feeds, HOT, 200)
        await talk.hear("digest")
        await publish(gate.feeds, CALM)
        while (await talk.hear("event"))["channel"] != CALM.wire:
            pass
        await publish(gate.feeds, COMMUNITY)
        await stream.next("event")
        await graphql.hear("next")
        places = [Place(HOT.wire, 1), Place(HOT.wire, 199), Place(CALM.wire, 1), Place(CALM.wire, 2)]
        found = await look(gate, "ann", *places, Place(COMMUNITY.wire, 1))
        seats = {
            (seat.protocol, seat.place.channel, seat.place.offset): seat
            for answer in found.answers
            for seat in answer.seats
        }
        assert len(seats) == 3 * 5

        def seat(protocol: str, channel: str, offset: int) -> Seat:
            return seats[protocol, channel, offset]

        def heard(one: Seat) -> tuple[str, int, int, bool, bool]:
            return one.state, one.joined, one.head, one.written, one.digested

        assert heard(seat("websocket", HOT.wire, 1)) == ("live", 0, 200, True, False)
        assert heard(seat("websocket", HOT.wire, 199)) == ("live", 0, 200, True, True)
        assert heard(seat("websocket", CALM.wire, 1)) == ("live", 1, 2, True, False)
        assert heard(seat("websocket", CALM.wire, 2)) == ("live", 1, 2, True, False)
        assert seat("websocket", COMMUNITY.wire, 1).state == "none"
        assert heard(seat("graphql-transport-ws", COMMUNITY.wire, 1)) == ("live", 0, 1, True, False)
        assert heard(seat("server-sent events", COMMUNITY.wire, 1)) == ("live", 0, 1, True, False)
        hot = {one.channel: one for answer in found.answers for one in answer.channels}
        assert (hot[HOT.wire].readers, hot[HOT.wire].offset) == (1, 200)
        assert hot[HOT.wire].events_per_s > 0


async def who_is_slow_is_told_and_then_gone(gate: Gateway) -> None:
    """Somebody who does not read."""
    async with gate.client("bob") as talk:
        await talk.ask("subscribe", channel=COMMUNITY.wire)
        talk.socket.transport.pause_reading()

        async def slow() -> bool:
            await publish(gate.feeds, COMMUNITY, data={"v": 1, "pad": PAD})
            answers = (await look(gate)).answers
            return any(one.user == "bob" and one.unread for answer in answers for one in answer.slow)

        await until(slow)

        async def cut() -> bool:
            await publish(gate.feeds, COMMUNITY, data={"v": 1, "pad": PAD})
            answers = (await look(gate, "bob")).answers
            return any("4002 too slow" in answer.closes and answer.ended for answer in answers)

        await until(cut)
        talk.socket.transport.abort()
