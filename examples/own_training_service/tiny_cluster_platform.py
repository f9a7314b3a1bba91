"""A platform of one's own: all that NNI needs to run trials in its jobs.

This one keeps a folder for each job, and starts its command as a process of this machine. A real one makes
requests of a server instead.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from nni_manager.shared_storage.mounted_files import MountedFiles
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.jobs.platform import JobOrder, JobReport, JobState, JobStorage, job_prefix

# Runs a job's command, and writes down how that ended.
RUN = "bash ./command > log 2>&1; echo $? > exit.part; mv exit.part exit"


class TinyCluster:
    """Keeps the promises of nni_manager.training.jobs.platform.JobPlatform."""

    platform = "tiny_cluster"

    def __init__(self, folder: Path, experiment_id: str, stored: str) -> None:
        self.name = f"the tiny cluster in {folder}"
        self._folder = folder
        self._experiment_id = experiment_id
        self._shared = folder / "storage" / stored

    @property
    def files(self) -> MountedFiles:
        """The files that jobs and the manager share."""
        return MountedFiles(self._shared)

    @property
    def stored(self) -> tuple[MountedFiles, ...]:
        """All folders that the experiment has in storages: the archives are in this one, too."""
        return (self.files,)

    @property
    def storage(self) -> JobStorage:
        """How a job reaches them: here under the same name."""
        trials = self._shared / "trials"
        return JobStorage(
            spool_arguments=("--folder", str(self._shared)),
            trials_directory=str(trials),
            local_trials_directory=trials,
        )

    async def open(self) -> None:
        """Checks that what the configuration names is there."""
        if not self._folder.is_dir():
            raise TrainingServiceError(f"training_service.folder: {self._folder} is no folder")
        for path in (self._shared, self._shared / "archives", self._folder / "jobs"):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def prepare(self, archives: Mapping[str, Path]) -> str:
        """Brings files, each once; their names tell whether they are there."""
        place = self._shared / "archives"
        for name, path in archives.items():
            if not (place / name).exists():
                shutil.copyfile(path, place / f"{name}.part")
                (place / f"{name}.part").rename(place / name)
        return str(place)

    async def submit(self, order: JobOrder) -> None:
        """Starts a job; its folder is made exclusively, so that there is one of a name."""
        folder = self._folder / "jobs" / order.name
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            return
        (folder / "command").write_text(order.command)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        # setsid --fork: the job is nobody's child, and goes on without the manager.
        await asyncio.to_thread(
            subprocess.run,
            ["setsid", "--fork", "bash", "-c", RUN],
            cwd=folder,
            env={"PATH": path, "TINY_JOB": str(folder), **order.environment, **order.secrets},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )

    async def list(self) -> Mapping[str, JobReport]:
        """Returns all jobs of the experiment."""
        return await asyncio.to_thread(self._list)

    async def stop(self, name: str) -> None:
        """Stops a job and all that runs in it."""
        await asyncio.to_thread(self._stop, name)

    async def log(self, name: str, most_bytes: int) -> bytes:
        """Returns the end of a job's output."""
        try:
            return (self._folder / "jobs" / name / "log").read_bytes()[-most_bytes:]
        except FileNotFoundError:
            return b""

    async def close(self) -> None:
        """Nothing is open."""

    def _list(self) -> dict[str, JobReport]:
        found = (self._folder / "jobs").glob(f"{job_prefix(self._experiment_id)}*")
        return {folder.name: self._report(folder) for folder in found}

    def _report(self, folder: Path) -> JobReport:
        if (folder / "stopped").exists():
            return JobReport(folder.name, JobState.STOPPED)
        try:
            code = int((folder / "exit").read_text())
        except FileNotFoundError:
            return JobReport(folder.name, JobState.RUNNING)
        return JobReport(folder.name, JobState.FAILED if code else JobState.SUCCEEDED, exit_code=code)

    def _stop(self, name: str) -> None:
        folder = self._folder / "jobs" / name
        if not folder.is_dir() or (folder / "exit").exists():
            return
        while found := _processes(folder):
            for pid in found:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        (folder / "stopped").touch()


def _processes(folder: Path) -> list[int]:
    """Returns the processes of a job, whatever session they are in."""
    mark = f"TINY_JOB={folder}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_zombie = (entry / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
            if not is_zombie and mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found
