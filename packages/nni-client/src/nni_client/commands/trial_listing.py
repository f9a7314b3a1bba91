"""nnictl trial ls."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from nni_config.experiment_folders import FolderKind, FolderSummary
from nni_proto.resource_names import experiment_name
from nni_proto.v1.trial_pb2 import EndReason, Trial
from nni_proto.values import to_message

from nni_client import results, words
from nni_client.commands.output import print_json, print_table
from nni_client.commands.selection import find, find_readable, open_session
from nni_client.data import TrialJob, TrialMetricData
from nni_client.fronts import check_objectives, front, number_of

_COLUMNS = ("NUMBER", "ID", "STATUS", "RAN FOR", "RESULT", "PARAMETERS", "REASON")
_LONG_COLUMNS = ("PARAMETERS", "REASON")


class Choice(NamedTuple):
    """Which trials are listed.

    Attributes:
        highest: So many with the highest results; None for no choice.
        lowest: So many with the lowest results; None for no choice.
        filter: What holds for them, in the language of filters; "" for all.
        order_by: The columns to sort by; "" to sort by number.
    """

    highest: int | None = None
    lowest: int | None = None
    filter: str = ""
    order_by: str = ""


_ALL = Choice()


class ListedTrial(NamedTuple):
    """A trial to list.

    Attributes:
        job: The trial in NNI's form.
        record: The trial as the protocol has it; None in a record of NNI.
        is_live: Whether a manager runs the experiment.
    """

    job: TrialJob
    record: Trial | None
    is_live: bool

    @property
    def objective(self) -> float | None:
        """The number that it is ranked by, None when it has none."""
        if self.record is not None:
            return self.record.objective if self.record.HasField("objective") else None
        data = self.job.finalMetricData[0].data if self.job.finalMetricData else None
        value = data.get("default") if isinstance(data, dict) else data
        return value if isinstance(value, (int, float)) else None


def list_trials(experiment_id: str | None, directory: Path | None, choice: Choice, as_json: bool) -> None:
    """Prints an experiment's trials.

    Args:
        experiment_id: The experiment; None for the only one that runs.
        directory: The folder that holds its folder; None for all that were ever used.
        choice: Which trials; those chosen by result come in its order, others as it says.
        as_json: Print NNI's JSON.

    Raises:
        RuntimeError: There is no such experiment, its record cannot be read, or the filter or the order is
            not one.
    """
    chosen = _chosen(_read(experiment_id, directory, choice), choice)
    if as_json:
        print_json([_json(trial) for trial in chosen])
    elif chosen:
        hosts = [_host(trial.job) for trial in chosen]
        if any(hosts):
            rows = [(*_row(trial), host) for trial, host in zip(chosen, hosts, strict=True)]
            print_table((*_COLUMNS, "HOST"), rows, cut=_LONG_COLUMNS)
        else:
            print_table(_COLUMNS, [_row(trial) for trial in chosen], cut=_LONG_COLUMNS)
    else:
        print(_nothing(choice))


def list_front(
    experiment_id: str | None, objectives: Sequence[str], as_json: bool, directory: Path | None
) -> int:
    """Prints the succeeded trials that none is better than in all objectives.

    Args:
        experiment_id: See `list_trials`.
        objectives: What is to be best, each as "accuracy=maximize".
        as_json: See `list_trials`.
        directory: See `list_trials`.

    Returns:
        The exit code: 1 when there is none yet.

    Raises:
        RuntimeError: There is no such experiment, or its record cannot be read.
        ValueError: An objective is malformed.
    """
    wanted = dict(_objective(text) for text in objectives)
    check_objectives(wanted)
    trials = _read(experiment_id, directory)
    chosen = {job.trialJobId for job in front([trial.job for trial in trials], wanted)}
    shown = [trial for trial in trials if trial.job.trialJobId in chosen]
    if as_json:
        print_json([_json(trial) for trial in shown])
    elif shown:
        columns = ("NUMBER", "ID", *wanted, "PARAMETERS")
        print_table(columns, [_front_row(trial, wanted) for trial in shown], cut=_LONG_COLUMNS)
    if not shown:
        print(f"No trial succeeded with a number for {' and '.join(wanted)}.", file=sys.stderr)
    return 0 if shown else 1


def _objective(text: str) -> tuple[str, str]:
    name, equals, direction = text.rpartition("=")
    if not (name and equals):
        raise ValueError(f"--objective {text!r}: allowed is NAME=maximize or NAME=minimize")
    return name, direction


def _front_row(trial: ListedTrial, objectives: Mapping[str, str]) -> Sequence[object]:
    job = trial.job
    numbers = [words.number(number_of(job, name)) for name in objectives]
    return (job.sequenceId, job.trialJobId, *numbers, _parameters(job))


def _parameters(job: TrialJob) -> str:
    given = job.hyperParameters[0].parameters if job.hyperParameters else {}
    return words.parameters(Trial(parameters=to_message(given))) if given else ""


def _nothing(choice: Choice) -> str:
    if choice.highest is not None or choice.lowest is not None:
        return "No trial has a number as its result."
    return "The filter holds for no trial." if choice.filter.strip() else "No trials."


def _read(experiment_id: str | None, directory: Path | None, choice: Choice = _ALL) -> list[ListedTrial]:
    folder = find(experiment_id, directory)
    if folder.kind is FolderKind.OLD:
        if choice.filter.strip() or choice.order_by.strip():
            raise RuntimeError(
                f"{folder.experiment_id} is a record of NNI, which --filter and --sort cannot read; "
                "list all its trials"
            )
        return _read_old(folder)
    folder = find_readable(experiment_id, directory)
    with open_session(folder) as session:
        name = experiment_name(folder.experiment_id)
        listed = results.list_trials(session, name, choice.filter, choice.order_by)
    return [ListedTrial(job, record, folder.is_running) for record, job in listed]


def _read_old(folder: FolderSummary) -> list[ListedTrial]:
    from nni_client.old_records import read_old_experiment

    return [ListedTrial(job, None, False) for job in read_old_experiment(folder.path).trials]


def _chosen(trials: list[ListedTrial], choice: Choice) -> list[ListedTrial]:
    if choice.highest is None and choice.lowest is None:
        return trials
    ranked = [(value, trial) for trial in trials if (value := trial.objective) is not None and value == value]
    ranked.sort(key=lambda pair: pair[0], reverse=choice.highest is not None)
    return [trial for _, trial in ranked[: choice.highest or choice.lowest]]


def _json(trial: ListedTrial) -> dict[str, Any]:
    """Returns a trial as NNI's nnictl printed it, and what that left out."""
    job = trial.job
    facts: dict[str, Any] = {
        "trialJobId": job.trialJobId,
        "sequenceId": job.sequenceId,
        "status": job.status,
        "hyperParameters": [json.dumps(asdict(parameters)) for parameters in job.hyperParameters],
        "logPath": job.logPath,
        "startTime": _local(job.startTime),
        "message": job.message,
    }
    if job.endTime != -1:
        facts["endTime"] = _local(job.endTime)
    if job.finalMetricData:
        facts["finalMetricData"] = [_metric(metric) for metric in job.finalMetricData]
    if job.stderrPath:
        facts["stderrPath"] = job.stderrPath
    if trial.record is not None:
        facts |= _more(trial.record)
    return facts


