"""Reads trials and results and puts them into NNI's shapes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from nni_config.wire import config_from_message
from nni_proto.resource_names import parse_experiment_name, parse_trial_name, trial_name
from nni_proto.v1.experiment_pb2 import Experiment, ExperimentOrigin
from nni_proto.v1.experiment_service_pb2 import (
    ExportTrialsRequest,
    GetExperimentRequest,
    GetTrialRequest,
    ListMetricsRequest,
    ListTrialsRequest,
)
from nni_proto.v1.metric_pb2 import METRIC_KIND_FINAL, METRIC_KIND_UNSPECIFIED, Metric, MetricKind
from nni_proto.v1.trial_pb2 import Trial
from nni_proto.values import from_message

from nni_client.connection import Session
from nni_client.data import TrialHyperParameters, TrialJob, TrialMetricData, TrialResult
from nni_client.methods import EXPORT_TRIALS, GET_EXPERIMENT, GET_TRIAL, LIST_METRICS, LIST_TRIALS
from nni_client.words import trial_status

_SOURCES = {Trial.PARAMETER_SOURCE_CUSTOMIZED: "customized"}


def name_of_trial(experiment_name: str, trial_id: str) -> str:
    """Returns the resource name of a trial.

    Raises:
        ValueError: The id is malformed.
    """
    name = trial_name(parse_experiment_name(experiment_name), trial_id)
    try:
        parse_trial_name(name)
    except ValueError:
        raise ValueError(f"{trial_id!r} is not the id of a trial: letters and digits are") from None
    return name


def list_trial_jobs(session: Session, name: str) -> list[TrialJob]:
    """Returns an experiment's trials in the order of their numbers."""
    return [job for _, job in list_trials(session, name)]


def list_trials(
    session: Session, name: str, filter_: str = "", order_by: str = ""
) -> list[tuple[Trial, TrialJob]]:
    """Returns an experiment's trials, as the protocol and as NNI has them.

    Args:
        session: Calls the manager.
        name: The experiment's resource name.
        filter_: What holds for them, such as "status = FAILED and lr > 1e-3"; "" for all.
        order_by: The columns to sort by, such as "objective desc"; "" to sort by number.

    Raises:
        ServiceError: The filter or the order is malformed, or names a column that there is not.
    """
    # The trials first: whatever final result they have is then among the results.
    trials = list(_trials(session, name, filter_, order_by))
    finals = _finals(session, name)
    return [(trial, trial_job(trial, finals.get(trial.name))) for trial in trials]


def get_trial_job(session: Session, name: str, trial_id: str) -> TrialJob:
    """Returns a trial.

    Raises:
        NotFoundError: The experiment has no trial of this id.
    """
    trial = session.call(GET_TRIAL, GetTrialRequest(name=name_of_trial(name, trial_id))).trial
    return trial_job(trial, _finals(session, trial.name).get(trial.name))


def get_job_metrics(session: Session, name: str, trial_id: str | None) -> dict[str, list[TrialMetricData]]:
    """Returns the results of one trial or of all, by trial, in the order stored.

    Of a trial that was run again they are those of its latest attempt.
    """
    if trial_id is None:
        trials = {trial.name: trial for trial in _trials(session, name)}
        parent = name
    else:
        parent = name_of_trial(name, trial_id)
        trials = {parent: session.call(GET_TRIAL, GetTrialRequest(name=parent)).trial}
    results: dict[str, list[TrialMetricData]] = {}
    for metric in _metrics(session, parent):
        trial = trials.get(metric.trial)
        # A trial that was created after the list of trials had been read: the next call has it.
        if trial is not None and metric.attempt == trial.attempt:
            data = _metric_data(metric, trial)
            results.setdefault(data.trialJobId, []).append(data)
    return results


def export_data(session: Session, name: str) -> list[TrialResult]:
    """Returns the parameters and final result of every trial that has one."""
    results = []
    token = ""
    while True:
        page = session.call(EXPORT_TRIALS, ExportTrialsRequest(parent=name, page_token=token))
        for exported in page.trials:
            _, trial_id = parse_trial_name(exported.trial)
            parameters = from_message(exported.parameters)
            results.append(TrialResult(parameters, from_message(exported.value), trial_id))
        token = page.next_page_token
        if not token:
            return results


def best_trial(session: Session, name: str) -> TrialJob | None:
    """Returns the best succeeded trial, None while there is none."""
    experiment = session.call(GET_EXPERIMENT, GetExperimentRequest(name=name)).experiment
    if not experiment.HasField("best_trial"):
        return None
    best = experiment.best_trial
    return trial_job(best, _finals(session, best.name).get(best.name))


