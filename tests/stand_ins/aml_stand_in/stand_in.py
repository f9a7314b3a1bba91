"""The service: what there is in the workspace, and what is asked of it."""

from __future__ import annotations

import contextlib
import http.server
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aml_stand_in.answers import Answers
from aml_stand_in.certificate import write_certificate
from aml_stand_in.checks import RefusedError
from aml_stand_in.faults import Faults
from aml_stand_in.jobs import Job, Node

RESOURCE = "https://management.azure.com"


@dataclass(frozen=True)
class Facts:
    """What there is in Azure.

    Attributes:
        subscription: The subscription.
        group: The resource group.
        workspace: The workspace.
        compute: The compute cluster.
        page_size: How many jobs a page of the list has.
    """

    subscription: str = "11111111-2222-3333-4444-555555555555"
    group: str = "tuning"
    workspace: str = "ws"
    compute: str = "gpu-cluster"
    page_size: int = 10

    @property
    def path(self) -> str:
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{self.workspace}"
        )


@dataclass
class Asked:
    """A request.

    Attributes:
        method: Its method.
        path: Its path.
        query: Its parameters.
        body: Its body, None where it has none.
    """

    method: str
    path: str
    query: dict[str, str]
    body: Any = None


class AmlStandIn:
    """Answers over TLS on a free port. Its datastore is a container of Azurite."""

    def __init__(self, folder: Path, account: Any, facts: Facts | None = None) -> None:
        """Makes one that does not listen yet.

        Args:
            folder: An empty folder.
            account: The account with the container, a BlobAccount.
            facts: What there is in Azure.
        """
        self.facts = facts or Facts()
        self.faults = Faults()
        self.account = account
        self.asked: list[Asked] = []
        self.refused: list[str] = []
        self.tokens: set[str] = set()
        self.jobs: dict[str, Job] = {}
        self.environments: dict[str, Any] = {}
        self.compute = _compute(self.facts)
        self.credentials = "AccountKey"
        self.folder = folder
        self.is_signed_in = True
        self.artifacts = f"{account.container}-azureml"
        self.node = Node(self._fetch, self._keep_log, self._has_room, lambda job: None)
        from azure.storage.blob import BlobServiceClient

        self._blobs = BlobServiceClient(account.url, credential=account.key)
        self._answers = Answers(self)
        self._certificate = folder / "certificate.pem"
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead Azure's libraries here, and sign them in."""
        return {
            "AZUREML_DEV_URL_MFE": self.url,
            "REQUESTS_CA_BUNDLE": str(self._certificate),
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{self._identity.server_port}/msi/token",
            "IDENTITY_HEADER": "a managed identity",
        }

    def count(self, method: str, part: str) -> int:
        """Returns how many requests there were with this method to a path with this part."""
        return sum(each.method == method and part in each.path for each in self.asked)

    @contextlib.contextmanager
    def running(self) -> Iterator[AmlStandIn]:
        """Listens; at the end every process of a job ends."""
        write_certificate(self._certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate)
        self._blobs.create_container(self.artifacts)
        with (
            _listening(self, _Service, context) as self._server,
            _listening(self, _Identity) as self._identity,
        ):
            try:
                yield self
            finally:
                for job in list(self.jobs.values()):
                    job.join()
                self._blobs.delete_container(self.artifacts)
                self._blobs.close()

    def answer(self, asked: Asked, headers: Mapping[str, str]) -> tuple[int, Any, dict[str, str]]:
        """Returns status, body and headers of an answer."""
        with self._lock:
            self.asked.append(asked)
            number = len(self.asked)
        time.sleep(self.faults.delay)
        try:
            failed = self.faults.take(asked.path, number)
            if failed is not None:
                return self._failure(failed)
            scheme, _, token = headers.get("Authorization", "").partition(" ")
            if scheme != "Bearer" or token not in self.tokens:
                raise RefusedError(
                    401, "AuthenticationFailed", "Authentication failed. The token is not valid."
                )
            return self._answers.of(asked)
        except RefusedError as error:
            self.refused.append(f"{asked.method} {asked.path}: {error.message}")
            return error.status, {"error": {"code": error.code, "message": error.message}}, {}

    def start(self, name: str, resource: dict[str, Any]) -> None:
        job = Job(resource, self.folder / "jobs" / name, self.node)
        self.jobs[name] = job
        job.start()

    def lose(self, name: str) -> None:
        """Forgets a job, which is no longer listed; what runs in it ends."""
        self.jobs[name].is_listed = False
        self.jobs[name].cancel()

    def release(self) -> None:
        """Lets jobs begin that were held back."""
        self.faults.hold, self.faults.quota = False, ""
        self.node.changed()

    def _failure(self, status: int) -> tuple[int, Any, dict[str, str]]:
        codes = {401: "ExpiredAuthenticationToken", 429: "TooManyRequests", 403: "AuthorizationFailed"}
        error = {
            "code": codes.get(status, "InternalServerError"),
            "message": f"It failed as it was told to ({status}).",
        }
        after = {} if self.faults.retry_after is None else {"Retry-After": str(self.faults.retry_after)}
        return status, {"error": error}, after

    def _has_room(self) -> bool:
        return not self.faults.hold and not self.faults.quota

    def _fetch(self, path: str, target: Path, kind: str) -> None:
        container = self._blobs.get_container_client(self.account.container)
        names = [path] if kind == "uri_file" else list(container.list_blob_names(name_starts_with=path))
        for name in names:
            local = target / (name.rpartition("/")[2] if kind == "uri_file" else name.removeprefix(path))
            local.parent.mkdir(parents=True, exist_ok=True)
            local.write_bytes(container.download_blob(name).readall())

    def _keep_log(self, job: str, log: Path) -> None:
        name = f"ExperimentRun/dcid.{job}/user_logs/std_log.txt"
        blob = self._blobs.get_blob_client(self.artifacts, name)
        blob.upload_blob(log.read_bytes(), overwrite=True)


