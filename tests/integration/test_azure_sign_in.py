"""Azure Blob storage without a key: who is signed in opens it, here a managed identity."""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from nni_manager.shared_storage.azure_blob import Container, azure_storage
from nni_manager.shared_storage.interface import SharedStorage, SharedStorageError
from workspace.azurite import BlobAccount, new_container, running_azurite

HEADER = "what a managed identity is asked with"


@dataclass
class Identity:
    """Gives out tokens as the endpoint of a managed identity does."""

    asked: list[dict[str, list[str]]] = field(default_factory=list)
    answers: bool = True

    def token(self, resource: str) -> dict[str, Any]:
        now = int(time.time())
        facts = {"iat": now - 60, "nbf": now - 60, "exp": now + 3600, "oid": "me", "tid": "tenant"}
        facts |= {"aud": resource, "iss": "https://sts.windows.net/tenant/"}
        text = jwt.encode(facts, "the emulator looks at no signature", algorithm="HS256")
        return {
            "access_token": text,
            "expires_on": str(now + 3600),
            "resource": resource,
            "token_type": "Bearer",
        }


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> Iterator[Identity]:
    made = Identity()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            made.asked.append(query)
            good = made.answers and self.headers["X-IDENTITY-HEADER"] == HEADER
            answer = made.token(query["resource"][0]) if good else {"message": "no identity is assigned"}
            self.send_response(200 if good else 400)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{server.server_port}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", HEADER)
        yield made
        server.shutdown()
        thread.join()


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BlobAccount]:
    """An account over TLS, as tokens want it."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1"]
    subprocess.run(
        [*request, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(certificate))
    (tmp_path / "blobs").mkdir()
    options = ("--oauth", "basic", "--cert", str(certificate), "--key", str(key))
    with running_azurite(tmp_path / "blobs", *options) as url, new_container(url) as made:
        yield made


def storage(account: BlobAccount, tmp_path: Path) -> SharedStorage:
    return azure_storage(
        Container(account.name, account.container, account.url),
        local_mount_point=tmp_path / "not used",
        remote_mount_point="/mnt/blob",
        local_mounted="nomount",
        experiment_id="exp1",
    )


async def test_who_is_signed_in_opens_it_and_signs_for_jobs(
    account: BlobAccount, identity: Identity, tmp_path: Path
) -> None:
    shared = storage(account, tmp_path)
    await shared.open()
    shared.files.write("trials/t1/result", b"7")
    assert shared.files.read("trials/t1/result") == b"7"
    # The emulator does not know yet how the newest libraries sign with such a key, so no job tries it here.
    address = urlsplit(json.loads(await shared.transfer_input())["url"])
    signed = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{account.url}/{account.container}"
    assert (signed["skoid"], signed["sr"], signed["sp"]) == ("me", "c", "racwdl")
    assert 5 < (datetime.fromisoformat(signed["se"]) - datetime.now(timezone.utc)) / timedelta(days=1) < 7
    await shared.close()
    assert {query["resource"][0] for query in identity.asked} == {"https://storage.azure.com"}
    assert account.names() == ["nni/exp1/trials/t1/result"]


async def test_nobody_who_is_signed_in_is_told_with_what_to_do(
    account: BlobAccount, identity: Identity, tmp_path: Path
) -> None:
    identity.answers = False
    shared = storage(account, tmp_path)
    with pytest.raises(SharedStorageError) as raised:
        await shared.open()
    await shared.close()
    text = str(raised.value)
    assert text.startswith(
        f"{account.url}/{account.container}: nobody is signed in to Azure on this machine; sign"
    )
    assert "ManagedIdentity: " in text and "no identity is assigned" in text and "\n" not in text
