"""Runs the trials of a job that nobody can reach, over two files in a shared storage.

`python -m nni.spool --experiment-id ID --experiment-directory DIRECTORY --job NAME --folder FOLDER` starts a
courier and carries what the two say to each other: `spool/<job>/orders.jsonl` in the storage is what the
manager tells it, `spool/<job>/events.jsonl` what it tells the manager. Both are only ever appended to, by one
side each, and hold lines of courier.proto in JSON form. What is in the second file is safe: results are
acknowledged to the courier then, and the job goes on without a manager.

Where the environment variable NNI_SPOOL_MANAGER says how the manager is reached, it is told at once what was
written, and tells its orders (nni.manager_files). Trials do not see that variable.

Without --folder the storage is a container of Azure Blob storage; the environment variable NNI_SPOOL_ACCESS
has what `nni.blob_transfer` reads from its standard input.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from typing import Any, Callable, List, Optional

from nni.blob_error import BlobError
from nni.courier_child import CourierChild
from nni.spool_files import EVENTS, ORDERS, Appender, FolderFiles, OtherWriterError, read_lines
from nni.spool_outputs import Outputs, outputs_of
from nni.spool_trials import SpooledTrials

ACCESS_VARIABLE = "NNI_SPOOL_ACCESS"
MANAGER_VARIABLE = "NNI_SPOOL_MANAGER"

MAX_DEATHS = 5
"""How many couriers may die one after another, none of which said anything but that it works."""

MANY_WRITES = 20_000
"""After so many writes there are fewer: Azure lets a file be appended to 50,000 times."""

_FIRST_PAUSE = 0.2
_SLOWER = 30.0


class Spool:
    """Carries lines between a courier and the files of a job."""

    def __init__(
        self,
        files: Any,
        job: str,
        courier: CourierChild,
        poll_seconds: float = 1.0,
        notes: Callable[[], List[bytes]] = list,
        outputs: Optional[Outputs] = None,
    ) -> None:
        """Makes a spool that has done nothing yet.

        Args:
            files: The storage, a BlobContainer or FolderFiles.
            job: The job's name.
            courier: Runs the trials.
            poll_seconds: How often the storage is looked at, and written to.
            notes: Returns lines that the manager is to be told besides, each once.
            outputs: Sees to what trials write, None where nothing is to be done.
        """
        self._outputs = outputs
        self._files = files
        self._orders = f"spool/{job}/{ORDERS}"
        self._events = Appender(files, f"spool/{job}/{EVENTS}")
        self._courier = courier
        self._notes = notes
        self._poll_seconds = poll_seconds
        self._trials = SpooledTrials()
        self._position = 0
        self._deaths = 0
        self._is_shut_down = False
        self._unsafe: List[bytes] = []

    def run(self, until_idle: bool, idle_seconds: float = 0.0) -> None:
        """Works until the manager says that it is enough.

        Args:
            until_idle: Or until all trials that came have ended, once one has come.
            idle_seconds: Or until there was no trial for so long; 0 for any time.

        Raises:
            OtherWriterError: Another spool writes for this job.
            OSError: The courier cannot be started.
            RuntimeError: The courier dies again and again.
        """
        self._read_own_events()
        self._courier.start()
        look_at, busy_at = 0.0, time.monotonic()
        while True:
            if time.monotonic() >= look_at:
                self._take_orders()
                for note in self._notes():
                    self._events.add(note)
                self._send_events()
                slower = _SLOWER if self._events.writes > MANY_WRITES else 1.0
                look_at = time.monotonic() + self._poll_seconds * slower
            lines, has_ended = self._courier.lines(max(0.0, look_at - time.monotonic()))
            self._take_lines(self._tellable(lines))
            if self._trials.are_running:
                busy_at = time.monotonic()
            is_idle = until_idle and self._trials.are_over
            if idle_seconds and time.monotonic() - busy_at > idle_seconds:
                is_idle = True
            if is_idle and not self._is_shut_down:
                self._shut_down()
            if has_ended:
                self._courier_ended()
                if self._is_shut_down:
                    break
        while self._outputs is not None and self._outputs.is_busy:
            self._take_lines(self._outputs.ready())
            time.sleep(min(self._poll_seconds, 0.1))
        self.finish()

    def finish(self) -> None:
        """Brings to safety what is not in the storage yet.

        Raises:
            OtherWriterError: Another spool writes for this job.
        """
        while not self._send_events():
            time.sleep(self._poll_seconds)

    def _read_own_events(self) -> None:
        """Takes up where an earlier spool of this job stopped."""
        position = 0
        while True:
            lines, end = read_lines(self._files, self._events.name, position)
            for line in lines:
                self._trials.told(line)
            if end == position:
                break
            position = end
        self._events.begin()

    def _take_orders(self) -> None:
        try:
            lines, self._position = read_lines(self._files, self._orders, self._position)
        except (BlobError, OSError) as error:
            _warn(f"what the manager says cannot be read, trying again: {error}")
            return
        for line in lines:
            order = self._trials.order(line)
            if order is None:
                continue
            self._is_shut_down = self._is_shut_down or order.startswith(b'{"shutDown"')
            self._courier.write(order)

    def _tellable(self, lines: List[bytes]) -> List[bytes]:
        """Returns the lines that can be told now, ends only once what their trials wrote is brought."""
        if self._outputs is None:
            return lines
        return [line for line in lines if not self._outputs.passed(line)] + self._outputs.ready()

    def _take_lines(self, lines: List[bytes]) -> None:
        for line in lines:
            if self._trials.told(line):
                self._deaths = 0 if not line.startswith(b'{"ready"') else self._deaths
                self._events.add(line)
                self._unsafe.append(line)

    def _send_events(self) -> bool:
        """Writes what was said; returns False if that failed and is to be done again."""
        safe, self._unsafe = self._unsafe, []
        try:
            self._events.send()
        except (BlobError, OSError) as error:
            self._unsafe = safe
            _warn(f"{self._events.name} cannot be written, trying again: {error}")
            return False
        for line in safe:
            acknowledgement = self._trials.acknowledgement(line)
            if acknowledgement is not None:
                self._courier.write(acknowledgement)
        return True

    def _shut_down(self) -> None:
        self._is_shut_down = True
        self._courier.write(b'{"shutDown": {}}')

    def _courier_ended(self) -> None:
        if self._is_shut_down:
            return
        self._deaths += 1
        _warn(f"the courier ended ({self._courier.how_it_ended()}); it is started again and no trial is lost")
        if self._deaths >= MAX_DEATHS:
            raise RuntimeError(f"the courier, which runs the trials, ended {self._deaths} times in a row")
        time.sleep(_FIRST_PAUSE * 2**self._deaths)
        # What it has said and is not written yet is written, and not said again.
        self._courier.start()
        for order in self._trials.unfinished_orders():
            self._courier.write(order)


def _told_at_once(files: Any, job: str, access: str) -> Any:
    """Returns the files as they are told to the manager at once, None where it is not to be."""
    if not access:
        return None
    try:
        from nni.manager_calls import ManagerCalls
        from nni.manager_files import ManagerFiles

        manager = ManagerFiles(files, job, ManagerCalls(access), ManagerCalls(access))
    except (ImportError, ValueError) as error:  # some Pythons have no ssl
        _warn(f"the manager is told by the storage alone: {error}")
        return None
    manager.start()
    return manager


def _socket_folder() -> str:
    """Returns a new folder; the paths of sockets are limited to about 100 characters."""
    return tempfile.mkdtemp(prefix="nni-", dir="/tmp" if os.access("/tmp", os.W_OK) else None)


def _warn(message: str) -> None:
    print(f"nni.spool: {message}", file=sys.stderr, flush=True)


def _end(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)


def main(arguments: List[str]) -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m nni.spool", description="Runs trials over files.")
    parser.add_argument("--experiment-id", required=True)
    parser.add_argument("--experiment-directory", required=True, help="where the trials write, in this job")
    parser.add_argument("--job", required=True, help="the job's name, unique in the experiment")
    parser.add_argument("--folder", default="", help="the experiment's folder in a mounted storage")
    parser.add_argument("--grace-seconds", default="5.0")
    parser.add_argument("--reuse", action="store_true", help="keep processes that ask for more trials")
    parser.add_argument("--poll-seconds", type=float, default=1.0)
    parser.add_argument("--until-idle", action="store_true", help="end when all trials have ended")
    parser.add_argument("--idle-seconds", type=float, default=0.0, help="end after so long without a trial")
    parser.add_argument("--send-seconds", type=float, default=0.0, help="send what trials write, so often")
    options = parser.parse_args(arguments)
    access, manager_access = os.environ.pop(ACCESS_VARIABLE, ""), os.environ.pop(MANAGER_VARIABLE, "")
    try:
        if options.folder:
            files: Any = FolderFiles(options.folder)
        elif access:
            from nni.renewed_container import container_of  # takes long to load

            files = container_of(json.loads(access))
        else:
            raise ValueError(f"neither --folder nor {ACCESS_VARIABLE} says where the storage is")
    except (ValueError, KeyError, TypeError) as error:
        _warn(str(error))
        return 2
    sockets = _socket_folder() if options.reuse else ""
    courier = CourierChild(
        [
            f"--experiment-id={options.experiment_id}",
            f"--experiment-directory={options.experiment_directory}",
            f"--grace-seconds={options.grace_seconds}",
            f"--socket={sockets and sockets + '/socket'}",
        ]
    )
    signal.signal(signal.SIGTERM, _end)
    manager = _told_at_once(files, options.job, manager_access)
    notes = list if manager is None else manager.notes
    outputs = outputs_of(files, options.experiment_directory, options.send_seconds)
    spool = Spool(manager or files, options.job, courier, options.poll_seconds, notes, outputs)
    try:
        spool.run(options.until_idle, options.idle_seconds)
    except (OtherWriterError, OSError, RuntimeError) as error:
        _warn(str(error))
        return 1
    finally:
        courier.end()
        if sockets:
            shutil.rmtree(sockets, ignore_errors=True)
        if outputs is not None:
            outputs.close()
        if manager is not None:
            manager.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
