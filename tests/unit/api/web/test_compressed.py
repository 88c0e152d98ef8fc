"""In which coding a static file travels, and who pays for it."""

import asyncio
import gzip
from pathlib import Path

import pytest
from starlette.responses import FileResponse
from starlette.types import Scope

from api.web import compressed
from api.web.compressed import Compressed, coding_for


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("BR;q=0.5, gzip", "br"),
        ("br;q=0, gzip", "gzip"),
        ("br; q=0.000, gzip;q=0", None),
        ("brotli, xgzip", None),
        ("identity", None),
        ("", None),
    ],
)
def test_only_what_is_named_and_not_refused(accepted: str, coding: str | None) -> None:
    """Seen failing with a coding looked for anywhere in the header."""
    assert coding_for(accepted) == coding


async def test_many_who_ask_at_once_are_one_compression(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them leaves before it is done, and later ones are given what is kept. Seen failing with a compression for
    each that asks before the first is kept."""
    made = 0

    def slowly(text: bytes) -> bytes:
        nonlocal made
        made += 1
        return gzip.compress(text)

    monkeypatch.setitem(compressed._CODINGS, "gzip", slowly)
    script = tmp_path / "large.js"
    script.write_bytes(b"x" * 100_000)
    scope: Scope = {"type": "http", "method": "GET", "headers": [(b"accept-encoding", b"gzip")]}
    files = Compressed()

    async def ask() -> bytes:
        answer = await files.of(FileResponse(script, stat_result=script.stat()), scope)
        return bytes(answer.body)

    asking = [asyncio.create_task(ask()) for _ in range(20)]
    await asyncio.sleep(0)
    asking[0].cancel()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert {gzip.decompress(one) for one in answers[1:] if isinstance(one, bytes)} == {script.read_bytes()}
    assert gzip.decompress(await ask()) == script.read_bytes()
    assert made == 1
