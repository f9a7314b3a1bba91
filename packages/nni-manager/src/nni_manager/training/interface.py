"""What a training service promises.

Rules, held by tests/contract for every implementation:

1. `submit` is idempotent by (trial, attempt): the attempt's folder or job name is created exclusively, so a
   trial that was submitted before is adopted and not started again.
2. For every submitted or adopted attempt exactly one TrialEnded is emitted, after a TrialStarted if it ran,
   and after every TrialReported of what it reported. Nothing of it follows.
3. Results of an attempt are emitted in the order in which each process reported them. What was not
   acknowledged is emitted again after a restart.
4. `cancel` stops every process that the trial started. It returns at once; the end is told as TrialEnded.
   Canceling what has ended or was never submitted does nothing.
5. Trials outlive the manager: `close` leaves running ones alone.
6. A process may run one trial after another (reuse mode). A trial of it ends when the process asks for the
   next one, and what ends the process ends only the trial that it runs then. `release` lets processes that
   wait end, until something is submitted; after `close` none is left that runs no trial.
7. `emit` is called in the event loop's thread and returns at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from nni_manager.engine.events import (
    TrainingServiceFailed,
    TrialEnded,
    TrialReported,
    TrialStarted,
    TrialWaits,
    WarningRaised,
)

TrainingEvent = TrialStarted | TrialWaits | TrialReported | TrialEnded | TrainingServiceFailed
Emit = Callable[[TrainingEvent], None]
ServiceEmit = Callable[[TrainingEvent | WarningRaised], None]
"""Takes what a person is to know as well."""


@dataclass(frozen=True, slots=True)
class TrialRun:
    """One attempt of a trial, ready to start.

    Attributes:
        trial_id: The trial.
        attempt: Which run of it.
        sequence_number: Its number in the experiment.
        parameter_id: The tuner's number for its parameters.
        parameters: Its parameters.
        environment: What is added to the environment, beyond what every trial has (behaviour.md T4).
    """

    trial_id: str
    attempt: int
    sequence_number: int
    parameter_id: int | None
    parameters: Any
    environment: dict[str, str] = field(default_factory=dict)


class TrainingServiceError(Exception):
    """The place cannot run trials; the text says why and what to do."""


class TrainingService(Protocol):
    """A place where trials run."""

    async def start(self) -> None:
        """Gets the place ready.

        Raises:
            TrainingServiceError: It cannot run trials.
        """

    def submit(self, run: TrialRun) -> None:
        """Starts a trial soon."""

    def adopt(self, trial_id: str, attempt: int, acknowledged_offset: int) -> None:
        """Watches a trial submitted before a restart; one that never started ends with a problem."""

    def cancel(self, trial_id: str, attempt: int) -> None:
        """Stops a trial."""

    def acknowledge(self, trial_id: str, attempt: int, offset: int) -> None:
        """Says that a trial's results are stored up to this position of its report file."""

    def release(self) -> None:
        """Says that no trial is coming: processes that wait for one may end."""

    def output_directory(self, trial_id: str) -> str:
        """Returns the folder of a trial's output, as the machine it runs on names it."""

    async def close(self) -> None:
        """Lets the place go. Running trials go on; processes that wait for one are stopped."""
