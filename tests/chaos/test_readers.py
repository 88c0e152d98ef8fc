"""Clients that stop reading, and clients whose cable is cut: the gateway gets rid of them and nobody waits for them."""

import asyncio
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import termios
import time
from fcntl import ioctl
from pathlib import Path

import pytest

from config.limits import (
    PING_AFTER_SILENCE_BACKGROUND_S,
    PING_AFTER_SILENCE_S,
    SEND_QUEUE_BYTES_MAX,
    SILENT_CLOSE_BACKGROUND_S,
    SILENT_CLOSE_S,
)
from loadtest.bench.host import family
from rt.wire.channels import app_channel
from tests.support.crowd import Crowd, client_frame, hello
from tests.support.gateway import EPOCH, Gateway, gateway
from tests.support.raw import raw

CHANNEL = app_channel("open", "chaos")
READERS = 450
STALLED = 50
EVENTS_PER_S = 200
EVENT_BYTES = 2_000
CUT_S = 12.0

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]


class Stalled:
    """A client that subscribes and reads nothing more."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall(hello({"type": "connect"}) + client_frame({"type": "subscribe", "channel": CHANNEL.wire}))
        self.port = self.socket.getsockname()[1]
        self.held = -1
        self.acknowledged_at = time.monotonic()  # the last time that its kernel took bytes
        self.cut_s = -1.0  # from then to the end

    def look(self, ended: bool) -> None:
        held = struct.unpack("i", ioctl(self.socket, termios.FIONREAD, bytes(4)))[0]
        if held != self.held:
            self.held = held
            if self.cut_s < 0:
                self.acknowledged_at = time.monotonic()
        if ended and self.cut_s < 0:
            self.cut_s = time.monotonic() - self.acknowledged_at


def kernel_bytes(port: int) -> dict[int, tuple[int, str]]:
    """Of the gateway's sockets, by the client's port: bytes that wait in the kernel, and the state (hexadecimal)."""
    found = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, queues, *_ = line.split()
        if int(local.rpartition(":")[2], 16) == port:
            found[int(remote.rpartition(":")[2], 16)] = (int(queues.partition(":")[0], 16), state)
    return found


def rss_bytes(pid: int) -> int:
    pages = sum(int(Path(f"/proc/{member}/statm").read_text().split()[1]) for member in family(pid))
    return pages * os.sysconf("SC_PAGESIZE")


async def send_events(gate: Gateway, first: int, seconds: float) -> int:
    """EVENTS_PER_S of EVENT_BYTES; the next offset."""
    loop = asyncio.get_running_loop()
    due, end, at = loop.time(), loop.time() + seconds, first
    while loop.time() < end:
        body = b'{"id":"x","p":"%b","t":%d}' % (b"x" * (EVENT_BYTES - 50), time.monotonic_ns())
        assert await gate.feeds.store.append(CHANNEL, EPOCH, at, [body]) is None
        at += 1
        due += 1 / EVENTS_PER_S
        await asyncio.sleep(max(0.0, due - loop.time()))
    return at


async def test_fifty_stalled_readers_of_five_hundred(redis_url: str, tmp_path: Path) -> None:
    """Cut in time, bounded, and nobody else waits. Seen failing without the caps."""
    async with gateway(redis_url, tmp_path, FEED_RATE="") as gate:
        await gate.feeds.make(CHANNEL)
        crowd = Crowd([gate.fleet.rt.port], CHANNEL.wire)
        stalled: list[Stalled] = []
        try:
            await crowd.enter([None] * READERS)
            alone: list[float] = []
            beside: list[float] = []
            crowd.delays = alone
            at = await send_events(gate, 1, 5)
            crowd.delays = beside
            stalled = [Stalled(gate.fleet.rt.port) for _ in range(STALLED)]
            memory = rss_bytes(gate.fleet.rt.pid)
            sending = asyncio.ensure_future(send_events(gate, at, CUT_S + 8))
            most_kernel = most_memory = 0
            while not sending.done():
                queued = kernel_bytes(gate.fleet.rt.port)
                for client in stalled:
                    waiting, state = queued.get(client.port, (0, "gone"))
                    most_kernel = max(most_kernel, waiting)
                    client.look(ended=state != "01")
                most_memory = max(most_memory, rss_bytes(gate.fleet.rt.pid) - memory)
                await asyncio.sleep(0.05)
            await crowd.all_at(await sending - 1, 5)
        finally:
            await crowd.leave()
            for client in stalled:
                client.socket.close()
    cut = [client.cut_s for client in stalled]
    p99 = [statistics.quantiles(delays, n=100)[98] * 1000 for delays in (alone, beside)]
    print(
        f"{STALLED} stalled of {STALLED + READERS} at {EVENTS_PER_S} events/s of {EVENT_BYTES} bytes: cut"
        f" {min(cut):.1f} to {max(cut):.1f} s after their last acknowledgement; most in the kernel"
        f" {most_kernel / 1024:.0f} KiB, process grew by {most_memory / STALLED / 1024:.0f} KiB each;"
        f" p99 of the others {p99[0]:.1f} ms before, {p99[1]:.1f} ms meanwhile; {crowd.counts()}"
    )
    assert min(cut) >= 0
    assert max(cut) <= CUT_S
    assert most_kernel + most_memory / STALLED <= SEND_QUEUE_BYTES_MAX * 1.1
    assert (crowd.holes, crowd.doubles, dict(crowd.codes)) == (0, 0, {})
    assert p99[1] < max(2 * p99[0], 100)


CABLE = """
import json, socket, sys, time
sockets = []
for number in range(int(sys.argv[2])):
    made = socket.create_connection(("10.77.0.1", int(sys.argv[1])))
    made.sendall(bytes.fromhex(sys.argv[3]))
    sockets.append(made)
