"""A cache between the API and whoever asks, as a CDN is one: nginx, which goes by `Cache-Control` and `Vary` alone."""

import os
import pwd
import signal
from collections.abc import Iterator
from typing import Final

import httpx2
import pytest

from config.embedded import child
from config.embedded.ports import HOST, free_port
from tests.integration.api.conftest import Running
from tests.support.programs import needs

_CONFIG: Final = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/log;
{user}
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  proxy_cache_path {folder}/kept keys_zone=kept:1m;
  server {{
    listen {host}:{port};
    location / {{
      proxy_pass http://{host}:{api};
      proxy_cache kept;
      add_header x-kept $upstream_cache_status always;
    }}
  }}
}}
"""
MUSCLES: Final = "{ muscles { slug name } }"


@pytest.fixture(scope="module")
def cdn(served: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A client of the cache."""
    nginx, folder, port = needs("nginx"), tmp_path_factory.mktemp("cdn"), free_port()
    user = f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""
    text = _CONFIG.format(folder=folder, host=HOST, port=port, api=served.service.port, user=user)
    (folder / "nginx.conf").write_text(text, "utf-8")
    command = [nginx, "-c", str(folder / "nginx.conf"), "-p", str(folder)]
    process = child.start(command, folder=folder, env={}, log=folder / "out", at_our_death=signal.SIGTERM)
    with httpx2.Client(base_url=f"http://{HOST}:{port}", timeout=20) as client:
        try:
            child.wait_until(lambda: _serves(client), process, name="nginx", log=folder / "out", limit_s=20)
            yield client
        finally:
            process.terminate()
            process.wait(5)


def _serves(client: httpx2.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx2.TransportError:
        return False


def ask(cdn: httpx2.Client, query: str, token: str = "") -> tuple[str, httpx2.Response]:
    """Whether the cache had it, and the answer."""
    headers = {"apollo-require-preflight": "1"} | ({"authorization": f"Bearer {token}"} if token else {})
    answer = cdn.get("/api/graphql", params={"query": query}, headers=headers)
    return answer.headers["x-kept"], answer


def test_it_serves_what_is_for_everybody(served: Running, cdn: httpx2.Client) -> None:
    """Without asking the API. Seen failing with `no-store` on each answer."""
    asked, first = ask(cdn, MUSCLES)
    served.service.logged("http_request", first.headers["x-request-id"])  # counted by then
    before = served.counted("http_requests_total", '"/api/graphql"')
    again, second = ask(cdn, MUSCLES)
    assert (asked, again) == ("MISS", "HIT")
    assert first.json() == second.json()
    assert served.counted("http_requests_total", '"/api/graphql"') == before


def test_it_keeps_nothing_of_a_viewer(served: Running, cdn: httpx2.Client) -> None:
    """Seen failing without `Authorization` in Vary: a token that is not good was answered."""
    ada, bob = served.account(), served.account()
    ask(cdn, MUSCLES)
    assert ask(cdn, MUSCLES, "no token")[1].status_code == 401
    for one in (ada, bob, ada):
        kept, answer = ask(cdn, "{ me { id } }", one.token)
        assert (kept, answer.json()["data"]["me"]["id"]) == ("MISS", one.id)
        kept, answer = ask(cdn, MUSCLES, one.token)
        assert (kept, answer.status_code) == ("MISS", 200)
    assert ask(cdn, MUSCLES)[0] == "HIT"
