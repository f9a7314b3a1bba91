"""Sees to it that the manager gets what trials of a job write: logs while they run, all before their ends.

Where the storage is mounted, trials write there; what root in a container makes is given to whom the folder
belongs to, who could not read it otherwise. Where it is not, it is sent.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from contextlib import suppress
from typing import Any, Callable, Dict, List, Optional

from nni.courier.trial_files import LOGS, TrialFiles

MOST_BYTES = 1 << 30
"""How much a trial may have made that is sent, beside its logs."""

SECONDS = 10.0
"""How often logs are sent."""

_TRIES = 5
_CLOSE_SECONDS = 20.0
_CHUNK = 1 << 20


class SendTo:
    """Sends what trials write to the storage."""

    def __init__(self, files: Any, experiment_directory: str) -> None:
        """Sends nothing yet.

        Args:
            files: The storage, a BlobContainer or FolderFiles.
            experiment_directory: The folder in which trials write.
        """
        self._files = files
        self._trials = TrialFiles(experiment_directory)
        self._bases: Dict[str, int] = {}
        self._sent: Dict[str, int] = {}
        self._chunks: Dict[str, bytes] = {}

    def logs(self, trial_id: str) -> bool:
        """Sends what logs have grown by; returns whether they have.

        Raises:
            BlobError, OSError: They cannot be sent now.
        """
        grown = False
        for log in LOGS:
            name = f"trials/{trial_id}/{log}"
            while self._chunk(trial_id, log, name):
                if name not in self._bases:  # behind that of an attempt in another job
                    self._bases[name] = self._files.size(name)
                data, sent = self._chunks[name], self._sent.get(name, 0)
                self._files.append(name, data, self._bases[name] + sent)
                self._sent[name] = sent + len(data)
                del self._chunks[name]
                grown = True
        return grown

    def rest(self, trial_id: str) -> str:
        """Sends all else that a trial has made; returns what is to be known of it, "" for nothing.

        Raises:
            BlobError, OSError: It cannot be sent now.
        """
        found = self._trials.outputs(trial_id, ["*"])
        total = sum(size for _, size, _ in found.files)
        if total > MOST_BYTES:
            return f"trial {trial_id}: what it has made is {total >> 20} MB and not sent, beyond its logs"
        for path, _, _ in found.files:
            self._files.upload(os.path.join(self._trials.folder(trial_id), path), f"trials/{trial_id}/{path}")
        return ""

    def _chunk(self, trial_id: str, log: str, name: str) -> bytes:
        """Returns what is sent next; what is tried again has to be the same."""
        if name not in self._chunks:
            with suppress(FileNotFoundError):
                data = self._trials.read(trial_id, log, self._sent.get(name, 0), _CHUNK)
                if data:
                    self._chunks[name] = data
        return self._chunks.get(name, b"")


class GiveTo:
    """Gives what root has made to whom the experiment's folder belongs to."""

    def __init__(self, experiment_directory: str) -> None:
        """Gives nothing yet."""
        self._top = os.path.join(experiment_directory, "trials")
        self._trials = TrialFiles(experiment_directory)

    def logs(self, trial_id: str) -> bool:
        """Gives a trial's logs."""
        folder = self._trials.folder(trial_id)
        for path in (folder, *(os.path.join(folder, log) for log in LOGS)):
            self._give(path)
        return False

    def rest(self, trial_id: str) -> str:
        """Gives all that a trial has made."""
        for place, folders, names in os.walk(self._trials.folder(trial_id)):
            for name in folders + names:
                self._give(os.path.join(place, name))
        return ""

    def _give(self, path: str) -> None:
        with suppress(OSError):  # some storages know no owners
            owner = os.stat(self._top)
            if os.lstat(path).st_uid == 0:
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


class Outputs:
    """Does that in a thread, and holds the ends of trials back until it is done."""

    def __init__(self, way: Any, seconds: float = SECONDS) -> None:
        """Does nothing yet.

        Args:
            way: A SendTo or GiveTo.
            seconds: How often logs are looked at.
        """
        self._way = way
        self._seconds = seconds
        self._running: Dict[str, None] = {}
        self._ends: "queue.Queue[Optional[bytes]]" = queue.Queue()
        self._ready: List[bytes] = []
        self._held = 0
        self._thread = threading.Thread(target=self._work, name="outputs", daemon=True)
        self._thread.start()

    @property
    def is_busy(self) -> bool:
        """Whether ends are held back."""
        return self._held > 0

    def passed(self, line: bytes) -> bool:
        """Takes note of a line of the courier; returns whether it is held back."""
        if not line.startswith((b'{"started"', b'{"ended"')):
            return False
        ((name, content),) = json.loads(line).items()
        if name == "started":
            self._running[str(content["trialId"])] = None
            return False
        self._held += 1
        self._ends.put(line)
        return True

    def ready(self) -> List[bytes]:
        """Returns lines that can be told now."""
        ready, self._ready = self._ready, []
        self._held -= sum(line.startswith(b'{"ended"') for line in ready)
        return ready

    def close(self) -> None:
        """Ends the thread, after what logs have grown by is sent."""
        self._ends.put(None)
        self._thread.join(_CLOSE_SECONDS)

    def _work(self) -> None:
        look_at = time.monotonic() + self._seconds
        while True:
            try:
                end = self._ends.get(timeout=max(0.0, look_at - time.monotonic()))
            except queue.Empty:
                for trial_id in list(self._running):
                    self._tried(lambda trial_id=trial_id: self._logs(trial_id), 1)  # type: ignore[misc]
                look_at = time.monotonic() + self._seconds
                continue
            if end is None:
                # What processes wrote after the ends of their trials.
                for trial_id in self._running:
                    self._tried(lambda trial_id=trial_id: self._way.logs(trial_id), 1)  # type: ignore[misc]
                return
            self._end(end)

    def _end(self, line: bytes) -> None:
        trial_id = str(next(iter(json.loads(line).values()))["trialId"])
        self._tried(lambda: self._logs(trial_id), _TRIES)
        self._tried(lambda: self._rest(trial_id), _TRIES)
        self._ready.append(line)

    def _logs(self, trial_id: str) -> None:
        if self._way.logs(trial_id):
            self._ready.append(json.dumps({"sent": {"trialId": trial_id}}).encode("ascii"))

    def _rest(self, trial_id: str) -> None:
        problem = self._way.rest(trial_id)
        if problem:
            self._ready.append(json.dumps({"problem": {"message": problem}}).encode("ascii"))

    def _tried(self, work: Callable[[], None], tries: int) -> None:
        for left in reversed(range(tries)):
            try:
                work()
                return
            except Exception as error:  # whatever it is, ends are told
                print(f"nni.spool: what a trial wrote cannot be sent: {error}", file=sys.stderr, flush=True)
                if left:
                    time.sleep(2.0 ** (tries - left))


def outputs_of(files: Any, experiment_directory: str, send_seconds: float) -> Optional[Outputs]:
    """Returns what sees to the outputs of a job, None where nothing is to be done.

    Args:
        files: The storage.
        experiment_directory: The folder in which trials write.
        send_seconds: How often logs are sent; 0 where the folder is in the storage.
    """
    if send_seconds:
        return Outputs(SendTo(files, experiment_directory), send_seconds)
    with suppress(OSError):
        if os.geteuid() == 0 and os.stat(os.path.join(experiment_directory, "trials")).st_uid != 0:
            return Outputs(GiveTo(experiment_directory))
    return None
