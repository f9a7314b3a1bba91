"""What the courier knows of one trial that it watches, and how it finds out more."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any, Dict, List, Optional

from nni import processes
from nni.trial_folder import TrialFolder, read_json

STARTING_SECONDS = 2.0
"""How long a trial of an earlier courier may be without a run.json, which its runner writes first of all."""


@dataclass
class Trial:
    """One attempt of a trial that has not ended, or whose end is not told yet.

    Attributes:
        trial_id: The trial.
        attempt: Which run of it.
        folder: Its folder.
        position: The position in its report file up to which results were sent.
        outstanding: The position whose acknowledgement is waited for, None if none is.
        runner: The process id of its runner, 0 while it is not known.
        is_child: Whether we forked the runner, so that its end is told by SIGCHLD.
        started: Whether its start was told.
        outcome: The content of its exit.json once it has ended.
        cleanings: How often what was left of it had to be stopped.
        problem: What was last told to be wrong with its report file.
        adopted_at: When we began to watch a trial of an earlier courier, by the monotonic clock.
    """

    trial_id: str
    attempt: int
    folder: TrialFolder
    position: int = 0
    outstanding: Optional[int] = None
    runner: int = 0
    is_child: bool = False
    started: bool = False
    outcome: Optional[Dict[str, Any]] = None
    cleanings: int = 0
    problem: str = ""
    adopted_at: float = 0.0

    def tag(self, experiment_id: str) -> List[bytes]:
        """Returns the environment variables that tell its processes from all others."""
        return [f"NNI_EXP_ID={experiment_id}".encode(), f"NNI_TRIAL_JOB_ID={self.trial_id}".encode()]

    def run_record(self) -> Dict[str, Any]:
        """Returns the content of run.json, empty if there is none that can be read."""
        return _content(self.folder.run_file) or {}

    def exit_record(self) -> Optional[Dict[str, Any]]:
        """Returns the content of exit.json, None if the trial has none."""
        record = _content(self.folder.exit_file)
        return record if record is not None and "ended_at" in record else None

    def runner_lives(self) -> bool:
        """Returns whether the runner named in run.json runs: process id, start time and boot are its own."""
        record = self.run_record()
        runner = record.get("runner")
        if not runner:
            return time.monotonic() - self.adopted_at < STARTING_SECONDS
        self.runner = runner["pid"]
        same_boot = record["boot_id"] == processes.boot_id()
        return bool(same_boot and processes.start_time(self.runner) == runner["start_time"])


def lost_outcome(problem: str) -> Dict[str, Any]:
    """Returns an outcome for a trial of which nothing is known but that it does not run."""
    return {"problem": problem, "ended_at": time.time()}


def shell() -> str:
    """Returns the path of the shell that runs the commands."""
    return "/bin/bash" if os.access("/bin/bash", os.X_OK) else "/bin/sh"


def _content(path: str) -> Optional[Dict[str, Any]]:
    try:
        return read_json(path)
    except (OSError, ValueError):
        return None
