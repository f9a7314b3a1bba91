"""Trials as they are exported: their parameters and result, with what else is known of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from nni_proto.resource_names import parse_trial_name
from nni_proto.v1.experiment_service_pb2 import ListMetricsRequest, ListTrialsRequest
from nni_proto.v1.metric_pb2 import METRIC_KIND_INTERMEDIATE
from nni_proto.v1.trial_pb2 import Trial
from nni_proto.values import from_message

from nni_client.connection import Session
from nni_client.data import TrialJob, TrialMetricData
from nni_client.methods import LIST_METRICS, LIST_TRIALS
from nni_client.old_records import OldExperiment
from nni_client.words import trial_status


@dataclass
class ExportedTrial:
    """A trial with a final result. Names are those of NNI's export and of its trials.

    Attributes:
        parameter: The parameters.
        value: The final result as reported.
        trialJobId: The trial's id; None for a result that has no trial.
        sequenceId: Its number in the experiment, from 0.
        status: Its status.
        source: Where its parameters came from: "algorithm", "customized" or "initial".
        parameterId: The tuner's number for its parameters, None for parameters a user chose.
        startTime: When it started, in milliseconds since 1970.
        endTime: When it ended, in milliseconds since 1970; None while it has not.
        intermediate: Its intermediate results in order; None when they are not exported.
    """

    parameter: Any
    value: Any
    trialJobId: str | None = None  # noqa: N815
    sequenceId: int | None = None  # noqa: N815
    status: str | None = None
    source: str | None = None
    parameterId: int | str | None = None  # noqa: N815
    startTime: int | None = None  # noqa: N815
    endTime: int | None = None  # noqa: N815
    intermediate: list[Any] | None = None


@dataclass
class Export:
    """What an experiment has to export.

    Attributes:
        trials: Its trials that have a final result, in the order of their numbers.
        left_out_count: How many trials have none.
    """

    trials: list[ExportedTrial]
    left_out_count: int = 0


def exported_trials(session: Session, name: str, with_intermediates: bool = False) -> Export:
    """Returns what an experiment has to export.

    Args:
        session: The way to its manager.
        name: The experiment's resource name.
        with_intermediates: Whether to return their intermediate results, those of a trial's last attempt.
    """
    found = list(_trials(session, name))
    trials = [trial for trial in found if trial.HasField("final_result")]
    exported = {trial.name: _exported(trial) for trial in trials}
    if with_intermediates:
        attempts = {trial.name: trial.attempt for trial in trials}
        for it in exported.values():
            it.intermediate = []
        for trial, attempt, value in _intermediates(session, name):
            values = exported[trial].intermediate if trial in exported else None
            if values is not None and attempts[trial] == attempt:
                values.append(value)
    return Export(list(exported.values()), len(found) - len(trials))


def exported_old_trials(experiment: OldExperiment, with_intermediates: bool = False) -> Export:
    """Returns what an experiment of NNI has to export.

    Args:
        experiment: The experiment.
        with_intermediates: Whether to return their intermediate results.
    """
    trials = [
        _exported_old(trial, experiment.metrics.get(trial.trialJobId, []) if with_intermediates else None)
        for trial in experiment.trials
        if trial.finalMetricData and trial.hyperParameters
    ]
    return Export(trials, len(experiment.trials) - len(trials))


def _exported(trial: Trial) -> ExportedTrial:
    started = trial.start_time if trial.HasField("start_time") else trial.create_time
    return ExportedTrial(
        parameter=from_message(trial.parameters) if trial.HasField("parameters") else {},
        value=from_message(trial.final_result),
        trialJobId=parse_trial_name(trial.name)[1],
        sequenceId=trial.sequence_number,
        status=trial_status(trial.status),
        source=Trial.ParameterSource.Name(trial.parameter_source).removeprefix("PARAMETER_SOURCE_").lower(),
        parameterId=trial.parameter_id if trial.HasField("parameter_id") else None,
        startTime=_milliseconds(started),
        endTime=_milliseconds(trial.end_time) if trial.HasField("end_time") else None,
    )


def _exported_old(trial: TrialJob, metrics: list[TrialMetricData] | None) -> ExportedTrial:
    parameters = trial.hyperParameters[0]
    intermediates = None if metrics is None else [it.data for it in metrics if it.type == "PERIODICAL"]
    return ExportedTrial(
        parameter=parameters.parameters,
        value=trial.finalMetricData[0].data,
        trialJobId=trial.trialJobId,
        sequenceId=trial.sequenceId,
        status=trial.status,
        source=parameters.parameter_source,
        parameterId=parameters.parameter_id,
        startTime=None if trial.startTime < 0 else trial.startTime,
        endTime=None if trial.endTime < 0 else trial.endTime,
        intermediate=intermediates,
    )


def _trials(session: Session, name: str) -> Iterator[Trial]:
    request = ListTrialsRequest(parent=name)
    while True:
        page = session.call(LIST_TRIALS, request)
        yield from page.trials
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def _intermediates(session: Session, name: str) -> Iterator[tuple[str, int, Any]]:
    request = ListMetricsRequest(parent=name, kind=METRIC_KIND_INTERMEDIATE)
    while True:
        page = session.call(LIST_METRICS, request)
        for metric in page.metrics:
            yield metric.trial, metric.attempt, from_message(metric.value)
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def _milliseconds(time: Timestamp) -> int:
    return time.ToMilliseconds()
