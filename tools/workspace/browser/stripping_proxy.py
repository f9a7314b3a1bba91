"""A reverse proxy that takes a prefix off each path, as those of notebook servers do."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_PIECE = 65_536
_OWN = {"connection", "transfer-encoding", "content-length"}


@contextmanager
def stripping_proxy(origin: str, prefix: str) -> Iterator[str]:
    """Runs a proxy while the body runs; gives the address under which the page is behind it.

    Args:
        origin: Where the page is, such as http://127.0.0.1:8080.
        prefix: What each path begins with, such as /user/somebody/proxy/8080.
    """

    class Handler(_Handler):
        target, start = urlsplit(origin).netloc, prefix

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{prefix}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    target: str
    start: str

    def do_GET(self) -> None:
        """Passes a request on."""
        self._pass_on()

    def do_POST(self) -> None:
        """Passes a call on."""
        self._pass_on()

    def _pass_on(self) -> None:
        if not self.path.startswith(f"{self.start}/"):
            self.send_error(404)
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        backend = http.client.HTTPConnection(self.target, timeout=60)
        try:
            path = self.path.removeprefix(self.start)
            backend.request(self.command, path, body, dict(self.headers.items()))
            answer = backend.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _OWN:
                    self.send_header(name, value)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            # A stream goes on for as long as somebody watches: each piece is passed on when it comes.
            while piece := answer.read1(_PIECE):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True  # the browser or the manager has gone
        finally:
            backend.close()

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing."""