def _compute(facts: Facts) -> dict[str, Any]:
    return {
        "id": f"{facts.path}/computes/{facts.compute}",
        "name": facts.compute,
        "type": "Microsoft.MachineLearningServices/workspaces/computes",
        "location": "westeurope",
        "properties": {
            "computeType": "AmlCompute",
            "provisioningState": "Succeeded",
            "provisioningErrors": None,
            "properties": {
                "vmSize": "STANDARD_NC6",
                "scaleSettings": {"maxNodeCount": 4, "minNodeCount": 0},
                "errors": None,
                "allocationState": "Steady",
            },
        },
    }


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stand_in: AmlStandIn

    def _send(self, status: int, body: Any, headers: Mapping[str, str]) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


class _Service(_Handler):
    def _handle(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(self.command, parts.path, query, json.loads(content) if content else None)
        self._send(*self.stand_in.answer(asked, dict(self.headers)))


for _method in ("GET", "PUT", "POST", "PATCH", "DELETE"):
    setattr(_Service, f"do_{_method}", _Service._handle)


class _Identity(_Handler):
    def do_GET(self) -> None:
        resource = parse_qs(urlsplit(self.path).query).get("resource", [""])[0]
        if not self.stand_in.is_signed_in or self.headers["X-IDENTITY-HEADER"] != "a managed identity":
            return self._send(400, {"message": "no identity is assigned"}, {})
        token = f"token {len(self.stand_in.tokens)}"
        if resource.rstrip("/") == RESOURCE:
            self.stand_in.tokens.add(token)
        now = str(int(time.time()) + 3600)
        answer = {"access_token": token, "expires_on": now, "resource": resource, "token_type": "Bearer"}
        return self._send(200, answer, {})


@contextlib.contextmanager
def _listening(
    stand_in: AmlStandIn, handler: type[_Handler], context: ssl.SSLContext | None = None
) -> Iterator[http.server.ThreadingHTTPServer]:
    made = type(handler.__name__, (handler,), {"stand_in": stand_in})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), made) as server:
        server.daemon_threads, server.block_on_close = True, False
        if context is not None:
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