for made in sockets:
    while b"welcome" not in made.recv(65536):
        pass
print("in", flush=True)
time.sleep(600)
"""


async def test_a_cut_cable_frees_its_sockets(redis_url: str, tmp_path: Path) -> None:
    """100 clients behind a link that goes down without a word: half-open for the server, until its pings find out."""
    name = f"mm{os.getpid() % 100_000}"
    if not ip("netns", "add", name):
        pytest.skip("network namespaces are not to be had here")
    try:
        for words in (
            f"link add {name}a type veth peer name {name}b netns {name}",
            f"addr add 10.77.0.1/24 dev {name}a",
            f"link set {name}a up",
            f"-n {name} addr add 10.77.0.2/24 dev {name}b",
            f"-n {name} link set {name}b up",
        ):
            assert ip(*words.split())
        async with gateway(redis_url, tmp_path, RT_HOST="0.0.0.0") as gate:
            command = ["ip", "netns", "exec", name, sys.executable, "-c", CABLE, str(gate.fleet.rt.port), "100"]
            clients = await asyncio.create_subprocess_exec(
                *command, hello({"type": "connect"}).hex(), stdout=asyncio.subprocess.PIPE
            )
            try:
                assert clients.stdout is not None
                assert await asyncio.wait_for(clients.stdout.readline(), 20) == b"in\n"
                assert ip("link", "set", f"{name}a", "down")
                began = time.monotonic()
                limit_s = SILENT_CLOSE_S + PING_AFTER_SILENCE_S
                while open_sockets(gate.fleet.rt.port):
                    assert time.monotonic() - began < limit_s
                    await asyncio.sleep(0.2)
                print(f"100 half-open sockets: all freed {time.monotonic() - began:.0f} s after the cable was cut")
            finally:
                clients.kill()
                await clients.wait()
    finally:
        ip("link", "del", f"{name}a")
        ip("netns", "del", name)


async def silent_life(gate: Gateway, *, background: bool) -> tuple[float, float, int]:
    """Of a client that answers nothing: seconds until the first ping and until the close, and its code."""
    async with raw(gate) as talk:
        await talk.send(hello({"type": "connect", "background": background}))
        await talk.reader.readuntil(b"\r\n\r\n")
        began, pinged_s = time.monotonic(), 0.0
        async with asyncio.timeout(SILENT_CLOSE_BACKGROUND_S + PING_AFTER_SILENCE_BACKGROUND_S):
            while True:
                first, size = await talk.reader.readexactly(2)
                if size == 126:
                    size = int.from_bytes(await talk.reader.readexactly(2), "big")
                payload = await talk.reader.readexactly(size)
                if first == 0x89 and not pinged_s:
                    pinged_s = time.monotonic() - began
                if first == 0x88:
                    return pinged_s, time.monotonic() - began, int.from_bytes(payload[:2], "big")


async def test_silence_is_asked_about_and_then_ended(redis_url: str, tmp_path: Path) -> None:
    """In the background later: a phone should sleep. Seen failing with one patience for both."""
    async with gateway(redis_url, tmp_path) as gate:
        lives = await asyncio.gather(silent_life(gate, background=False), silent_life(gate, background=True))
    promised = (
        (PING_AFTER_SILENCE_S, SILENT_CLOSE_S),
        (PING_AFTER_SILENCE_BACKGROUND_S, SILENT_CLOSE_BACKGROUND_S),
    )
    for (pinged_s, closed_s, code), (ping_s, close_s) in zip(lives, promised, strict=True):
        assert code == 4004
        assert ping_s <= pinged_s < ping_s + 2
        assert close_s <= closed_s < close_s + 2
    print("silent clients: pinged and closed after", [(round(ping), round(end)) for ping, end, _ in lives], "s")


def ip(*words: str) -> bool:
    """Whether the kernel did it."""
    return shutil.which("ip") is not None and subprocess.run(["ip", *words], check=False).returncode == 0


def open_sockets(port: int) -> int:
    """Established ones of the gateway."""
    return sum(state == "01" for _, state in kernel_bytes(port).values())
