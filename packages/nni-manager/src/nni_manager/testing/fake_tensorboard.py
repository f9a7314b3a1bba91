"""A package `tensorboard` that answers with what it was asked, for tests of what runs and shows it."""

from __future__ import annotations

from pathlib import Path

_PROGRAM = """
import http.server, json, os, socketserver, threading

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/end":
            print("it broke", flush=True)
            os._exit(3)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        told = {
            "method": self.command,
            "path": self.path,
            "headers": dict(self.headers),
            "body": body.decode(),
            "runs": sorted(os.listdir(self.server.logdir)),
        }
        answer = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.send_header("set-cookie", "theirs=1")
        self.send_header("content-security-policy", "default-src *")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_POST = do_HEAD = do_GET

    def address_string(self):
        return "unix"

class WerkzeugServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

class TensorBoard:
    def __init__(self, server_class):
        self.server_class = server_class

    def configure(self, argv):
        self.options = dict(word.lstrip("-").split("=", 1) for word in argv[1:])

    def launch(self):
        server = self.server_class(self.options["host"].removeprefix("unix://"), Handler)
        server.logdir = self.options["logdir"]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server.get_url()
"""


def install(folder: Path, program: str = _PROGRAM) -> None:
    """Writes the package.

    Args:
        folder: Where, a folder on the path of imports.
        program: The text of tensorboard.program.
    """
    package = folder / "tensorboard"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "program.py").write_text(program)
