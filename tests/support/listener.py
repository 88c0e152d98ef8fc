"""A small HTTP server in a thread of the test's own: it keeps what is posted to it, unpacked."""

import gzip
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from config.embedded.ports import HOST


@dataclass
class Listener:
    """`posts`: (path, headers in lower case, body), in their order."""

    port: int
    posts: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"


@contextmanager
def listening() -> Iterator[Listener]:
    """Serves for the length of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers["content-length"]))
            match headers.get("content-encoding"):
                case "gzip":
                    body = gzip.decompress(body)
                case "br":  # of a library that has found the package
                    body = importlib.import_module("brotli").decompress(body)
            made.posts.append((self.path, headers, body))
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Says nothing."""

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        made = Listener(server.server_port)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()
