"""The server: what of OpenPAI's REST interface runs jobs, checked strictly, and with faults on demand."""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from openpai_stand_in.jobs import StandInJob
from openpai_stand_in.protocol import TAG, RefusedError, checked_job

LIST_PARAMETERS = {
    *(
        "username",
        "vc",
        "state",
        "keyword",
        "tagsContain",
        "tagsNotContain",
        "jobPriority",
        "offset",
        "limit",
    ),
    *("order", "withTotalCount"),
}
ORDERS = {"jobName": "name", "submissionTime": "submissionTime", "state": "state"}
SCHEDULING = "0/17 nodes are available: 1 Insufficient memory, 16 Insufficient nvidia.com/gpu."


@dataclass
class Account:
    """A user: with which tokens, what it may use."""

    name: str = "ada"
    tokens: set[str] = field(default_factory=lambda: {"sesame"})
    clusters: list[str] = field(default_factory=lambda: ["default"])
    storages: list[str] = field(default_factory=lambda: ["data"])
    admin: bool = False


@dataclass
class Fault:
    """What happens instead of an answer."""

    match: Callable[[str, str], bool]
    times: int
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"code": "UnknownError", "message": "Internal error message."}'
    delay: float = 0.0
    then_works: bool = False


@dataclass(frozen=True)
class Exchange:
    """A request and its answer, as they went over the line; tokens are left out."""

    method: str
    path: str
    query: dict[str, str]
    content_type: str
    body: str
    status: int
    answer: str


