"""Jobs of the stand-in: real processes, each with the environment of a container and nothing else."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openpai_stand_in.protocol import entrypoint

GRACE_SECONDS = 2.0
STOPPED_CODE = -210


@dataclass
class StandInJob:
    """A job and its container, in which the first task role's only task runs."""

    user: str
    config: dict[str, Any]
    folder: Path
    submitted: int = field(default_factory=lambda: int(time.time() * 1000))
    state: str = "WAITING"
    execution: str = "START"
    code: int | None = None
    attempt: int = 0
    container_code: int | None = None
    diagnostics: str | None = None
    launched: int | None = None
    completed: int | None = None
    unseen: int = 0
    uid: str = field(default_factory=lambda: secrets.token_hex(8))
    process: subprocess.Popen[bytes] | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def name(self) -> str:
        return str(self.config["name"])

    @property
    def role(self) -> str:
        return next(iter(self.config["taskRoles"]))

    @property
    def told_role(self) -> str:
        """The platform tells names of task roles without capitals and underscores."""
        return "".join(filter(str.isalnum, self.role.lower()))

    @property
    def cluster(self) -> str:
        return str(self.config.get("defaults", {}).get("virtualCluster") or "default")

    @property
    def log(self) -> Path:
        return self.folder / f"{self.uid}.log"

    def start(self) -> None:
        with self.lock:
            if self.execution != "START" or self.ended.is_set():
                return
            home = self.folder / f"{self.uid}.home"
            home.mkdir(exist_ok=True)
            environment = {
                **{"PATH": os.environ["PATH"], "HOME": str(home), "PAI_USER_NAME": self.user},
                **{"PAI_JOB_NAME": f"{self.user}~{self.name}", "PAI_CURRENT_TASK_ROLE_NAME": self.role},
                **{"PAI_CURRENT_TASK_ROLE_CURRENT_TASK_INDEX": "0", "PAI_STAND_IN_JOB": self.uid},
            }
            with self.log.open("ab") as log:
                self.process = subprocess.Popen(
                    ["bash", "-c", entrypoint(self.config, self.role)],
                    env=environment,
                    cwd=home,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            self.state, self.launched = "RUNNING", int(time.time() * 1000)
        threading.Thread(target=self._watch, args=(self.process, self.attempt), daemon=True).start()

    def stop(self, grace: float = GRACE_SECONDS) -> None:
        with self.lock:
            self.execution = "STOP"
            if self.ended.is_set():
                return
            if self.process is None:
                self._finish("STOPPED", STOPPED_CODE, "Stop to complete current FrameworkAttempt")
                return
            self.state = "STOPPING"
        self.kill(signal.SIGTERM)
        timer = threading.Timer(grace, self.kill)
        timer.daemon = True
        timer.start()

    def preempt(self) -> None:
        """Kills the container; the job is started again, as the platform does by itself."""
        with self.lock:
            process, self.process = self.process, None
            self.attempt += 1
            self.state = "WAITING"
        self.kill()
        if process is not None:
            process.wait()
        self.start()

    def fail_with(self, code: int, diagnostics: str) -> None:
        """Ends it as the platform does when a node is gone."""
        with self.lock:
            self._finish("FAILED", code, diagnostics)
        self.kill()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Sends a signal to all that runs in the container."""
        mark = f"PAI_STAND_IN_JOB={self.uid}".encode()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    if mark in (entry / "environ").read_bytes().split(b"\0"):
                        os.kill(int(entry.name), number)

    def _watch(self, process: subprocess.Popen[bytes], attempt: int) -> None:
        code = process.wait()
        with self.lock:
            if self.ended.is_set() or attempt != self.attempt:
                return
        self.kill()  # nothing outlives a container
        with self.lock:
            self.container_code = code if code >= 0 else 128 - code
            if self.execution == "STOP":
                self._finish("STOPPED", STOPPED_CODE, "Stop to complete current FrameworkAttempt")
            elif code == 0:
                self._finish("SUCCEEDED", 0, "Pod succeeded")
            else:
                self._finish("FAILED", self.container_code, f"Pod failed: exit code {self.container_code}")

    def _finish(self, state: str, code: int, diagnostics: str) -> None:
        self.state, self.code, self.diagnostics = state, code, diagnostics
        self.completed = int(time.time() * 1000)
        self.ended.set()

    def summary(self) -> dict[str, Any]:
        with self.lock:
            return {
                **{"name": self.name, "username": self.user, "state": self.state, "tags": []},
                **{"subState": self._sub_state(), "executionType": self.execution, "retries": self.attempt},
                **{"submissionTime": self.submitted, "createdTime": self.submitted},
                **{"launchedTime": self.launched, "completedTime": self.completed, "appExitCode": self.code},
                **{"virtualCluster": self.cluster, "debugId": self.uid, "jobPriority": None},
            }

    def detail(self) -> dict[str, Any]:
        with self.lock:
            summary = self.summary()
            status = {
                key: summary[key] for key in summary if key not in ("name", "tags", "debugId", "jobPriority")
            }
            spec = None
            if self.code is not None:
                kind = "UserStop" if self.state == "STOPPED" else "ContainerExited"
                spec = {"code": self.code, "phrase": "Succeeded" if self.code == 0 else kind}
            status |= {
                **{"attemptId": self.attempt, "attemptState": self.state, "appId": self.uid},
                **{"appCreatedTime": self.submitted, "appLaunchedTime": self.launched},
                **{"appCompletedTime": self.completed, "appExitSpec": spec},
                **{"appExitDiagnostics": self.diagnostics, "appExitMessages": None, "appExitType": None},
                "appExitTriggerMessage": None,
            }
            task = {
                **{"taskIndex": 0, "taskUid": self.uid, "taskState": self.state, "attemptId": self.attempt},
                **{"containerId": self.uid, "containerIp": "127.0.0.1", "containerPorts": {}},
                "containerExitCode": self.container_code,
            }
            role = self.told_role
            roles = {role: {"taskRoleStatus": {"name": role}, "taskStatuses": [task]}}
            return {
                "name": self.name,
                "tags": [],
                "jobStatus": status,
                "taskRoles": roles,
                "debugId": self.uid,
            }

    def _sub_state(self) -> str:
        if self.ended.is_set():
            return "Completed"
        return {"WAITING": "AttemptCreationPending", "STOPPING": "AttemptDeleting"}.get(
            self.state, "AttemptRunning"
        )
