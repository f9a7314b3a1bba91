"""Command jobs of Azure Machine Learning."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from nni_manager.engine.events import TrialReported
from nni_manager.shared_storage.azure_blob import Container
from nni_manager.shared_storage.interface import SharedFiles, SharedStorageError
from nni_manager.training.aml.blobs import AmlBlobs
from nni_manager.training.aml.calls import Calls
from nni_manager.training.aml.errors import SIGN_IN
from nni_manager.training.aml.job_list import JobList
from nni_manager.training.aml.metrics import Metric, metrics_of
from nni_manager.training.aml.place import AmlPlace
from nni_manager.training.aml.start_script import ARCHIVES, COMMAND, FOLDER, START, start_script
from nni_manager.training.aml.studio import StudioMetrics
from nni_manager.training.aml.workspace import AmlWorkspace, CommandJob, Datastore
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.jobs.platform import (
    JobOrder,
    JobReport,
    JobStorage,
    PlatformAwayError,
    job_prefix,
)

LOG = "user_logs/std_log.txt"
"""Where Azure ML keeps what a job's command writes."""

ACCESS = "NNI_SPOOL_ACCESS"
"""The variable by which a job is told how it reaches the shared files."""

_LOOK_AT_COMPUTE_SECONDS = 60.0

logger = logging.getLogger(__name__)