class OpenPaiStandIn:
    """A context manager: the server runs within it, and no job outlives it."""

    def __init__(
        self,
        folder: Path,
        storages: dict[str, Path] | None = None,
        *,
        prefix: str = "",
        certificate: Path | None = None,
    ) -> None:
        self.folder = folder
        self.accounts = {"ada": Account()}
        self.storages = storages or {}
        self.storage_details: dict[str, dict[str, Any]] = {}
        self.clusters: dict[str, dict[str, int]] = {"default": {"cpu": 64, "memory": 262144, "gpu": 8}}
        self.launcher = "k8s"
        self.prefix = prefix
        self.jobs: dict[str, StandInJob] = {}
        self.exchanges: list[Exchange] = []
        self.violations: list[str] = []
        self.faults: list[Fault] = []
        self.has_room = True
        self.unauthorized_after: int | None = None
        self.list_lag = 0
        self.cut_logs = False
        self.most_listed = 50000
        self.lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"stand_in": self}))
        self._server.daemon_threads = True
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
            scheme = "https"
        self.address = f"{scheme}://127.0.0.1:{self._server.server_port}{prefix}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def __enter__(self) -> OpenPaiStandIn:
        self.folder.mkdir(exist_ok=True)
        self._thread.start()
        return self

    def __exit__(self, *arguments: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for job in self.jobs.values():
            job.kill()
            if job.process is not None:
                job.process.wait()
        assert not self.violations, self.violations

    # -- faults --

    def fail(self, method: str, path: str, status: int, times: int = 1, **more: Any) -> None:
        """Answers the next requests whose path has a part with this status; 0 ends the connection."""
        pattern = re.compile(path)
        self.faults.append(
            Fault(lambda m, p: m == method and pattern.search(p) is not None, times, status, **more)
        )

    def lose(self, name: str) -> None:
        """Forgets a job, and ends its container."""
        with self.lock:
            job = self.jobs.pop(name)
        job.kill()

    def place(self) -> None:
        """There is room now."""
        self.has_room = True
        for job in list(self.jobs.values()):
            if job.state == "WAITING":
                job.start()

    def requests(self, method: str = "", path: str = "") -> list[Exchange]:
        return [each for each in self.exchanges if each.method.startswith(method) and path in each.path]

    # -- what is asked --

    def answer(
        self, method: str, path: str, query: dict[str, str], body: bytes, account: Account | None
    ) -> Any:
        routes: list[tuple[str, str, Callable[..., Any]]] = [
            ("GET", r"/api/v2/info", self._info),
            ("GET", r"/api/v2/users/([^/]+)", self._user),
            ("GET", r"/api/v2/virtual-clusters/([^/]+)", self._cluster),
            ("GET", r"/api/v2/storages", self._storages),
            ("GET", r"/api/v2/storages/([^/]+)", self._storage),
            ("POST", r"/api/v2/jobs", self._submit),
            ("GET", r"/api/v2/jobs", self._list),
            ("GET", r"/api/v2/jobs/([^/~]+)~([^/]+)", self._get),
            ("GET", r"/api/v2/jobs/([^/~]+)~([^/]+)/config", self._config),
            ("GET", r"/api/v2/jobs/([^/~]+)~([^/]+)/events", self._events),
            ("PUT", r"/api/v2/jobs/([^/~]+)~([^/]+)/executionType", self._execute),
            (
                "GET",
                r"/api/v2/jobs/([^/~]+)~([^/]+)/attempts/(\d+)/taskRoles/([^/]+)/taskIndex/(\d+)/attempts/(\d+)/logs",
                self._logs,
            ),
        ]
        for verb, pattern, handler in routes:
            if verb == method and (match := re.fullmatch(pattern, path)):
                if account is None and handler != self._info:
                    raise RefusedError(401, "UnauthorizedUserError", "Your token is invalid.")
                return handler(account, query, body, *map(unquote, match.groups()))
        self.violations.append(f"{method} {path} is not in the description")
        raise RefusedError(404, "NoApiError", f"API for URL {path} is not found.")

    def _only(self, query: dict[str, str], *names: str) -> None:
        if more := set(query) - set(names):
            self.violations.append(f"the query has {more}")

    def _info(self, account: Account, query: dict[str, str], body: bytes) -> Any:
        self._only(query)
        return 200, {"name": "PAI RESTful API", "version": "v1.8.0", "launcherType": self.launcher,
                     "authnMethod": "basic"}  # fmt: skip

    def _user(self, account: Account, query: dict[str, str], body: bytes, name: str) -> Any:
        self._only(query)
        user = self.accounts.get(name)
        if user is None:
            raise RefusedError(404, "NoUserError", f"User {name} is not found.")
        return 200, {"username": name, "admin": user.admin, "virtualCluster": user.clusters,
                     "storageConfig": user.storages, "email": "", "extension": {}}  # fmt: skip

    def _cluster(self, account: Account, query: dict[str, str], body: bytes, name: str) -> Any:
        self._only(query)
        if name not in self.clusters:
            raise RefusedError(404, "NoVirtualClusterError", f"Virtual cluster {name} is not found.")
        total = self.clusters[name]
        return 200, {"capacity": 100, "usedCapacity": 0, "maxCapacity": 100, "dedicated": False,
                     "resourcesUsed": {"cpu": 0, "memory": 0, "gpu": 0}, "resourcesGuaranteed": total,
                     "resourcesTotal": total}  # fmt: skip

    def _storages(self, account: Account, query: dict[str, str], body: bytes) -> Any:
        self._only(query, "default")
        return 200, {
            "storages": [
                {"name": name, "share": True, "volumeName": f"{name}-pv", "default": False}
                for name in account.storages
            ]
        }

    def _storage(self, account: Account, query: dict[str, str], body: bytes, name: str) -> Any:
        self._only(query)
        if name not in account.storages:
            raise RefusedError(404, "NoStorageError", f"Storage {name} is not found.")
        detail = {"name": name, "share": True, "volumeName": f"{name}-pv", "type": "nfs"}
        data = {"server": "nfs.example", "path": f"/{name}"}
        return 200, {**detail, "data": data, **self.storage_details.get(name, {})}

    def _submit(self, account: Account, query: dict[str, str], body: bytes) -> Any:
        self._only(query)
        config = checked_job(body)
        for role in config["taskRoles"].values():
            for command in role["commands"]:
                for reference in TAG.findall(command):
                    kind, _, name = reference.partition(".")
                    if kind not in ("$secrets", "$parameters") or name not in config.get(kind[1:], {}):
                        self.violations.append(f"the command refers to {reference}, which there is not")
        cluster = config.get("defaults", {}).get("virtualCluster") or "default"
        if cluster not in account.clusters and not account.admin:
            message = f"User {account.name} is not allowed to do operation in {cluster}"
            raise RefusedError(403, "ForbiddenUserError", message)
        for storage in config.get("extras", {}).get("storages", []):
            if storage["name"] not in account.storages:
                raise RefusedError(404, "NoStorageError", f"Storage {storage['name']} is not found.")
            folder = self.storages.get(storage["name"])
            if folder is not None and storage.get("mountPath", f"/mnt/{storage['name']}") != str(folder):
                self.violations.append(f"{storage} is mounted elsewhere than the stand-in's jobs see it")
        with self.lock:
            if config["name"] in self.jobs:
                message = f"Job {account.name}~{config['name']} already exists."
                raise RefusedError(409, "ConflictJobError", message)
            job = StandInJob(account.name, config, self.folder, unseen=self.list_lag)
            self.jobs[job.name] = job
        if self.has_room:
            job.start()
        return 202, {"message": f"Update job {job.name} for user {account.name} successfully."}

    def _list(self, account: Account, query: dict[str, str], body: bytes) -> Any:
        self._only(query, *LIST_PARAMETERS)
        limit, offset = int(query.get("limit", 5000)), int(query.get("offset", 0))
        if limit > self.most_listed:
            raise RefusedError(400, "InvalidParametersError", f"Limit exceeds max number {self.most_listed}.")
        with self.lock:
            jobs = list(self.jobs.values())
        seen = []
        for job in jobs:
            if job.unseen:
                job.unseen -= 1
            else:
                seen.append(job.summary())
        for name, key in (("username", "username"), ("vc", "virtualCluster"), ("state", "state")):
            if name in query:
                seen = [each for each in seen if each[key] in query[name].split(",")]
        word = query.get("keyword", "")
        seen = [
            each for each in seen if any(word in each[key] for key in ("name", "username", "virtualCluster"))
        ]
        key, _, direction = query.get("order", "submissionTime,DESC").partition(",")
        if key not in ORDERS or direction not in ("ASC", "DESC"):
            self.violations.append(f"order={query['order']}")
        seen.sort(key=lambda each: each[ORDERS.get(key, "name")], reverse=direction == "DESC")
        return 200, seen[offset : offset + limit]

    def _job(self, user: str, name: str) -> StandInJob:
        job = self.jobs.get(name)
        if job is None or job.user != user:
            raise RefusedError(404, "NoJobError", f"Job {user}~{name} is not found.")
        return job

    def _get(self, account: Account, query: dict[str, str], body: bytes, user: str, name: str) -> Any:
        self._only(query)
        return 200, self._job(user, name).detail()

    def _config(self, account: Account, query: dict[str, str], body: bytes, user: str, name: str) -> Any:
        config = dict(self._job(user, name).config)
        if "secrets" in config:
            config["secrets"] = "******"
        return 200, config

    def _events(self, account: Account, query: dict[str, str], body: bytes, user: str, name: str) -> Any:
        self._only(query, "type")
        job = self._job(user, name)
        if self.has_room or job.state != "WAITING":
            return 200, {"totalCount": 0, "data": []}
        event = {
            **{"uid": job.uid, "frameworkName": job.uid, "podUid": job.uid, "taskroleName": job.role},
            **{"taskName": job.uid, "taskIndex": 0, "type": "Warning", "reason": "FailedScheduling"},
            **{"message": SCHEDULING, "firstTimestamp": "2026-01-01T00:00:00.000Z"},
            **{"lastTimestamp": "2026-01-01T00:00:00.000Z", "count": 1},
            **{"sourceComponent": "default-scheduler", "sourceHost": None},
        }
        return 200, {"totalCount": 1, "data": [event]}

    def _execute(self, account: Account, query: dict[str, str], body: bytes, user: str, name: str) -> Any:
        self._only(query)
        value = json.loads(body)
        if value not in ({"value": "STOP"}, {"value": "START"}):
            raise RefusedError(400, "InvalidParametersError", "Invalid request parameters.")
        job = self._job(user, name)
        if user != account.name and not account.admin:
            raise RefusedError(
                403, "ForbiddenUserError", f"User {account.name} is not allowed to execute job."
            )
        if value["value"] == "STOP":
            job.stop()
        return 202, {"message": f"Execute job {user}~{name} successfully."}

    def _logs(
        self, account: Account, query: dict[str, str], body: bytes, user: str, name: str, *numbers: str
    ) -> Any:
        self._only(query, "tailMode")
        job = self._job(user, name)
        attempt, role, index, task = numbers
        is_there = (attempt, role, index, task) == (str(job.attempt), job.told_role, "0", str(job.attempt))
        if not is_there or job.launched is None:
            raise RefusedError(404, "NoTaskLogError", "Log of task is not found.")
        address = (
            f"{self.prefix}/log-manager/127.0.0.1:9103/api/v1/logs/user.pai.all?token=log-token&pod={job.uid}"
        )
        return 200, {"locations": [{"name": "all", "uri": address}]}

    def log_content(self, pod: str) -> bytes | None:
        found = [job for job in self.jobs.values() if job.uid == pod]
        return found[0].log.read_bytes() if found else None


class _Handler(BaseHTTPRequestHandler):
    stand_in: OpenPaiStandIn
    protocol_version = "HTTP/1.1"
    # An answer leaves in one piece: in two it waits for the other side's acknowledgement.
    wbufsize = 1 << 16
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def log_message(self, *arguments: object) -> None:
        return

    def _serve(self) -> None:
        stand_in = self.stand_in
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        if parts.path.startswith(f"{stand_in.prefix}/log-manager/"):
            self._send_log(query)
            return
        path = parts.path.removeprefix(f"{stand_in.prefix}/rest-server")
        if path == parts.path:
            self._send(404, b"<html>not here</html>", {"Content-Type": "text/html"})
            return
        for fault in stand_in.faults:
            if fault.times and fault.match(self.command, path):
                fault.times -= 1
                time.sleep(fault.delay)
                if fault.then_works:
                    self._answer(path, query, body)
                if fault.status == 0:
                    self.close_connection = True
                    return
                if not fault.then_works:
                    self._note(path, query, body, fault.status, fault.body)
                    self._send(fault.status, fault.body, fault.headers)
                return
        status, content = self._answer(path, query, body)
        self._send(status, content, {})

    def _answer(self, path: str, query: dict[str, str], body: bytes) -> tuple[int, bytes]:
        stand_in = self.stand_in
        kind = (self.headers.get("Content-Type") or "").partition(";")[0]
        wanted = {"POST": "text/yaml", "PUT": "application/json"}.get(self.command)
        if wanted is not None and kind != wanted:
            stand_in.violations.append(f"{self.command} {path} has the content type {kind}")
        try:
            status, content = stand_in.answer(self.command, path, query, body, self._account())
        except RefusedError as error:
            status, content = error.status, {"code": error.code, "message": error.message}
        answer = json.dumps(content).encode()
        self._note(path, query, body, status, answer)
        return status, answer

    def _account(self) -> Account | None:
        scheme, _, token = (self.headers.get("Authorization") or "").partition(" ")
        if scheme != "Bearer":
            self.stand_in.violations.append("there is no bearer token")
        after = self.stand_in.unauthorized_after
        if after is not None:
            with self.stand_in.lock:
                self.stand_in.unauthorized_after = max(0, after - 1)
            if after == 0:
                return None
        return next((each for each in self.stand_in.accounts.values() if token in each.tokens), None)

    def _note(self, path: str, query: dict[str, str], body: bytes, status: int, answer: bytes) -> None:
        kind = (self.headers.get("Content-Type") or "").partition(";")[0]
        exchange = Exchange(self.command, path, query, kind, body.decode(), status, answer.decode())
        self.stand_in.exchanges.append(exchange)

    def _send_log(self, query: dict[str, str]) -> None:
        content = self.stand_in.log_content(query.get("pod", ""))
        if query.get("token") != "log-token" or content is None:
            self._send(404, b"", {})
        elif "Authorization" in self.headers:
            self.stand_in.violations.append("a log was asked for with the account's token")
        elif self.stand_in.cut_logs:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content) + 1000))
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = True
        else:
            self._send(200, content, {"Content-Type": "text/plain"})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
