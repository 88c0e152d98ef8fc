"""Files as they go over the wire: compressed once, as small as they get in reasonable time, and kept in memory.

A large script takes a thread for a second or two: whoever asks meanwhile waits for the same.
"""

import asyncio
import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import brotli
from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.types import Scope

from config.limits import HTTP_COMPRESS_BYTES_MIN

# By what a browser calls it, the smaller first.
_CODINGS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "br": lambda text: brotli.compress(text, brotli.MODE_TEXT, 11),
    "gzip": lambda text: gzip.compress(text, 9, mtime=0),
}
_REFUSED: Final = re.compile(r";\s*q=0(?:\.0*)?\s*$")
_TEXTS: Final = frozenset({".js", ".css", ".html", ".json", ".svg"})


class Compressed:
    """Of a folder that does not grow: what is kept is at most all of it, compressed."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Path, str], tuple[float, int, asyncio.Future[bytes]]] = {}

    async def of(self, response: Response, scope: Scope) -> Response:
        """The same answer in the best coding that is taken; any other than a whole file of text stays as it is."""
        if not isinstance(response, FileResponse) or response.stat_result is None or scope["method"] != "GET":
            return response
        path, headers = Path(response.path), Headers(scope=scope)
        if path.suffix not in _TEXTS or response.stat_result.st_size < HTTP_COMPRESS_BYTES_MIN:
            return response
        coding = coding_for(headers.get("accept-encoding", ""))
        if coding is None or "range" in headers:
            return response
        body = await self._body(path, coding, response.stat_result.st_mtime, response.stat_result.st_size)
        said = {name: value for name, value in response.headers.items() if name not in ("content-length", "vary")}
        said |= {"content-encoding": coding, "vary": "Accept-Encoding"}
        return Response(body, response.status_code, said)

    async def _body(self, path: Path, coding: str, changed: float, size: int) -> bytes:
        kept = self._kept.get((path, coding))
        if kept is None or kept[:2] != (changed, size) or _failed(kept[2]):
            loop = asyncio.get_running_loop()
            making = loop.run_in_executor(None, lambda: _CODINGS[coding](path.read_bytes()))
            kept = self._kept[path, coding] = (changed, size, making)
        return await asyncio.shield(kept[2])


def _failed(making: asyncio.Future[bytes]) -> bool:
    return making.done() and (making.cancelled() or making.exception() is not None)


def coding_for(accepted: str) -> str | None:
    """The best coding that this Accept-Encoding names and does not refuse (RFC 9110, 12.5.3); None: none of ours."""
    named = {part.partition(";")[0].strip().lower() for part in accepted.split(",") if not _REFUSED.search(part)}
    return next((coding for coding in _CODINGS if coding in named), None)
