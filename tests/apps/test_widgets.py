"""Widget tokens: pages of other sites read `community` and the map, and nothing else."""

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from api.apps.__main__ import AppsError
from tests.support.app_server import AppServer
from tests.support.gateway import Talk, until

pytestmark = pytest.mark.timeout(120)

PAGE = "https://club.example"  # of no other test: they share a server


async def opened(server: AppServer, origin: str) -> int:
    """The status of a handshake from a page of this origin."""
    try:
        async with connect(server.fleet.ws_url, proxy=None, origin=None if origin is None else Origin(origin)):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


async def said(server: AppServer, token: str | None, origin: str | None) -> int | str | None:
    """What `connect` brings: its answer, or the code of the close."""
    async with connect(server.fleet.ws_url, proxy=None, origin=None if origin is None else Origin(origin)) as socket:
        talk = Talk(socket)
        await talk.say("connect", id="q", **({} if token is None else {"token": token}))
        try:
            return str((await talk.hear())["type"])
        except Exception:  # noqa: BLE001 - closed, whatever the library calls it
            return await talk.closed()


async def test_a_widget_reads_the_community_and_the_map_alone(server: AppServer) -> None:
    """On pages of its origin, until it is taken back, which also ends its sockets.
    Seen failing with pages that bring no token."""
    assert await opened(server, PAGE) == 403
    line, token = (await server.command("widget-token", "--origin", PAGE)).splitlines()
    name = line.split()[2]

    async def known() -> bool:
        return await opened(server, PAGE) == 101

    await until(known, 10)
    assert await opened(server, "https://evil.example") == 403
    assert await said(server, None, PAGE) == 4500
    assert await said(server, token[:-9] + "AAAAAAAAA", PAGE) == 4500
    assert await said(server, token, None) == 4500
    assert await said(server, token, "https://app.example") == 4500  # one of ours, and not the token's
    async with server.client(token, origin=PAGE) as widget:
        assert (await widget.subscribe("community"))["type"] == "subscribed"
        for channel in ("app:news:a", "user:x", "profile:x"):
            assert (await widget.subscribe(channel))["code"] == "FORBIDDEN", channel
        await widget.say("heartbeat", lat=52.5, lng=13.4, status="training")
        await widget.say("viewport", west=-180, south=-85, east=180, north=85, zoom=2)
        await widget.hear("map")
        while (await widget.hear("online"))["users"]:
            pass  # people of other tests go; the widget's heartbeat would stay
        assert name in await server.command("list")
        await server.command("widget-token", "--revoke", name)
        assert await widget.closed() == 4503
    assert await opened(server, PAGE) == 403
    with pytest.raises(AppsError, match="there is no widget token"):
        await server.command("widget-token", "--revoke", name)


async def test_a_token_is_good_in_a_moment(server: AppServer) -> None:
    """A client that is quicker than the word about its token waits for it."""
    await server.command("widget-token", "--origin", PAGE)

    async def known() -> bool:
        return await opened(server, PAGE) == 101

    await until(known, 10)
    token = (await server.command("widget-token", "--origin", PAGE)).splitlines()[-1]
    async with asyncio.timeout(45):
        assert await said(server, token, PAGE) == "welcome"
