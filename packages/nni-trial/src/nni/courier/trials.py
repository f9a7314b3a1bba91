"""What the courier knows of the trials that it watches and of the processes they run in."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple

from nni import processes
from nni.courier.reports import report_size
from nni.trial_folder import TrialFolder, read_json, write_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nni.courier.askers import Asker

STARTING_SECONDS = 2.0
"""How long a trial of an earlier courier may be without a run.json, which its runner writes first of all."""


@dataclass(eq=False)
class Trial:
    """One attempt of a trial that has not ended, or whose end is not told yet.

    Attributes:
        folder: Its folder.
        command: The LaunchTrial that starts it, None for one that an earlier courier got.
        slot: The process that it runs in, None while it has none.
        handed: Whether a process that ran another trial before got it.
        position: The position in its report file up to which results were sent.
        outstanding: The position whose acknowledgement is waited for, None if none is.
        is_due: Whether its report file is to be looked at now and not in its turn.
        waits: Whether it was told that it cannot be started yet.
        started: Whether its start was told.
        outcome: How it ended, as in exit.json, once it has.
        problem: What was last told to be wrong with its report file.
    """

    folder: TrialFolder
    command: Optional[Dict[str, Any]] = None
    slot: Optional[Slot] = None
    handed: bool = False
    position: int = 0
    outstanding: Optional[int] = None
    is_due: bool = False
    waits: bool = False
    started: bool = False
    outcome: Optional[Dict[str, Any]] = None
    problem: str = ""

    @property
    def trial_id(self) -> str:
        """The trial."""
        return self.folder.trial_id

    @property
    def attempt(self) -> int:
        """Which run of it."""
        return self.folder.attempt

    @property
    def key(self) -> Tuple[str, int]:
        """Both."""
        return self.folder.trial_id, self.folder.attempt

    def run_record(self) -> Dict[str, Any]:
        """Returns the content of run.json as it is or as its runner says; empty if nothing is known."""
        record = _content(self.folder.run_file)
        if record is None and self.slot is not None and self.slot.key == self.key:
            record = self.slot.words().get("started")
        return record or {}

    def parameters_record(self) -> Dict[str, Any]:
        """Returns the content of parameters.json, empty if there is none that can be read."""
        return _content(self.folder.parameters_file) or {}

    def done_record(self) -> Optional[Dict[str, Any]]:
        """Returns how it ended before its process did, None if it did not."""
        return _outcome(self.folder.done_file)

    def was_taken(self) -> bool:
        """Returns whether a process has asked for its parameters."""
        if os.path.exists(self.folder.asked_file):
            return True
        try:
            return report_size(self.folder.reports) > 0  # who cannot make that file leaves a line here
        except OSError:
            return True


@dataclass(eq=False)
class Slot:
    """A process that trials run in, one after another if it asks for more.

    Attributes:
        home: The folder of the trial that it was started for, where its runner writes.
        trial: The trial that runs in it, None while it waits for one.
        last_trial_id: The trial that ran in it last.
        runner: The process id of its runner, 0 while it is not known.
        is_child: Whether we forked the runner, so that its end is told by SIGCHLD.
        adopted_at: When we began to watch a process of an earlier courier, by the monotonic clock.
        cleanings: How often what was left of it had to be stopped.
        stopping: Whether it was told to stop, so that it gets no more trials.
        askers: Who in it waits for its next trial.
        pipe: On which a runner that we forked speaks, -1 when it says no more.
        said: What it said, lines of JSON objects.
        problem: Why its runner was lost, "" if it was not.
    """

    home: TrialFolder
    trial: Optional[Trial] = None
    last_trial_id: str = ""
    runner: int = 0
    is_child: bool = False
    adopted_at: float = 0.0
    cleanings: int = 0
    stopping: bool = False
    askers: List[Asker] = field(default_factory=list)
    pipe: int = -1
    said: bytes = b""
    problem: str = ""
    _record: Dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> Tuple[str, int]:
        """Names it: the trial that it was started for, and which run of that."""
        return self.home.trial_id, self.home.attempt

    def run_record(self) -> Dict[str, Any]:
        """Returns the content of its run.json, empty while there is none."""
        if not self._record:
            self._record = _content(self.home.run_file) or {}
        return self._record

    def exit_record(self) -> Optional[Dict[str, Any]]:
        """Returns the content of exit.json, or what its runner could not write into it; None before."""
        outcome: Optional[Dict[str, Any]] = self.words().get("outcome")
        return _outcome(self.home.exit_file) or outcome

    def words(self) -> Dict[str, Any]:
        """Returns what its runner has said so far."""
        found: Dict[str, Any] = {}
        for line in self.said.splitlines():
            try:
                found.update(json.loads(line))
            except ValueError:  # its end is missing: the runner was killed
                continue
        return found

    def runner_lives(self) -> bool:
        """Returns whether the runner named in run.json runs: id, start time, boot and folder are right."""
        record = self.run_record()
        runner = record.get("runner")
        if not runner:
            return time.monotonic() - self.adopted_at < STARTING_SECONDS
        self.runner = runner["pid"]
        same_boot = record["boot_id"] == processes.boot_id()
        same_folder = record["folder_id"] == self.home.experiment_folder_id()
        return bool(same_boot and same_folder and processes.start_time(self.runner) == runner["start_time"])

    def is_waiting(self) -> bool:
        """Returns whether it waits for a trial and may have one."""
        self.askers = [asker for asker in self.askers if not asker.closed]
        return self.trial is None and not self.stopping and bool(self.askers)

    def answer(self, environment: Dict[str, str]) -> None:
        """Tells who waits in it what the next trial has in its environment, {} for no more trials."""
        for asker in self.askers:
            asker.answer(environment)
        self.askers = []


def home_of(folder: TrialFolder, record: Dict[str, Any], experiment_directory: str) -> TrialFolder:
    """Returns the home of the process that a trial runs in.

    Args:
        folder: The trial's folder.
        record: The content of its run.json.
        experiment_directory: The experiment's folder.
    """
    slot = record.get("slot")
    return folder if slot is None else TrialFolder(experiment_directory, slot["trial_id"], slot["attempt"])


def lost_outcome(problem: str) -> Dict[str, Any]:
    """Returns an outcome for a trial of which nothing is known but that it does not run."""
    return {"problem": problem, "ended_at": time.time()}


def note_done(folder: TrialFolder) -> Dict[str, Any]:
    """Notes that a trial has ended whose process goes on, unless that is noted, and returns its outcome.

    Raises:
        OSError: It cannot be noted.
    """
    outcome = _outcome(folder.done_file)
    if outcome is None:
        outcome = {"exit_code": 0, "ended_at": time.time()}
        write_json(folder.done_file, outcome)
    return outcome


def shell() -> str:
    """Returns the path of the shell that runs the commands."""
    return "/bin/bash" if os.access("/bin/bash", os.X_OK) else "/bin/sh"


def _outcome(path: str) -> Optional[Dict[str, Any]]:
    record = _content(path)
    return record if record is not None and "ended_at" in record else None


def _content(path: str) -> Optional[Dict[str, Any]]:
    try:
        return read_json(path)
    except (OSError, ValueError):
        return None
