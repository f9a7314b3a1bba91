"""What the courier says of trials."""

from __future__ import annotations

from typing import Any, Dict, Optional

from nni.courier import events
from nni.courier.channel import LineWriter
from nni.courier.output import stderr_tail
from nni.courier.reports import Batch
from nni.courier.trials import Trial

_NOT_ASKED = (
    "no process of it asked for its parameters by nni.get_next_parameter(). A script that has not got the "
    "trial's environment (started by env -i, sudo or in a container) is no part of the trial: pass all "
    "variables NNI_* and PYTHONPATH on"
)
_NO_PACKAGE = (
    "its Python has not got the package nni: PYTHONPATH was not passed on to it, or its user may not read "
    "the experiment's folder. Pass PYTHONPATH on, or install nni-trial there"
)


class Teller:
    """Tells the manager."""

    def __init__(self, writer: LineWriter) -> None:
        """Makes one that writes there."""
        self._writer = writer

    def problem(self, message: str) -> None:
        """Tells what went wrong."""
        self._writer.write(events.problem(message))

    def started(self, trial: Trial, record: Optional[Dict[str, Any]] = None) -> None:
        """Tells that a trial has started, once its run.json says so, and only once.

        Args:
            trial: The trial.
            record: The content of run.json, for a trial given to a process that runs already.
        """
        if trial.started:
            return
        # A trial given to a process that waited may be over in a moment; to tell all at once costs the
        # manager one commit instead of two.
        at_leisure = record is not None
        if record is None:
            record = trial.run_record()
        if "started_at" in record:
            trial.started = True
            self._writer.write(
                events.started(trial.trial_id, trial.attempt, record["started_at"], record["command"]["pid"]),
                at_leisure,
            )

    def waits(self, trial: Trial, reason: str) -> None:
        """Tells why a trial is not started yet, but only once."""
        if not trial.waits:
            trial.waits = True
            self._writer.write(events.waits(trial.trial_id, trial.attempt, reason))

    def reported(self, trial: Trial, batch: Batch) -> None:
        """Tells what a trial reported."""
        self._writer.write(events.reported(trial.trial_id, trial.attempt, batch.reports, batch.end))

    def ended(self, trial: Trial) -> None:
        """Tells that a trial has ended, as its outcome says."""
        outcome = trial.outcome or {}
        self.started(trial)
        if outcome.get("survivors"):
            self.problem(
                f"trial {trial.trial_id}: these processes could not be stopped: {outcome['survivors']}"
            )
        tail = ""
        if outcome.get("exit_code") != 0:
            tail = stderr_tail(trial.folder.stderr, trial.run_record().get("stderr_offset", 0))
        if "exit_code" in outcome and not trial.was_taken():
            outcome = {"problem": _why_not_taken(outcome, tail), **outcome}
        self._writer.write(events.ended(trial.trial_id, trial.attempt, outcome, tail))


def _why_not_taken(outcome: Dict[str, Any], tail: str) -> str:
    if outcome["exit_code"] == 0:
        return _NOT_ASKED
    return _NO_PACKAGE if "No module named 'nni'" in tail else ""