def job_statistics(experiment: Experiment) -> list[dict[str, Any]]:
    """Returns how many trials there are of each status."""
    return [
        {"trialJobStatus": trial_status(entry.status), "trialJobNumber": entry.count}
        for entry in experiment.trial_counts
    ]


def profile(experiment: Experiment) -> dict[str, Any]:
    """Returns what there is to know about an experiment; times in milliseconds, the duration in seconds.

    What is not NNI's are "origin", what the experiment was made of, "warnings" and "errors".
    """
    facts = {
        # Not checked again: what was right at the start may have gone since, such as the code folder.
        "params": config_from_message(experiment.config).to_dict(),
        "id": parse_experiment_name(experiment.name),
        "execDuration": experiment.running_time.seconds,
        "logDir": experiment.directory,
        "startTime": _milliseconds(experiment.start_time),
        "nextSequenceId": experiment.trial_count,
        "revision": experiment.revision,
    }
    if experiment.HasField("end_time"):
        facts["endTime"] = _milliseconds(experiment.end_time)
    facts["origin"] = _origin(experiment.origin)
    facts["warnings"] = list(experiment.warnings)
    facts["errors"] = list(experiment.errors)
    return facts


def _origin(origin: ExperimentOrigin) -> dict[str, Any]:
    return {
        "gitCommit": origin.git_commit or None,
        "gitIsDirty": origin.git_is_dirty if origin.HasField("git_is_dirty") else None,
        "codeHash": origin.code_hash or None,
        "packageVersions": dict(sorted(origin.package_versions.items())),
        "seed": origin.seed if origin.HasField("seed") else None,
    }


def _trials(session: Session, name: str, filter_: str = "", order_by: str = "") -> Iterator[Trial]:
    token = ""
    while True:
        request = ListTrialsRequest(parent=name, page_token=token, filter=filter_, order_by=order_by)
        page = session.call(LIST_TRIALS, request)
        yield from page.trials
        token = page.next_page_token
        if not token:
            return


def _metrics(
    session: Session, parent: str, kind: MetricKind.ValueType = METRIC_KIND_UNSPECIFIED
) -> Iterator[Metric]:
    token = ""
    while True:
        request = ListMetricsRequest(parent=parent, page_token=token, kind=kind)
        page = session.call(LIST_METRICS, request)
        yield from page.metrics
        token = page.next_page_token
        if not token:
            return


def _finals(session: Session, parent: str) -> dict[str, Metric]:
    """Returns the first final result of each trial's latest attempt: the one that the tuner was told."""
    finals: dict[str, Metric] = {}
    for metric in _metrics(session, parent, METRIC_KIND_FINAL):
        known = finals.get(metric.trial)
        if not metric.late and (known is None or known.attempt < metric.attempt):
            finals[metric.trial] = metric
    return finals


def trial_job(trial: Trial, final: Metric | None = None) -> TrialJob:
    """Returns a trial in NNI's shape.

    Args:
        trial: The trial.
        final: Its final result.
    """
    _, trial_id = parse_trial_name(trial.name)
    parameters = TrialHyperParameters(
        parameter_id=trial.parameter_id if trial.HasField("parameter_id") else None,
        parameter_source=_SOURCES.get(trial.parameter_source, "algorithm"),
        parameters=from_message(trial.parameters) if trial.HasField("parameters") else {},
    )
    began = trial.start_time if trial.HasField("start_time") else trial.create_time
    failed = trial.status == Trial.STATUS_FAILED and trial.output_directory
    return TrialJob(
        trialJobId=trial_id,
        status=trial_status(trial.status),
        hyperParameters=[parameters],
        logPath=trial.output_directory,
        startTime=_milliseconds(began),
        endTime=_milliseconds(trial.end_time) if trial.HasField("end_time") else -1,
        finalMetricData=[_metric_data(final, trial)] if final and trial.HasField("final_result") else [],
        stderrPath=f"{trial.output_directory}/stderr" if failed else "",
        sequenceId=trial.sequence_number,
        message=trial.end_reason.message or trial.waiting_reason or "--",
        host=trial.host,
        gpus=list(trial.gpus),
    )


def _metric_data(metric: Metric, trial: Trial) -> TrialMetricData:
    _, trial_id = parse_trial_name(metric.trial)
    return TrialMetricData(
        timestamp=_milliseconds(metric.report_time),
        trialJobId=trial_id,
        parameterId=str(trial.parameter_id) if trial.HasField("parameter_id") else None,
        type="FINAL" if metric.kind == METRIC_KIND_FINAL else "PERIODICAL",
        sequence=metric.index,
        data=from_message(metric.value),
    )


def _milliseconds(time: Timestamp) -> int:
    return time.ToMilliseconds()
