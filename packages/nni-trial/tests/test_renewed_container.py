"""A container whose signature is replaced by a newer one that lies in it."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from nni import renewed_container
from nni.blob_transfer import BlobContainer
from nni.renewed_container import RenewedContainer, container_of


class Storage:
    """Holds a file with a newer address, and notes with which signature it is asked."""

    def __init__(self) -> None:
        self.url = ""
        self.renewal: Any = None
        self.asked: list[tuple[str, str]] = []


@pytest.fixture
def storage() -> Iterator[Storage]:
    made = Storage()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            made.asked.append((parts.path, parts.query))
            is_renewal = parts.path.endswith("access.json")
            body = json.dumps(made.renewal).encode() if is_renewal else b"content"
            self.send_response(404 if is_renewal and made.renewal is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        made.url = f"http://127.0.0.1:{server.server_port}/box"
        yield made
        server.shutdown()
        thread.join()


@pytest.fixture
def container(storage: Storage) -> BlobContainer:
    return container_of({"url": f"{storage.url}?sig=old", "prefix": "nni/e", "renewal": "access.json"})


def test_it_is_replaced_when_it_is_time(
    storage: Storage, container: BlobContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.renewal = {"url": f"{storage.url}?sig=new"}
    assert container.read("a") == b"content"
    monkeypatch.setattr(renewed_container, "LOOK_SECONDS", 0.0)
    assert isinstance(container, RenewedContainer)
    container._look_at = 0.0
    assert container.read("a") == b"content"
    assert storage.asked == [
        ("/box/nni/e/a", "sig=old"),
        ("/box/nni/e/access.json", "sig=old"),
        ("/box/nni/e/a", "sig=new"),
    ]


@pytest.mark.parametrize(
    "renewal", [None, {}, [], {"url": "http://elsewhere/box?sig=x"}, {"url": 1}, {"url": "nothing"}]
)
def test_what_is_no_newer_one_changes_nothing(
    storage: Storage, container: BlobContainer, renewal: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    storage.renewal = renewal
    assert isinstance(container, RenewedContainer)
    container._look_at = 0.0
    assert container.read("a") == b"content"
    assert storage.asked[-1] == ("/box/nni/e/a", "sig=old")
    said = capsys.readouterr().err
    assert "is not renewed" in said and "sig=" not in said


def test_without_a_renewal_it_is_a_plain_container(storage: Storage) -> None:
    assert type(container_of({"url": f"{storage.url}?sig=old"})) is BlobContainer
