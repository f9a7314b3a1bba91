"""What a job platform promises: a service that runs commands in containers and is asked over the network.

Rules:

1. `submit` makes a job once: a name that exists already is the same job, and that is no error.
2. `list` tells of all jobs of the experiment that the platform knows, by as few requests as it allows. They
   begin with `job_prefix`; it does no harm to tell of others that do. It may lag behind `submit`; a job that
   was told of once and is missing later is lost.
3. `stop` may be called for any name. A job that has ended, or never was, is stopped already.
4. `prepare` is called once, before the first `submit`; what it brings there is sent once per experiment. In
   the experiment's folders in storages (`stored`) all but `spool` and `trials` is the platform's, and is
   removed when the experiment has ended and no job is left.
5. What is passing is told as PlatformAwayError and tried again by the caller; what will not change by
   itself as TrainingServiceError, in the platform's own words. Secrets are in no text, log or `repr`.
6. `close` leaves jobs alone. No request is under way after it.
7. A platform that can show people what trials report keeps the promise of ResultsViewer, too.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from nni_manager.engine.events import TrialReported
from nni_manager.shared_storage.interface import SharedFiles
from nni_manager.training.interface import TrainingServiceError


class JobState(enum.Enum):
    """How far a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self not in (JobState.WAITING, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class JobOrder:
    """A job to be started.

    Attributes:
        name: Its name, unique in the platform (names.py): letters, digits, "_" and "-".
        command: What it runs, for /bin/bash. What `prepare` brought is in the folder that `prepare` named.
        environment: Variables of it that anybody may see.
        secrets: Variables of it that the platform is to keep to itself, as far as it can.
    """

    name: str
    command: str
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class JobReport:
    """What a platform says of a job.

    Attributes:
        name: The job.
        state: How far it is.
        reason: Why it waits, or how it ended, in the platform's words; "" where it says nothing.
        exit_code: The exit code of its command, None where that is not known.
        web_address: Where a person sees it, "" where that is not known.
    """

    name: str
    state: JobState
    reason: str = ""
    exit_code: int | None = None
    web_address: str = ""


@dataclass(frozen=True, slots=True)
class JobStorage:
    """How a job reaches the files that it and the manager share.

    Attributes:
        spool_arguments: Arguments of `python -m nni.spool` that say where they are: ("--folder", "/mnt/x").
        secrets: Variables that it needs for that.
        trials_directory: The folder with one folder for each trial, in the job: in a mounted storage, where
            the manager sees it too, or "" where a job keeps them to itself and sends them.
        local_trials_directory: The same folder as the manager sees it, None where it does not.
        keeps_files: Whether files that trials made stay there when the experiment has ended: somebody named
            this storage, and may look for them there.
    """

    spool_arguments: tuple[str, ...]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    trials_directory: str = ""
    local_trials_directory: Path | None = None
    keeps_files: bool = False


class PlatformAwayError(Exception):
    """The platform does not answer now, or not yet; the text is one sentence that says why.

    Attributes:
        retry_after: After how many seconds it wants to be asked again, None where it says nothing.
        can_be_repaired: What a person can do about it ("write a new token to ..."), "" if it passes alone.
    """

    def __init__(self, message: str, retry_after: float | None = None, can_be_repaired: str = "") -> None:
        """Says why."""
        super().__init__(message)
        self.retry_after = retry_after
        self.can_be_repaired = can_be_repaired


class PlatformNotAnsweringError(TrainingServiceError):
    """The platform was asked several times at the start and did not answer, which may pass."""


class JobRefusedError(TrainingServiceError):
    """The platform does not take a job, and will not; the text has its own words."""


class JobPlatform(Protocol):
    """A service that runs jobs in containers."""

    name: str
    """What it is called in messages and as a host: "OpenPAI at https://pai.example"."""

    platform: str
    """Its name in configurations: "openpai"."""

    @property
    def files(self) -> SharedFiles:
        """The experiment's files that jobs and the manager share, after `open`."""

    @property
    def stored(self) -> Sequence[SharedFiles]:
        """All folders that the experiment has in storages, after `open`; `files` comes first."""

    @property
    def storage(self) -> JobStorage:
        """How a job reaches them, after `open`."""

    async def open(self) -> None:
        """Signs in, and checks that what the configuration names is there.

        Raises:
            TrainingServiceError: It cannot run jobs; the text names what, where and what is allowed.
            PlatformAwayError: It does not answer.
        """

    async def prepare(self, archives: Mapping[str, Path]) -> str:
        """Brings files to where all jobs find them, each once however often it is called.

        Args:
            archives: Local files, by the names that jobs find them by.

        Returns:
            The folder in which a job finds them, as its command names it; may hold shell variables.
        """

    async def submit(self, order: JobOrder) -> None:
        """Starts a job.

        Raises:
            JobRefusedError: It is not taken.
            PlatformAwayError: It may be there or not; submitting it again is harmless.
        """

    async def list(self) -> Mapping[str, JobReport]:
        """Returns all jobs of the experiment, by name, ended ones too for as long as the platform knows them.

        Raises:
            PlatformAwayError: They are not known now.
        """

    async def stop(self, name: str) -> None:
        """Stops a job and all that runs in it.

        Raises:
            PlatformAwayError: It may run on.
        """

    async def log(self, name: str, most_bytes: int) -> bytes:
        """Returns the end of what the platform keeps of a job's output, b"" where it keeps none.

        Raises:
            PlatformAwayError: It is not known now.
        """

    async def close(self) -> None:
        """Ends the connection."""


@runtime_checkable
class ResultsViewer(Protocol):
    """A platform that shows what trials report beside their jobs."""

    def show_results(self, job: str, event: TrialReported) -> None:
        """Has results shown. It returns at once, raises nothing, and may get results again after a restart.

        Args:
            job: The job that the trial runs in.
            event: What it reported.
        """


def job_prefix(experiment_id: str) -> str:
    """Returns how the names of all jobs of an experiment begin.

    Others begin with it too: those of an experiment `a_b` with the prefix of `a`, and those of an experiment
    that has the same id elsewhere. Whoever gets a list picks out its own (names.py).
    """
    return f"nni_{experiment_id}_"
