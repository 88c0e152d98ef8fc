"""The servers beside us: what is installed takes part, what is not is named in the table as not installed.

How each is installed: loadtest/README.md.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from config.embedded.ports import free_port
from loadtest.bench.fanout import Server

PEERS: Final = Path(__file__).parent.parent / "peers"
NODE_MODULES: Final = Path(".data/node/node_modules")
GO_BINARIES: Final = Path(".data/go")
CENTRIFUGO_SUBSCRIBED: Final = '"id":2,"subscribe"'
NCHAN_MODULE: Final = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")


def _publish(kind: str, address: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "loadtest.bench.peer_publish", kind, address, "{events}", "{rate}", "{size}")


PLAIN: Final = _publish("redis", "{redis}")


def bun(_redis_url: str) -> Server | None:
    """Bun's server: uWebSockets, C++ and Zig."""
    packaged = NODE_MODULES / "bun/bin/bun.exe"  # the name that the npm package gives it, on Linux too
    program = shutil.which("bun") or (str(packaged) if packaged.exists() else None)
    if program is None:
        return None
    return Server("Bun", (program, str(PEERS / "bun.ts"), "{port}", "{redis}"), PLAIN)


def ws(_redis_url: str) -> Server | None:
    """The usual server of Node."""
    node, module = shutil.which("node"), NODE_MODULES / "ws"
    if node is None or not module.exists():
        return None
    return Server("ws", (node, str(PEERS / "ws.mjs"), str(module.resolve()), "{port}", "{redis}"), PLAIN)


def centrifugo(_redis_url: str) -> Server | None:
    """Centrifugo with its memory engine, Go; published to over its HTTP API. Clients may have a token, or none."""
    built = GO_BINARIES / "centrifugo"
    program = shutil.which("centrifugo") or (str(built) if built.exists() else None)
    if program is None:
        return None
    return Server(
        "Centrifugo",
        (program, "-c", str(PEERS / "centrifugo.json"), "--http_server.port", "{port}"),
        _publish("centrifugo", "{port}"),
        path="/connection/websocket",
        ready=CENTRIFUGO_SUBSCRIBED,
        environment={"GOMAXPROCS": "1"},
        firsts=(json.dumps(centrifugo_hello()),),
    )


def centrifugo_hello(**connect: str) -> list[str]:
    """The first two messages of a client, of which the first may have a `token`."""
    return [json.dumps({"id": 1, "connect": connect}), json.dumps({"id": 2, "subscribe": {"channel": "bench"}})]


def websockets_serve(_redis_url: str) -> Server | None:
    """The `websockets` package's own server with its `broadcast`."""
    return Server(
        "websockets.serve", (sys.executable, "-m", "loadtest.peers.websockets_serve", "{port}", "{redis}"), PLAIN
    )


def nchan(_redis_url: str) -> Server | None:
    """nchan inside nginx, C; published to over HTTP."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None or not NCHAN_MODULE.exists():
        return None
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="nchan-"))
    config = folder / "nginx.conf"
    config.write_text(
        (PEERS / "nchan.conf").read_text("utf-8").format(port=port, folder=folder, module=NCHAN_MODULE), "utf-8"
    )
    return Server("nchan", (program, "-c", str(config)), _publish("nchan", str(port)), path="/sub", port=port)


def nats(_redis_url: str) -> Server | None:
    """nats-server over its WebSocket listener, Go."""
    program = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin")
    if program is None:
        return None
    port, plain_port = free_port(), free_port()
    folder = Path(tempfile.mkdtemp(prefix="nats-"))
    config = folder / "nats.conf"
    config.write_text((PEERS / "nats.conf").read_text("utf-8").format(port=port, plain_port=plain_port), "utf-8")
    return Server(
        "nats-server",
        (program, "-c", str(config)),
        _publish("nats", str(plain_port)),
        port=port,
        environment={"GOMAXPROCS": "1"},
        firsts=('["CONNECT {\\"verbose\\":false,\\"pedantic\\":false}\\r\\nSUB rt 1\\r\\n"]',),
    )


ALL: Final[tuple[Callable[[str], Server | None], ...]] = (bun, centrifugo, websockets_serve, ws, nchan, nats)


def absent(redis_url: str) -> list[str]:
    """The peers that this machine lacks."""
    return [make.__name__ for make in ALL if make(redis_url) is None]


def installed(redis_url: str) -> Iterator[Server]:
    """The peers that this machine has."""
    for make in ALL:
        if server := make(redis_url):
            yield server
