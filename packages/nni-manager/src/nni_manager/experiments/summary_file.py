"""Keeps summary.json in the experiment's folder, which lists read without a manager."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from nni_config.experiment_summary import ExperimentSummary, write_summary

from nni_manager.engine.effects import SaveExperiment, Write
from nni_manager.engine.records import ExperimentRecord
from nni_manager.experiments.folder import ExperimentFolder
from nni_manager.storage.interface import Storage, StorageError

_LOG = logging.getLogger(__name__)
_LONGEST_DELAY_SECONDS = 2.0


class SummaryFile:
    """The summary of one experiment: written with each change of status, and else every few seconds.

    It only repeats what the record has. That it cannot be written is logged, and stops nothing.
    """

    def __init__(self, record: ExperimentRecord, storage: Storage, folder: ExperimentFolder) -> None:
        """Writes the summary of an experiment whose record is stored."""
        self._record = record
        self._storage = storage
        self._folder = folder
        self._written_at = 0.0
        self._can_write = True
        self._write()

    def stored(self, writes: Sequence[Write]) -> None:
        """Takes note of what was stored. It may block; call it where the storage is called."""
        before = self._record
        for write in writes:
            if isinstance(write, SaveExperiment):
                self._record = write.record
        after = self._record
        has_turned = (before.status, before.paused, before.config) != (
            after.status,
            after.paused,
            after.config,
        )
        if has_turned or time.monotonic() - self._written_at >= _LONGEST_DELAY_SECONDS:
            self._write()

    def _write(self) -> None:
        try:
            write_summary(summary_of(self._record, self._storage), self._folder.path)
            self._can_write = True
        except (OSError, StorageError) as error:
            if self._can_write:
                _LOG.warning("the summary in %s cannot be written: %s", self._folder.path, error)
            self._can_write = False
        self._written_at = time.monotonic()


def summary_of(record: ExperimentRecord, storage: Storage) -> ExperimentSummary:
    """Returns the summary of an experiment.

    Args:
        record: The experiment.
        storage: Has its trials.

    Raises:
        StorageError: The trials cannot be read.
    """
    best = storage.best_trial(record.optimize_mode)
    now = time.time()
    since = record.running_since
    return ExperimentSummary(
        experiment_id=record.experiment_id,
        name=record.config.get("experimentName") or "",
        status=record.status.value,
        platform=_platform(record.config.get("trainingService")),
        created_at=record.created_at,
        started_at=record.started_at,
        ended_at=record.ended_at,
        running_seconds=record.running_seconds + (max(0.0, now - since) if since else 0.0),
        trial_counts={status.value: count for status, count in storage.trial_counts().items()},
        max_trial_number=record.config.get("maxTrialNumber"),
        optimize_mode=record.optimize_mode,
        best_trial_id="" if best is None else best.record.trial_id,
        best_objective=None if best is None else best.record.objective,
        paused=record.paused,
        written_at=now,
        algorithm=_algorithm(record.config),
    )


def _platform(service: Any) -> str:
    services = service if isinstance(service, list) else [service]
    return ",".join(str(each.get("platform", "")) for each in services if isinstance(each, dict))


def _algorithm(config: dict[str, Any]) -> str:
    for kind in ("tuner", "advisor"):
        chosen = config.get(kind)
        if isinstance(chosen, dict):
            return str(chosen.get("name") or chosen.get("className") or "")
    return ""
