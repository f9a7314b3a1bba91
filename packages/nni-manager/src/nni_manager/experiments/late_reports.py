"""Results that come when their trial has ended: stored and marked, and told to nobody."""

from __future__ import annotations

from dataclasses import replace

from nni_manager.engine.active_trial import ActiveTrial, number_reports
from nni_manager.engine.effects import SaveMetrics
from nni_manager.engine.events import TrialReported
from nni_manager.engine.statuses import MetricKind
from nni_manager.storage.interface import Storage


def late_metrics(storage: Storage, event: TrialReported) -> SaveMetrics | None:
    """Returns what to store of late results.

    Args:
        storage: The record, with everything that came before already stored.
        event: The late results.

    Returns:
        The results that are new, None when the experiment has no such trial.
    """
    stored = storage.trial(event.trial_id)
    if stored is None:
        return None
    position = storage.report_position(event.trial_id, event.attempt)
    trial = ActiveTrial(
        replace(stored.record, attempt=event.attempt),
        metric_counts={
            MetricKind.INTERMEDIATE: position.intermediate_count,
            MetricKind.FINAL: position.final_count,
        },
        reporter_numbers=dict(position.reporter_numbers),
    )
    metrics = tuple(replace(metric, late=True) for metric in number_reports(trial, event.reports))
    numbers = {report.reporter: trial.reporter_numbers[report.reporter] for report in event.reports}
    return SaveMetrics(event.trial_id, event.attempt, metrics, numbers, event.end_offset)
