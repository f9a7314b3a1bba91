"""A platform whose jobs are processes of this machine, and which can be told to misbehave."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from nni_manager.shared_storage.interface import SharedFiles
from nni_manager.shared_storage.mounted_files import MountedFiles
from nni_manager.training.jobs.platform import (
    JobOrder,
    JobRefusedError,
    JobReport,
    JobState,
    JobStorage,
    PlatformAwayError,
    job_prefix,
)


@dataclass
class _FakeJob:
    order: JobOrder
    process: subprocess.Popen[bytes] | None = None
    state: JobState = JobState.WAITING
    reason: str = ""
    exit_code: int | None = None


@dataclass
class FakeCluster:
    """What goes on although managers come and go: the jobs, the storage, and what is wrong.

    Attributes:
        folder: Holds everything.
        mounts: Whether jobs see the storage, so that trials write there.
        keeps_files: Whether files that trials made stay in the storage at the end.
        away: Why no call is answered, "" while they are.
        away_for: The calls that are not answered then: all where it is empty.
        refusal: Why no job is taken, "" while they are.
        holds: Why no job starts, "" while they do.
        lost_answer: Whether a job is taken and the answer to that gets lost, once.
        hidden: The jobs that are not listed.
        path: PATH in the jobs.
        calls: How often each call came.
    """

    folder: Path
    mounts: bool = True
    keeps_files: bool = False
    away: str = ""
    away_for: frozenset[str] = frozenset()
    refusal: str = ""
    holds: str = ""
    lost_answer: bool = False
    hidden: set[str] = field(default_factory=set)
    path: str = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    calls: Counter[str] = field(default_factory=Counter)
    jobs: dict[str, _FakeJob] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Makes the folders."""
        for path in (self.shared, self.brought):
            path.mkdir(parents=True, exist_ok=True)

    @property
    def shared(self) -> Path:
        """The storage."""
        return self.folder / "shared"

    @property
    def brought(self) -> Path:
        """Where archives are."""
        return self.folder / "brought"

    @property
    def running(self) -> list[str]:
        """The jobs that have not ended."""
        self.look()
        return [name for name, job in self.jobs.items() if not job.state.is_over]

    def look(self) -> None:
        """Starts what may start, and sees what has ended."""
        for name, job in self.jobs.items():
            if job.state is JobState.WAITING and not self.holds:
                self._start(name, job)
            code = job.process.poll() if job.process is not None else None
            if job.state is JobState.RUNNING and code is not None:
                job.state = JobState.FAILED if code else JobState.SUCCEEDED
                job.exit_code = code if code >= 0 else 128 - code

    def end(self, name: str, state: JobState, reason: str = "") -> None:
        """Ends a job and everything in it at once: it is stopped, or preempted."""
        job = self.jobs[name]
        self.look()
        if job.state.is_over:
            return
        job.state, job.reason = state, reason
        for pid in self.processes(name):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if job.process is not None:
            job.process.wait()

    def lose(self, name: str) -> None:
        """Ends a job and knows nothing of it any more."""
        self.end(name, JobState.FAILED)
        del self.jobs[name]

    def pause(self, name: str) -> None:
        """Has nothing of a job do anything any more, though it counts as running."""
        for pid in self.processes(name):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def end_all(self) -> None:
        """Ends all jobs."""
        for name in list(self.jobs):
            self.end(name, JobState.STOPPED)

    def processes(self, name: str) -> list[int]:
        """Returns the processes of a job, by a variable in their environment."""
        wanted = f"\0NNI_FAKE_JOB={self.folder}/{name}\0".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with suppress(OSError):
                    if wanted in b"\0" + (entry / "environ").read_bytes():
                        found.append(int(entry.name))
        return found

    def log_file(self, name: str) -> Path:
        """Returns the file with a job's output."""
        return self.folder / f"{name}.log"

    def _start(self, name: str, job: _FakeJob) -> None:
        with self.log_file(name).open("wb") as log:
            job.process = subprocess.Popen(
                ["/bin/bash", "-c", job.order.command],
                env={
                    "PATH": self.path,
                    **job.order.environment,
                    **job.order.secrets,
                    "BROUGHT": str(self.brought),
                    "NNI_FAKE_JOB": f"{self.folder}/{name}",
                },
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        job.state = JobState.RUNNING


class FakePlatform:
    """Keeps the promises of JobPlatform, as one manager's connection to a cluster."""

    def __init__(self, cluster: FakeCluster, experiment_id: str, folder: str = "") -> None:
        """Makes a connection that is not open.

        Args:
            cluster: What it speaks to.
            experiment_id: The experiment.
            folder: Its folder in the storage, "" where it has the storage for itself.
        """
        self.name = "the cluster"
        self.platform = "fake"
        self._cluster = cluster
        self._experiment_id = experiment_id
        self._shared = cluster.shared / folder
        self._files = MountedFiles(self._shared)
        self.is_closed = False

    @property
    def files(self) -> SharedFiles:
        """The files that jobs and the manager share."""
        return self._files

    @property
    def stored(self) -> tuple[SharedFiles, ...]:
        """The experiment's only folder in a storage."""
        return (self.files,)

    @property
    def storage(self) -> JobStorage:
        """How a job reaches them."""
        storage = JobStorage(("--folder", str(self._shared)), keeps_files=self._cluster.keeps_files)
        if self._cluster.mounts:
            trials = self._shared / "trials"
            storage = replace(storage, trials_directory=str(trials), local_trials_directory=trials)
        return storage

    async def open(self) -> None:
        """Signs in."""
        await self._asked("open")

    async def prepare(self, archives: Mapping[str, Path]) -> str:
        """Brings files to where all jobs find them."""
        await self._asked("prepare")
        for name, path in archives.items():
            target = self._cluster.brought / name
            if not target.exists():
                target.write_bytes(path.read_bytes())
        return "$BROUGHT"

    async def submit(self, order: JobOrder) -> None:
        """Starts a job, once."""
        await self._asked("submit")
        if self._cluster.refusal:
            raise JobRefusedError(self._cluster.refusal)
        assert order.name.startswith(job_prefix(self._experiment_id))
        self._cluster.jobs.setdefault(order.name, _FakeJob(order))
        self._cluster.look()
        if self._cluster.lost_answer:
            self._cluster.lost_answer = False
            raise PlatformAwayError("the answer got lost")

    async def list(self) -> Mapping[str, JobReport]:
        """Returns all jobs."""
        await self._asked("list")
        self._cluster.look()
        return {
            name: JobReport(name, job.state, job.reason or self._waits(job), job.exit_code)
            for name, job in self._cluster.jobs.items()
            if name not in self._cluster.hidden
        }

    async def stop(self, name: str) -> None:
        """Stops a job."""
        await self._asked("stop")
        if name in self._cluster.jobs:
            await asyncio.to_thread(self._cluster.end, name, JobState.STOPPED)

    async def log(self, name: str, most_bytes: int) -> bytes:
        """Returns the end of a job's output."""
        await self._asked("log")
        try:
            return self._cluster.log_file(name).read_bytes()[-most_bytes:]
        except FileNotFoundError:
            return b""

    async def close(self) -> None:
        """Ends the connection."""
        self.is_closed = True

    async def _asked(self, call: str) -> None:
        assert not self.is_closed
        self._cluster.calls[call] += 1
        await asyncio.sleep(0)
        wrong = not self._cluster.away_for or call in self._cluster.away_for
        if self._cluster.away and wrong:
            raise PlatformAwayError(self._cluster.away)

    def _waits(self, job: _FakeJob) -> str:
        return self._cluster.holds if job.state is JobState.WAITING else ""
