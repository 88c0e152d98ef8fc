"""Files as they go over the wire: compressed once, as small as gzip makes them, and kept in memory."""

import asyncio
import gzip
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.types import Scope

from config.limits import HTTP_COMPRESS_BYTES_MIN

_LEVEL: Final = 9
_TEXTS: Final = frozenset({".js", ".css", ".html", ".json", ".svg"})


class Compressed:
    """Of a folder that does not grow: what is kept is at most all of it, compressed."""

    def __init__(self) -> None:
        self._kept: dict[Path, tuple[float, int, bytes]] = {}

    async def of(self, response: Response, scope: Scope) -> Response:
        """The same answer for whoever takes gzip; any other answer than a whole file of text stays as it is."""
        if not isinstance(response, FileResponse) or response.stat_result is None or scope["method"] != "GET":
            return response
        path, headers = Path(response.path), Headers(scope=scope)
        if path.suffix not in _TEXTS or response.stat_result.st_size < HTTP_COMPRESS_BYTES_MIN:
            return response
        if "gzip" not in headers.get("accept-encoding", "") or "range" in headers:
            return response
        body = await self._body(path, response.stat_result.st_mtime, response.stat_result.st_size)
        said = {name: value for name, value in response.headers.items() if name not in ("content-length", "vary")}
        said |= {"content-encoding": "gzip", "vary": "Accept-Encoding"}
        return Response(body, response.status_code, said)

    async def _body(self, path: Path, changed: float, size: int) -> bytes:
        kept = self._kept.get(path)
        if kept is not None and kept[:2] == (changed, size):
            return kept[2]
        body = await asyncio.to_thread(lambda: gzip.compress(path.read_bytes(), _LEVEL, mtime=0))
        self._kept[path] = (changed, size, body)
        return body
