"""Puts what is shown into words."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Sequence
from typing import Any

from nni_proto.resource_names import parse_experiment_name, parse_trial_name
from nni_proto.v1.experiment_pb2 import Experiment
from nni_proto.v1.trial_pb2 import Trial
from nni_proto.values import from_message

from nni_client.progress import Progress

STDERR_LINES = 20
"""How many lines of a failed trial's error output are shown."""

_LONGEST_VALUE = 60

_NO_NEW_TRIALS = frozenset({Experiment.STATUS_NO_MORE_TRIAL, Experiment.STATUS_TUNER_NO_MORE_TRIAL})

_ORDER = (
    Trial.STATUS_SUCCEEDED,
    Trial.STATUS_FAILED,
    Trial.STATUS_EARLY_STOPPED,
    Trial.STATUS_USER_CANCELED,
    Trial.STATUS_SYS_CANCELED,
    Trial.STATUS_RUNNING,
    Trial.STATUS_WAITING,
    Trial.STATUS_UNKNOWN,
)


def experiment_status(status: Experiment.Status.ValueType) -> str:
    """Returns the name of an experiment's status, as NNI has it."""
    return Experiment.Status.Name(status).removeprefix("STATUS_")


def trial_status(status: Trial.Status.ValueType) -> str:
    """Returns the name of a trial's status, as NNI has it."""
    return Trial.Status.Name(status).removeprefix("STATUS_")


def duration(seconds: float) -> str:
    """Returns a duration such as "1:02:03"."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def number(value: float) -> str:
    """Returns a number with six digits at most."""
    return f"{value:.6g}"


def parameters(trial: Trial) -> str:
    """Returns a trial's parameters as "lr=0.01, layers.size=3"."""
    value = from_message(trial.parameters) if trial.HasField("parameters") else {}
    return ", ".join(f"{key}={text}" for key, text in _flat("", value))


def _flat(prefix: str, value: Any) -> Iterable[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, element in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else key, element)
    else:
        yield prefix or "value", _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, float):
        return number(value)
    text = str(value)
    if not text.isprintable():
        text = repr(text)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."


def counts(experiment: Experiment) -> str:
    """Returns how many trials there are of each status, as "18 succeeded, 2 failed"."""
    by_status = {entry.status: entry.count for entry in experiment.trial_counts}
    words = [
        f"{by_status[status]} {trial_status(status).lower().replace('_', ' ')}"
        for status in _ORDER
        if by_status.get(status)
    ]
    return ", ".join(words) or "no trials"


def best(experiment: Experiment) -> str:
    """Returns the best trial with its parameters, "" when there is none."""
    if not experiment.HasField("best_trial"):
        return ""
    trial = experiment.best_trial
    _, trial_id = parse_trial_name(trial.name)
    return f"{number(trial.objective)} (trial {trial_id}: {parameters(trial)})"


def best_value(experiment: Experiment) -> str:
    """Returns the best objective, "" when there is none."""
    return number(experiment.best_trial.objective) if experiment.HasField("best_trial") else ""


def done(progress: Progress) -> str:
    """Returns how many trials are done, as "3/20 done"."""
    # More may be done than a limit that was lowered allows.
    total = "" if progress.total is None else f"/{max(progress.total, progress.done)}"
    return f"{progress.done}{total} done"


def waiting(progress: Progress) -> str:
    """Returns why only the running trials are waited for, "" when new ones start or the counts tell it."""
    experiment = progress.experiment
    is_full = progress.total is not None and experiment.trial_count >= progress.total
    if experiment.status not in _NO_NEW_TRIALS or is_full:
        return ""
    return f"no new trials: {experiment.end_reason.message}"


def how_it_failed(trial: Trial) -> str:
    """Returns how a failed trial ended: by its exit code, by a signal, or else."""
    reason = trial.end_reason
    if reason.HasField("exit_code"):
        return f"exit code {reason.exit_code}"
    if reason.HasField("signal"):
        return f"ended by signal {reason.signal} ({_signal_name(reason.signal)})"
    return reason.message or "it failed"


def failure(trial: Trial, command: str) -> str:
    """Returns what is to be said of a failed trial: its command, how it ended, its last words."""
    _, trial_id = parse_trial_name(trial.name)
    lines = [f"Trial {trial_id} failed, the first one: {how_it_failed(trial)}", f"    command: {command}"]
    tail = trial.end_reason.stderr_tail.splitlines()[-STDERR_LINES:]
    if tail:
        lines.append(f"    the last lines of {trial.output_directory}/stderr:")
        lines += [f"        {line}" for line in tail]
    else:
        lines.append(f"    it wrote nothing to stderr; its output is in {trial.output_directory}")
    return "\n".join(lines)


def summary(progress: Progress, named: str, failures: Sequence[str] = ()) -> str:
    """Returns the summary of an experiment that has ended.

    Args:
        progress: The experiment.
        named: How it is named to nnictl: its id, with the folder that it is in where nnictl does not know it.
        failures: Why trials failed, a line for each reason.
    """
    experiment = progress.experiment
    experiment_id = parse_experiment_name(experiment.name)
    title = experiment.config.experiment_name
    reason = experiment.end_reason.message
    rows = [
        ("ended", experiment_status(experiment.status) + (f": {reason}" if reason else "")),
        ("trials", f"{experiment.trial_count}: {counts(experiment)}"),
        *(("" if index else "failures", text) for index, text in enumerate(failures)),
        ("ran for", duration(progress.seconds)),
    ]
    if experiment.HasField("best_trial"):
        trial = experiment.best_trial
        _, trial_id = parse_trial_name(trial.name)
        goal = "highest" if experiment.optimize_mode == "maximize" else "lowest"
        rows.append(("best trial", f"{trial_id} (number {trial.sequence_number})"))
        rows.append(("objective", f"{number(trial.objective)}, the {goal} final result is best"))
        rows.append(("parameters", parameters(trial)))
    elif experiment.trial_count:
        rows.append(("best trial", "none: no trial succeeded with a number as its result"))
    rows.append(("files", experiment.directory))
    rows.append(("view again", f"nnictl view {named}"))
    if experiment.status in (Experiment.STATUS_STOPPED, Experiment.STATUS_ERROR):
        rows.append(("go on", f"nnictl resume {named}"))
    width = max(len(name) for name, _ in rows)
    lines = [f"Experiment {experiment_id}" + (f" ({title})" if title else "")]
    lines += [f"  {name:<{width}}  {text}" for name, text in rows]
    if experiment.status == Experiment.STATUS_ERROR:
        for error in further_errors(experiment)[-1:]:
            lines += ["  error", *(f"    {line}" for line in error.splitlines())]
    return "\n".join(lines)


def further_errors(experiment: Experiment) -> list[str]:
    """Returns the errors that say more than the reason of the end, which is shown beside the status."""
    return [error for error in experiment.errors if error != experiment.end_reason.message]


def _signal_name(signal_number: int) -> str:
    try:
        return signal.Signals(signal_number).name
    except ValueError:
        return "unknown"