class AzureMl:
    """Keeps the promises of JobPlatform.

    Attributes:
        name: What it is called in messages.
        slots_per_job: How many trials share a job.
    """

    platform = "aml"

    def __init__(
        self,
        place: AmlPlace,
        experiment_id: str,
        folder: str,
        shared: Container | None = None,
        *,
        shows_results: bool = True,
        keeps_jobs: bool = True,
    ) -> None:
        """Asks nothing yet.

        Args:
            place: Where jobs run, and in what.
            experiment_id: The experiment.
            folder: Its folder, below `nni` in a container.
            shared: The container of the experiment's shared storage, None for the workspace's own.
            shows_results: Whether results of trials are shown in the studio.
            keeps_jobs: Whether a job runs more than one trial, so that names of metrics tell which.
        """
        self.name = f"Azure ML ({place.workspace})"
        self.slots_per_job = place.trials_per_job
        self._place = place
        self._experiment_id = experiment_id
        self._folder = folder
        self._shared = shared
        self._keeps_jobs = keeps_jobs
        self._calls = Calls()
        self._studio = StudioMetrics(self._log_metrics) if shows_results else None
        self._workspace = AmlWorkspace(place)
        self._blobs: AmlBlobs | None = None
        self._archives = ""
        self._artifacts: Datastore | None = None
        self._prefix = job_prefix(experiment_id)
        self._jobs = JobList(self._prefix, place.compute, self._workspace.why_it_failed)
        self._trouble = ""
        self._looked_at = float("-inf")

    @property
    def files(self) -> SharedFiles:
        """The experiment's files that jobs and the manager share."""
        return self._storage().files

    @property
    def stored(self) -> tuple[SharedFiles, ...]:
        """The experiment's folder in the storage that jobs share, and in the workspace's own."""
        return self._storage().stored

    @property
    def storage(self) -> JobStorage:
        """How a job reaches them; `submit` signs that anew. Before `open` there is no access yet."""
        secrets = {} if self._blobs is None else {ACCESS: self._blobs.access}
        return JobStorage((), secrets, keeps_files=self._shared is not None)

    async def open(self) -> None:
        """Signs in, and checks the workspace, the compute target, the image and the storage.

        Raises:
            TrainingServiceError: It cannot run jobs.
            PlatformAwayError: It does not answer.
        """
        try:
            # Azure's libraries take a second to load, too.
            await self._calls.run(self._workspace.open)
            datastore = await self._calls.run(self._workspace.default_datastore)
        except PlatformAwayError as error:
            if error.can_be_repaired == SIGN_IN:
                raise TrainingServiceError(f"{self.name}: {error}; {SIGN_IN}") from None
            raise
        if self._blobs is not None:
            await self._blobs.close()
        self._blobs = await self._calls.run(AmlBlobs, datastore, self._folder, self._shared)
        await self._blobs.open()

    async def prepare(self, archives: Mapping[str, Path]) -> str:
        """Uploads files to the workspace's container, each once.

        Raises:
            PlatformAwayError: They cannot be put there now.
        """
        try:
            self._archives = await self._calls.run(self._storage().bring, archives)
        except SharedStorageError as error:
            raise PlatformAwayError(str(error)) from None
        return FOLDER

    async def submit(self, order: JobOrder) -> None:
        """Starts a job; `prepare` comes before."""
        self._jobs.expect(order.name)
        try:
            access = await self._storage().sign()
            await self._calls.run(self._submit, order, {**order.secrets, ACCESS: access})
        except SharedStorageError as error:
            raise PlatformAwayError(f"job {order.name} cannot be handed over: {error}") from None

    async def list(self) -> Mapping[str, JobReport]:
        """Returns all jobs of the experiment, by one request where nothing but the latest jobs have news."""
        reports = await self._calls.run(self._list)
        if all(report.state.is_over for report in reports.values()):
            return reports
        try:
            await self._storage().sign()  # for the jobs that run on
        except SharedStorageError as error:
            logger.warning("the access of running jobs to the storage is not renewed: %s", error)
        return reports

    async def stop(self, name: str) -> None:
        """Stops a job and all that runs in it."""
        await self._calls.run(self._workspace.cancel, name)

    async def log(self, name: str, most_bytes: int) -> bytes:
        """Returns the end of what a job's command wrote."""
        try:
            return await self._calls.run(self._log, name, most_bytes)
        except SharedStorageError as error:
            raise PlatformAwayError(str(error)) from None

    def show_results(self, job: str, event: TrialReported) -> None:
        """Has what a trial reported shown with its job in the studio, before long."""
        if self._studio is not None:
            self._studio.take(job, metrics_of(event, names_trial=self._keeps_jobs))

    async def close(self) -> None:
        """Ends the connections, once what is under way has ended."""
        if self._studio is not None:
            await self._studio.close()
        await self._calls.close()
        self._workspace.close()
        if self._blobs is not None:
            await self._blobs.close()

    async def _log_metrics(self, job: str, metrics: Sequence[Metric]) -> None:
        await self._calls.run(self._workspace.log_metrics, job, [metric.as_json() for metric in metrics])

    def _storage(self) -> AmlBlobs:
        if self._blobs is None:
            raise RuntimeError("it is not open")
        return self._blobs

    def _submit(self, order: JobOrder, secrets: Mapping[str, str]) -> None:
        storage = self._storage()
        script = storage.put(order.name, start_script(order.command, secrets))
        job = CommandJob(
            name=order.name,
            display_name=order.name.removeprefix(self._prefix),
            experiment=f"nni_{self._experiment_id}",
            command=COMMAND,
            inputs={START: script, ARCHIVES: self._archives},
            environment=order.environment,
            # Jobs are looked for by the name of a tag, whatever its value is.
            tags={self._tag: "job of an experiment", "nni_experiment": self._experiment_id},
        )
        self._workspace.submit(job)

    def _list(self) -> Mapping[str, JobReport]:
        for name in self._jobs.update(self._workspace.jobs(self._tag)):
            try:
                self._storage().remove(name)
            except SharedStorageError as error:
                logger.warning("the start script of job %s is still in the storage: %s", name, error)
        if not self._jobs.is_waiting:
            self._trouble = ""
        elif time.monotonic() - self._looked_at > _LOOK_AT_COMPUTE_SECONDS:
            self._looked_at = time.monotonic()
            self._trouble = self._workspace.compute_trouble()
        return self._jobs.reports(self._trouble)

    def _log(self, name: str, most_bytes: int) -> bytes:
        if self._artifacts is None:
            self._artifacts = self._workspace.artifacts()
        files = self._storage().artifacts(self._artifacts, name)
        size = files.size(LOG)
        return files.read(LOG, max(0, size - most_bytes), most_bytes) if size else b""

    @property
    def _tag(self) -> str:
        return self._prefix.rstrip("_")
