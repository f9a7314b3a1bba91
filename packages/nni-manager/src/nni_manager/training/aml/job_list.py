"""The jobs of an experiment, as Azure ML lists them: the latest first, in pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nni_manager.training.aml.states import exit_code_in, state_of
from nni_manager.training.jobs.platform import JobReport, JobState

MOST_REASONS = 20
"""Of how many jobs that had ended before anybody looked it is asked why they failed."""


class JobList:
    """Remembers jobs that have ended, so that a look asks for no more pages than have news."""

    def __init__(self, prefix: str, compute: str, why_it_failed: Callable[[str], str]) -> None:
        """Knows of no job yet.

        Args:
            prefix: How the names of the experiment's jobs begin.
            compute: The compute target, for the reasons.
            why_it_failed: Returns the service's account of a failure.
        """
        self._prefix = prefix
        self._compute = compute
        self._why_it_failed = why_it_failed
        self._known: dict[str, JobReport] = {}
        self._expected: set[str] = set()
        self._is_complete = False

    def expect(self, name: str) -> None:
        """Says that there is a job, or will be soon."""
        self._expected.add(name)

    def update(self, pages: Iterable[list[dict[str, Any]]]) -> list[str]:
        """Takes what the service lists, no more of it than is needed; returns the jobs that have ended since.

        Args:
            pages: Gives the pages, each asked for when it is needed.
        """
        open_ones = {name for name, report in self._known.items() if not report.state.is_over}
        wanted = open_ones | self._expected
        seen: dict[str, Mapping[str, Any]] = {}
        for page in pages:
            for job in page:
                name = str(job.get("name", ""))
                if name.startswith(self._prefix):
                    seen.setdefault(name, job)
            if self._is_complete and wanted <= seen.keys():
                break
        else:
            # To the end: what is missing now is gone.
            self._known = {name: report for name, report in self._known.items() if name in seen}
        ended = [name for name, job in seen.items() if self._take(name, job)]
        self._is_complete = True
        self._expected -= seen.keys()
        return ended

    def reports(self, trouble: str) -> dict[str, JobReport]:
        """Returns all jobs.

        Args:
            trouble: Why nodes do not come, for those that wait; "" where nothing is wrong.
        """
        if not trouble:
            return dict(self._known)
        return {name: _with_trouble(report, trouble) for name, report in self._known.items()}

    @property
    def is_waiting(self) -> bool:
        """Whether a job waits."""
        return any(report.state is JobState.WAITING for report in self._known.values())

    def _take(self, name: str, job: Mapping[str, Any]) -> bool:
        """Takes one job; returns whether it has ended since the last look."""
        before = self._known.get(name)
        if before is not None and before.state.is_over:
            return False
        properties = job.get("properties") or {}
        state, reason = state_of(str(properties.get("status") or ""), self._compute)
        address = ((properties.get("services") or {}).get("Studio") or {}).get("endpoint")
        if state is JobState.FAILED and self._is_worth_asking(name):
            reason = self._why_it_failed(name)
        exit_code = exit_code_in(reason) if state.is_over else None
        self._known[name] = JobReport(name, state, reason, exit_code, str(address or ""))
        return state.is_over

    def _is_worth_asking(self, name: str) -> bool:
        """Whether anybody waits for it; of those that ended long ago a few are asked for."""
        told = sum(report.state is JobState.FAILED for report in self._known.values())
        return self._is_complete or name in self._expected or told < MOST_REASONS


def _with_trouble(report: JobReport, trouble: str) -> JobReport:
    if report.state is not JobState.WAITING:
        return report
    return JobReport(report.name, report.state, f"{report.reason}; {trouble}", None, report.web_address)