def _more(record: Trial) -> dict[str, Any]:
    facts: dict[str, Any] = {"attempt": record.attempt}
    reason = record.end_reason
    if record.HasField("objective"):
        facts["objective"] = record.objective
    if reason.HasField("exit_code"):
        facts["exitCode"] = reason.exit_code
    if reason.HasField("signal"):
        facts["signal"] = reason.signal
    if reason.stderr_tail:
        facts["stderrTail"] = reason.stderr_tail
    if record.host:
        facts["host"] = record.host
    if record.gpus:
        facts["gpus"] = list(record.gpus)
    if record.earlier_ends:
        facts["earlierEnds"] = [end.message for end in record.earlier_ends]
    return facts


def _metric(metric: TrialMetricData) -> dict[str, Any]:
    # NNI's REST form has the value as JSON text within JSON text.
    return {**asdict(metric), "data": json.dumps(json.dumps(metric.data))}


def _row(trial: ListedTrial) -> Sequence[object]:
    job, record = trial.job, trial.record
    result = words.number(trial.objective) if trial.objective is not None else _result(job)
    return (
        job.sequenceId,
        job.trialJobId,
        job.status,
        _duration(trial),
        result,
        _parameters(job),
        job.message if record is None or job.message == "--" else _reason(job.message, record.end_reason),
    )


def _host(job: TrialJob) -> str:
    return f"{job.host} (GPU {', '.join(job.gpus)})" if job.gpus else job.host


def _result(job: TrialJob) -> str:
    return str(job.finalMetricData[0].data) if job.finalMetricData else ""


def _reason(message: str, reason: EndReason) -> str:
    last = reason.stderr_tail.strip().rpartition("\n")[2].strip()
    return f"{message}: {last}" if last else message


def _duration(trial: ListedTrial) -> str:
    job = trial.job
    if job.startTime == -1 or job.status == "WAITING" or (job.endTime == -1 and not trial.is_live):
        return ""
    end = job.endTime if job.endTime != -1 else time.time() * 1000
    return words.duration(max(end - job.startTime, 0) / 1000)


def _local(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000).astimezone().isoformat(sep=" ", timespec="seconds")
