"""Stops the trials of a machine that no manager reaches any more: `python -m nni.courier.unattended`.

It runs beside the courier and outlives it. What gives the manager files touches a file whenever the manager
asks; when that has not happened for too long, trials are stopped as behaviour.md T13 says, with the reason in
their folders, where the next manager finds it. Their files stay.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import List, Optional, Sequence, Set, Tuple

from nni import processes
from nni.courier.predecessor import end_noted, lives, note_process
from nni.courier.run_directory import COURIER_NOTE, FILES_NOTE, UNATTENDED_NOTE, attend, attended_file
from nni.courier.trials import Slot
from nni.trial_folder import TrialFolder, folder_id, write_json

_LONGEST_LOOK = 2.0
_KILL_SECONDS = 10.0


def watch(run_directory: str, arguments: Sequence[str]) -> None:
    """Starts the watching process of a machine, in place of an earlier one.

    Args:
        run_directory: The folder of what runs on this machine alone.
        arguments: The command line of this module.

    Raises:
        OSError: It cannot be started.
    """
    note = os.path.join(run_directory, UNATTENDED_NOTE)
    end_noted(note)
    attend(run_directory)
    child = subprocess.Popen(
        [sys.executable, "-S", "-m", "nni.courier.unattended", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )
    note_process(note, child.pid)
    child.returncode = 0  # the courier reaps whatever ends; this object must not complain


class Watch:
    """Watches one experiment's trials on this machine."""

    def __init__(
        self, experiment_id: str, directory: str, run_directory: str, limit: float, number: int, grace: float
    ) -> None:
        """Takes it that a manager was there now.

        Args:
            experiment_id: The experiment.
            directory: Its folder on this machine.
            run_directory: The folder, in that, of what runs on this machine alone.
            limit: After so many seconds without a manager trials are stopped.
            number: The first signal to them.
            grace: How long they have after it, and after the SIGTERM that follows.
        """
        self._directory = directory
        self._run_directory = run_directory
        self._limit = limit
        self._signal = number
        self._grace = grace
        names = (f"NNI_EXP_ID={experiment_id}", f"NNI_FOLDER_ID={folder_id(directory)}")
        self._tag = [os.fsencode(name) for name in names]
        self._seen = self._attended()
        self._since = time.monotonic()

    def run(self) -> None:
        """Returns when there is nothing left to watch, or all was stopped."""
        while True:
            time.sleep(min(_LONGEST_LOOK, self._limit / 4))
            seen = self._attended()
            if seen is None:  # its folder is gone, and so is the experiment
                return
            if seen != self._seen:
                # Our own clock counts: that of a file server may be another one, or be set.
                self._seen, self._since = seen, time.monotonic()
            elif time.monotonic() - self._since >= self._limit:
                self.stop_all()
                return
            elif not lives(self._note(COURIER_NOTE)) and not self._living():
                return

    def stop_all(self) -> None:
        """Stops all trials, then the helpers of the manager that is away."""
        reason = (
            f"it was stopped on {os.uname().nodename}, where no manager had been for {self._limit:.0f} s "
            "(unreachable_limit and some time more)"
        )
        for home in self._homes():
            with suppress(OSError):  # on a full disk it is stopped in the usual way
                order = {"signal": self._signal, "grace_seconds": self._grace, "unattended": reason}
                write_json(home.cancel_file, order)
            slot = Slot(home, adopted_at=-_KILL_SECONDS)
            with suppress(OSError, KeyError, TypeError):
                if slot.runner_lives():
                    os.kill(slot.runner, signal.SIGTERM)
        give_up = time.monotonic() + 2 * self._grace + _KILL_SECONDS
        while self._living() and time.monotonic() < give_up:
            time.sleep(0.1)
        for pid in self._living():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        for name in (COURIER_NOTE, FILES_NOTE):
            end_noted(self._note(name))

    def _homes(self) -> List[TrialFolder]:
        found: Set[Tuple[str, str]] = set()
        for pid in self._living():
            name = processes.variable(pid, "NNI_TRIAL_JOB_ID"), processes.variable(pid, "NNI_TRIAL_ATTEMPT")
            if all(name):
                found.add(name)
        return [TrialFolder(self._directory, trial, int(attempt)) for trial, attempt in sorted(found)]

    def _living(self) -> List[int]:
        return [pid for pid in processes.all_pids() if processes.carries(pid, [self._tag])]

    def _attended(self) -> Optional[int]:
        try:
            return os.stat(attended_file(self._run_directory)).st_mtime_ns
        except OSError:
            return None

    def _note(self, name: str) -> str:
        return os.path.join(self._run_directory, name)


def main() -> None:
    """Watches until there is nothing left to watch."""
    parser = argparse.ArgumentParser(
        prog="python -m nni.courier.unattended", description="Stops trials that no manager reaches any more."
    )
    parser.add_argument("--experiment-id", required=True)
    parser.add_argument("--experiment-directory", required=True)
    parser.add_argument("--run-directory", required=True)
    parser.add_argument("--limit", type=float, required=True)
    parser.add_argument("--stop-signal", type=int, default=int(signal.SIGINT))
    parser.add_argument("--grace-seconds", type=float, default=5.0)
    options = parser.parse_args()
    with suppress(OSError):  # what it watches is gone
        Watch(
            options.experiment_id,
            options.experiment_directory,
            options.run_directory,
            options.limit,
            options.stop_signal,
            options.grace_seconds,
        ).run()


if __name__ == "__main__":
    main()
