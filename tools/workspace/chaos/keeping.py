"""Keeps a run going: starts its experiment, resumes it whenever its manager has gone, until all is done."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from nni.experiment import Experiment, RunMode
from nni.experiment.config import CustomAlgorithmConfig

from workspace.chaos.checking import read_record
from workspace.chaos.faults import MANAGER_KILLED, Faults
from workspace.chaos.options import TUNERS, Options
from workspace.marked import marked_processes

CONCURRENCY = 4

_HERE = Path(__file__).parent
_POLL_SECONDS = 0.1
_STATUS_SECONDS = 1.0
_STUCK_SECONDS = 90.0
_MOST_FAILURES = 5
_MOST_CHARACTERS = 60
_MEANT_ERRORS = ("died 3 times in a row", "all failed without a report", "times in a row")
"""What the texts of errors have that a run may bring about: they end an experiment, which can be resumed."""


class GivenUp(Exception):  # noqa: N818 - it is what was found out, not a fault of this program
    """The run does not come to its end; the text says why."""


class Keeper:
    """Keeps one experiment going.

    Attributes:
        experiment_id: Its id.
        lives: How many managers of it have come to serve.
        errors: The errors that it ended with and was resumed after, each with how often.
        surprises: What should not have happened, each as a line.
        memory: The manager's memory as time went by: (trials begun, bytes).
    """

    def __init__(self, options: Options, mark: str, directory: Path, folder: Path) -> None:
        """Prepares it.

        Args:
            options: What to run.
            mark: Of its processes.
            directory: Where experiments go.
            folder: Where the code, the trials' notes and our output go.
        """
        self.lives = 0
        self.errors: Counter[str] = Counter()
        self.surprises: list[str] = []
        self.memory: list[tuple[int, int]] = []
        self.notes = folder / "notes"
        self._mark = mark
        self._directory = directory
        self._output = folder / "client.log"
        self._trials = options.trials
        self.notes.mkdir()
        code = folder / "code"
        code.mkdir()
        for name in ("trial.py", "tuner.py"):
            shutil.copy(_HERE / name, code)
        self._experiment = _experiment(options, directory, code, self.notes)
        self.experiment_id = self._experiment.id
        self._was_done = False
        self._moved = (time.monotonic(), "")

    @property
    def folder(self) -> Path:
        """The experiment's folder."""
        return self._directory / self.experiment_id

    def progress(self) -> float:
        """Returns how much is done: 1 when the last trial has begun, or the experiment was done once."""
        return 1.0 if self._was_done else self._begun() / self._trials

    def start(self) -> None:
        """Starts the experiment."""
        with self._quiet():
            self._experiment.start(0, run_mode=RunMode.Detach)
        self.lives += 1

    def keep(self, faults: Faults) -> None:
        """Returns once the experiment is done and the manager was killed often enough.

        Raises:
            GivenUp: It does not come to that.
        """
        look_at = 0.0
        while True:
            if not self._manager():
                self._resume(faults)
            elif time.monotonic() >= look_at:
                look_at = time.monotonic() + _STATUS_SECONDS
                self._measure()
                status = self._status()
                self._check_moving(status, faults.counts[MANAGER_KILLED])
                if status == "DONE":
                    self._was_done = True
                    if faults.has_killed_enough:
                        return
                if status == "ERROR":
                    self._stop()
                    self._note_error()
            time.sleep(_POLL_SECONDS)

    def finish(self) -> str:
        """Ends the manager once no harm is done any more; returns the experiment's status."""
        if not self._manager():
            self._resume(None)
        while self._status() not in ("DONE", "ERROR"):
            self._check_moving("", 0)
            time.sleep(_POLL_SECONDS)
        self._stop()
        return str(self._status())

    def warnings(self) -> list[str]:
        """Returns what the experiment has warned of."""
        return list(self._experiment.get_experiment_profile()["warnings"])

    def _resume(self, faults: Faults | None) -> None:
        for _ in range(_MOST_FAILURES):
            began = time.monotonic()
            try:
                self._resume_once()
                return
            except RuntimeError as error:
                if faults is not None and faults.excuses(str(error), began - _STATUS_SECONDS):
                    return
                self.surprises.append(f"not resumed: {error}")
        raise GivenUp(f"the experiment could not be resumed {_MOST_FAILURES} times; the last line says why")

    def _resume_once(self) -> None:
        experiment = Experiment(None, id=self.experiment_id)
        with self._quiet():
            experiment.resume(
                0,
                wait_completion=False,
                run_mode=RunMode.Detach,
                experiments_directory=self._directory,
            )
        self._experiment = experiment
        self.lives += 1

    def _status(self) -> str:
        """Returns the status, "" when nobody knows at the moment."""
        try:
            return str(self._experiment.get_status())
        except RuntimeError:  # its manager is being killed
            return ""

    def _stop(self) -> None:
        with self._quiet():
            try:
                self._experiment.stop()
            except RuntimeError as error:
                if self._manager():
                    self.surprises.append(f"not stopped: {error}")

    def _note_error(self) -> None:
        text = read_record(self.folder / "db" / "experiment.sqlite").errors[-1]
        self.errors[text.splitlines()[0][:_MOST_CHARACTERS]] += 1
        if not any(meant in text for meant in _MEANT_ERRORS):
            self.surprises.append(f"the experiment failed: {text}")

    def _check_moving(self, status: str, kills: int) -> None:
        now = f"{self._begun()} trials have begun, the status is {status}, managers were killed {kills} times"
        if now != self._moved[1]:
            self._moved = (time.monotonic(), now)
        elif time.monotonic() - self._moved[0] > _STUCK_SECONDS:
            raise GivenUp(f"nothing has moved for {_STUCK_SECONDS:g} s: {now}")

    def _measure(self) -> None:
        for pid in self._manager():
            with contextlib.suppress(OSError, IndexError):
                pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                self.memory.append((self._begun(), pages * os.sysconf("SC_PAGE_SIZE")))

    def _begun(self) -> int:
        return len({path.name.rpartition("-")[0] for path in self.notes.iterdir()})

    def _manager(self) -> list[int]:
        return [each.pid for each in marked_processes(self._mark) if each.kind == "manager"]

    @contextlib.contextmanager
    def _quiet(self) -> Iterator[None]:
        with self._output.open("a") as file, contextlib.redirect_stdout(file):
            yield


def _experiment(options: Options, directory: Path, code: Path, notes: Path) -> Experiment:
    experiment = Experiment("local")
    config = experiment.config
    config.experiment_name = "chaos"
    config.experiment_working_directory = directory
    config.trial_concurrency = CONCURRENCY
    config.max_trial_number = options.trials
    config.max_trial_retries = 3
    config.search_space = {"x": {"_type": "uniform", "_value": [0, 1]}}
    config.trial_command = f"{sys.executable} trial.py {notes}"
    config.trial_code_directory = code
    config.trial_stop_grace_period = "1s"
    if options.tuner == TUNERS[0]:
        config.tuner = CustomAlgorithmConfig(
            class_name="tuner.SeededTuner", code_directory=code, class_args={"seed": options.seed}
        )
    else:
        config.tuner.name = options.tuner
        config.tuner.class_args["seed"] = options.seed
    return experiment
