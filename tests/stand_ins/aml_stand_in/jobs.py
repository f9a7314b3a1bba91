"""Jobs as processes of this machine: what a node does with them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from aml_stand_in.checks import filled_in, input_path

OVER = ("Completed", "Failed", "Canceled")
_LOG_SECONDS = 0.2


class Job:
    """A job of the service, with a thread that runs it."""

    def __init__(self, resource: dict[str, Any], folder: Path, node: Node) -> None:
        self.resource = resource
        self.name: str = resource["name"]
        self.failure = ""
        self.metrics: list[dict[str, Any]] = []
        self.is_listed = True
        self.folder = folder
        self._node = node
        self._is_canceled = threading.Event()
        self._is_preempted = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"job {self.name}", daemon=True)

    @property
    def status(self) -> str:
        return str(self.resource["properties"]["status"])

    def start(self) -> None:
        self._thread.start()

    def cancel(self) -> None:
        if self.status not in OVER:
            self._set("CancelRequested")
            self._is_canceled.set()
            self._node.changed()

    def preempt(self) -> None:
        """Takes its node away: it begins anew when there is another one."""
        self._is_preempted.set()

    def join(self) -> None:
        self._is_canceled.set()
        self._node.changed()
        self._thread.join(30)

    def _set(self, status: str) -> None:
        self.resource["properties"]["status"] = status

    def _run(self) -> None:
        while True:
            self._is_preempted.clear()
            self._set("Queued")
            self._node.wait_for_room(self._is_canceled)
            if self._is_canceled.is_set():
                break
            self._set("Preparing")
            code = self._run_once()
            if not self._is_preempted.is_set():
                break
        if self._is_canceled.is_set():
            self._set("Canceled")
        elif code == 0:
            self._set("Completed")
        else:
            self.failure = f"Execution failed. User process '/bin/bash' exited with status code {code}."
            self._set("Failed")
        self._node.ended(self)

    def _run_once(self) -> int:
        properties = self.resource["properties"]
        work = self.folder / "wd"
        work.mkdir(parents=True, exist_ok=True)
        paths = {}
        for name, each in (properties.get("inputs") or {}).items():
            target = self.folder / "cap" / f"INPUT_{name}"
            self._node.fetch(input_path(each["uri"]), target, each["jobInputType"])
            is_file = each["jobInputType"] == "uri_file"
            paths[name] = str(target / each["uri"].rpartition("/")[2]) if is_file else str(target)
        variables = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        variables |= {"AZUREML_RUN_ID": self.name, **(properties.get("environmentVariables") or {})}
        log = self.folder / "std_log.txt"
        self._set("Running")
        with log.open("ab") as output:
            process = subprocess.Popen(
                ["/bin/bash", "-c", filled_in(properties["command"], paths)],
                cwd=work,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._node.processes.add(process.pid)
        sent = -1
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_LOG_SECONDS)
            if self._is_canceled.is_set() or self._is_preempted.is_set():
                self._end_all(process)
            size = log.stat().st_size
            if size != sent:
                self._node.keep_log(self.name, log)
                sent = size
            if process.poll() is not None:
                self._end_all(process)
                return process.returncode

    def _end_all(self, process: subprocess.Popen[bytes]) -> None:
        """Does what the end of a container does: nothing that was started in it goes on."""
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.3)
        for each in processes_of(self.name):
            with contextlib.suppress(psutil.Error):
                each.kill()
        process.wait()


class Node:
    """What a job needs of the place it runs in."""

    def __init__(
        self,
        fetch: Callable[[str, Path, str], None],
        keep_log: Callable[[str, Path], None],
        has_room: Callable[[], bool],
        ended: Callable[[Job], None],
    ) -> None:
        self.fetch, self.keep_log, self.ended = fetch, keep_log, ended
        self.processes: set[int] = set()
        self._has_room = has_room
        self._condition = threading.Condition()

    def changed(self) -> None:
        """Wakes the jobs that wait for a node."""
        with self._condition:
            self._condition.notify_all()

    def wait_for_room(self, is_canceled: threading.Event) -> None:
        with self._condition:
            self._condition.wait_for(lambda: is_canceled.is_set() or self._has_room())


def processes_of(job: str) -> list[psutil.Process]:
    """Returns the processes that run in a job."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("AZUREML_RUN_ID") == job:
                found.append(process)
    return found
