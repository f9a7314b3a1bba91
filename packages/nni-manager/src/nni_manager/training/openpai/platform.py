"""OpenPAI as a platform that runs jobs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from nni_config.openpai import OpenpaiConfig
from nni_config.openpai_job import trial_role

from nni_manager.shared_storage.interface import SharedFiles
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.jobs.platform import (
    JobOrder,
    JobRefusedError,
    JobReport,
    JobState,
    JobStorage,
    PlatformAwayError,
    job_prefix,
)
from nni_manager.training.openpai.api import (
    Answer,
    CertificateError,
    NotOpenPaiError,
    OpenPaiApi,
    TokenRefusedError,
)
from nni_manager.training.openpai.checks import check_platform, warn_of_expiry
from nni_manager.training.openpai.job import as_yaml, job_protocol
from nni_manager.training.openpai.states import ended_report, last_attempt, report_of, waiting_reason
from nni_manager.training.openpai.storage import MountedExperiment
from nni_manager.training.openpai.token import Token

PAGE_SIZE = 5000
"""How many jobs are asked for at once: what OpenPAI gives where nobody says."""

MOST_DETAILS = 20
"""Of how many jobs that have ended more is asked at once, the newest first."""

WAITING_SECONDS = 60.0
"""How often is asked why a job waits."""

_LOG = logging.getLogger(__name__)


class OpenPai:
    """Keeps the promises of JobPlatform for OpenPAI."""

    platform = "openpai"

    def __init__(
        self,
        config: OpenpaiConfig,
        settings: Mapping[str, Any],
        experiment_id: str,
        api: OpenPaiApi,
        token: Token,
        place: MountedExperiment,
        *,
        page_size: int = PAGE_SIZE,
        waiting_seconds: float = WAITING_SECONDS,
    ) -> None:
        """Asks for nothing yet.

        Args:
            config: The canonical configuration.
            settings: The user's own settings of jobs, checked.
            experiment_id: The experiment.
            api: Asks OpenPAI.
            token: What it signs in with.
            place: The experiment's folder in the storage.
            page_size: How many jobs are asked for at once.
            waiting_seconds: How often is asked why a job waits.
        """
        self.name = f"OpenPAI at {api.portal}"
        self._config = config
        self._settings = settings
        self._experiment_id = experiment_id
        self._api = api
        self._token = token
        self._place = place
        self._page_size = page_size
        self._waiting_seconds = waiting_seconds
        self._role = trial_role(settings)
        self._reports: dict[str, JobReport] = {}
        self._waits_since_asked = ("", float("-inf"))

    @property
    def files(self) -> SharedFiles:
        """The experiment's files in the storage."""
        return self._place.files

    @property
    def stored(self) -> tuple[SharedFiles, ...]:
        """The experiment's only folder in a storage."""
        return (self.files,)

    @property
    def storage(self) -> JobStorage:
        """How a job reaches them."""
        return JobStorage(
            spool_arguments=("--folder", self._place.remote),
            trials_directory=f"{self._place.remote}/trials",
            local_trials_directory=self._place.local / "trials",
            keeps_files=True,
        )

    async def open(self) -> None:
        """Signs in, and checks that what the configuration names is there.

        Raises:
            TrainingServiceError: It cannot run jobs.
            PlatformAwayError: It does not answer.
        """
        try:
            mounted = await check_platform(self._api, self._config, self._settings)
        except (TokenRefusedError, CertificateError, NotOpenPaiError) as error:
            raise TrainingServiceError(f"{error}; {error.can_be_repaired}") from error
        # Once, however often it did not answer before.
        if self._config.insecure:
            _LOG.warning("%s: insecure is set: anybody between here and there can read the token", self.name)
        warn_of_expiry(self._token)
        await self._place.open(mounted)

    async def prepare(self, archives: Mapping[str, Path]) -> str:
        """Brings files to where all jobs find them, each once.

        Raises:
            TrainingServiceError: The storage does not take them.
        """
        return await self._place.bring(archives)

    async def submit(self, order: JobOrder) -> None:
        """Starts a job.

        Raises:
            JobRefusedError: It is not taken.
            PlatformAwayError: It may be there or not.
        """
        job = job_protocol(
            self._config,
            self._settings,
            order,
            experiment_id=self._experiment_id,
            wrap=await asyncio.to_thread(self._place.wrap),
        )
        answer = await self._api.ask("POST", "/api/v2/jobs", yaml=as_yaml(job))
        if answer.is_good or answer.code == "ConflictJobError":
            return
        if answer.code == "NoJobError":
            # Seen where the job is there all the same: the next try finds it.
            raise PlatformAwayError(f"{self.name} does not say whether it has taken job {order.name}")
        raise JobRefusedError(f"{self.name} refuses job {order.name}: {_said(answer)}")

    async def list(self) -> Mapping[str, JobReport]:
        """Returns all jobs of the experiment, by one request where there are no more than a page of them.

        Raises:
            PlatformAwayError: They are not known now.
        """
        is_first = not self._reports
        summaries = await self._summaries()
        reports: dict[str, JobReport] = {}
        ended: list[JobReport] = []
        for name, summary in summaries.items():
            before = self._reports.get(name)
            if before is not None and before.state.is_over:
                reports[name] = before
                continue
            reports[name] = report_of(summary, self._web_address(name), before)
            if reports[name].state in (JobState.FAILED, JobState.STOPPED):
                ended.append(reports[name])
        # At the first look there may be very many, most of them known from before.
        asked = ended[-MOST_DETAILS:] if is_first else ended
        for report in await asyncio.gather(*map(self._explained, asked)):
            reports[report.name] = report
        waiting = [report.name for report in reports.values() if report.state is JobState.WAITING]
        if waiting and (reason := await self._why_waiting(waiting[0])):
            for name in waiting:
                before = reports[name]
                reports[name] = JobReport(
                    name, before.state, f"{before.reason}: {reason}", None, before.web_address
                )
        self._reports = reports
        return dict(reports)

    async def stop(self, name: str) -> None:
        """Stops a job and all that runs in it.

        Raises:
            PlatformAwayError: It may run on.
        """
        answer = await self._api.ask("PUT", f"{self._path(name)}/executionType", json={"value": "STOP"})
        if not answer.is_good and answer.code != "NoJobError":
            raise PlatformAwayError(f"{self.name} does not stop job {name}: {_said(answer)}")

    async def log(self, name: str, most_bytes: int) -> bytes:
        """Returns the end of what OpenPAI keeps of a job's output, b"" where it keeps none.

        Raises:
            PlatformAwayError: It is not known now.
        """
        detail = await self._api.ask("GET", self._path(name))
        if not detail.is_good or not isinstance(detail.content, Mapping):
            return b""
        attempt = last_attempt(detail.content, self._role)
        answer = await self._api.ask("GET", f"{self._path(name)}{attempt}/logs")
        locations = answer.content.get("locations") if isinstance(answer.content, Mapping) else None
        by_name = {each.get("name"): each.get("uri") for each in locations or [] if isinstance(each, Mapping)}
        address = by_name.get("all") or by_name.get("stderr") or by_name.get("stdout")
        return await self._api.end_of(str(address), most_bytes) if address else b""

    async def close(self) -> None:
        """Ends the connection."""
        await self._api.close()

    async def _summaries(self) -> dict[str, Mapping[str, Any]]:
        """Returns what the list says of the experiment's jobs, the oldest first."""
        found: dict[str, Mapping[str, Any]] = {}
        prefix, offset = job_prefix(self._experiment_id), 0
        while True:
            params: dict[str, str | int] = {
                **{"username": self._config.username, "keyword": prefix, "order": "submissionTime,ASC"},
                **{"offset": offset, "limit": self._page_size},
            }
            answer = await self._api.ask("GET", "/api/v2/jobs", params=params)
            page = answer.content
            if not answer.is_good or not isinstance(page, list):
                raise PlatformAwayError(f"{self.name} does not list jobs: {_said(answer)}")
            for summary in page:
                # The word is looked for in all names, those of users and clusters among them.
                is_mine = isinstance(summary, Mapping) and str(summary.get("name")).startswith(prefix)
                if is_mine and summary.get("username") == self._config.username:
                    found[str(summary["name"])] = summary
            if len(page) < self._page_size:
                return found
            offset += len(page)

    async def _explained(self, report: JobReport) -> JobReport:
        """Returns what is known of a job that has ended; without an answer what the list says."""
        try:
            answer = await self._api.ask("GET", self._path(report.name))
        except PlatformAwayError as error:
            _LOG.warning("how job %s ended is not known: %s", report.name, error)
            return report
        if not answer.is_good or not isinstance(answer.content, Mapping):
            return report
        return ended_report(report, answer.content, self._role)

    async def _why_waiting(self, name: str) -> str:
        reason, asked_at = self._waits_since_asked
        if time.monotonic() - asked_at >= self._waiting_seconds:
            try:
                answer = await self._api.ask("GET", f"{self._path(name)}/events", params={"type": "Warning"})
                reason = waiting_reason(answer.content)
            except PlatformAwayError as error:
                _LOG.debug("why job %s waits is not known: %s", name, error)
            self._waits_since_asked = (reason, time.monotonic())
        return reason

    def _path(self, name: str) -> str:
        return f"/api/v2/jobs/{quote(self._config.username, safe='')}~{quote(name, safe='')}"

    def _web_address(self, name: str) -> str:
        query = urlencode({"username": self._config.username, "jobName": name})
        return f"{self._api.portal}/job-detail.html?{query}"


def _said(answer: Answer) -> str:
    return f"{answer.message or answer.code or 'it does not say why'} ({answer.status})"
