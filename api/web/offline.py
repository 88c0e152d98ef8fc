"""The service worker, which keeps the page's own files for when there is no network: it is told which, and of which
version. A change of any of them is another worker, and that is how browsers hear of it; pages ask `/config.json`."""

import re
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.web.page import FOLDER
from config.serving.http import Policy

PATH: Final = "/static/service-worker.js"
WORKER: Final = Path(__file__).parent / "worker" / "service-worker.js"
PAGE: Final = "index.html"
_STATIC: Final = "/static/"
# The page itself, and where its gateway is.
_BESIDE: Final = ("/", "/config.json")
_LINKED: Final = re.compile(r'(?:src|href)="/static/([^"]+)"')
# At once or on demand, by a module of the page as it is built.
_IMPORTED: Final = re.compile(r'\b(?:from|import)\s*\(?"\./([^"]+)"')


def routes() -> list[Route]:
    """The worker; before the static files, one of which it looks like."""
    script = worker(shipped)
    # It stands below /static, which proxies pass on, and is the page's all the same.
    headers = {"Service-Worker-Allowed": "/", "Cache-Control": "no-cache"}

    async def service_worker(_: Request) -> Response:
        return Response(script, headers=headers, media_type="text/javascript")

    return [Route(PATH, service_worker)]


def policies() -> dict[str, Policy]:
    """What the worker may load: the page's own files."""
    return {PATH: lambda _host, _proxied: "default-src 'none'; connect-src 'self'; frame-ancestors 'none'"}


def shipped(name: str) -> bytes:
    """A static file as it lies here."""
    return (FOLDER / name).read_bytes()


def worker(read: Callable[[str], bytes]) -> bytes:
    """The script, told what to keep; `read` answers a static file by its name."""
    shell = {"version": version(read), "files": [*_BESIDE, *(_STATIC + name for name in parts(read))]}
    return b"const SHELL = " + orjson.dumps(shell) + b";\n" + WORKER.read_bytes()


def version(read: Callable[[str], bytes]) -> str:
    """Of the page with all its parts: another one where any of them is another, in hex."""
    found = blake2b(digest_size=16)
    for name in (PAGE, *parts(read)):
        content = read(name)
        found.update(b"%d %s %d " % (len(name), name.encode(), len(content)) + content)
    return found.hexdigest()


def parts(read: Callable[[str], bytes]) -> list[str]:
    """What the page links to, and what that imports from beside itself, in turn: not other people's code, which is of
    no use without the server."""
    found = dict.fromkeys(_LINKED.findall(read(PAGE).decode()))
    waiting = list(found)
    while waiting:
        name = waiting.pop()
        if not name.endswith(".js"):
            continue
        folder = name.rpartition("/")[0]
        for imported in _IMPORTED.findall(read(name).decode()):
            path = f"{folder}/{imported}" if folder else imported
            if path not in found:
                found[path] = None
                waiting.append(path)
    return sorted(found)
