"""The trials of a made experiment, one after the other."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from nni_config.trial_ids import trial_id
from nni_manager.algorithms.tuners.random import RandomTuner
from nni_manager.engine.objective import objective_of
from nni_manager.engine.records import EndReason, MetricRecord, TrialRecord
from nni_manager.engine.statuses import Actor, MetricKind, ParameterSource, TrialStatus

from workspace.made_experiment.space import HTML, SEARCH_SPACE, accuracy

STARTED_AT = 1_790_000_000.0
"""When the experiment was started, in seconds since 1970."""

SLOTS = 8
"""How many trials ran at a time."""

_HOSTS = ("", "gpu-1.example", "gpu-2.example")
_ODD_RESULTS = (float("nan"), float("inf"), float("-inf"))
_FAILURE = f'Traceback (most recent call last):\n  File "train.py", line 7\nValueError: {HTML} ✗'


@dataclass(frozen=True)
class MadeTrial:
    """A trial with the results that it reported."""

    record: TrialRecord
    metrics: tuple[MetricRecord, ...]


def made_trials(experiment_id: str, trials: int, intermediates: int, seed: int) -> Iterator[MadeTrial]:
    """Yields the trials in the order of their numbers; the same arguments give the same ones.

    Args:
        experiment_id: The experiment.
        trials: How many.
        intermediates: How many intermediate results a trial reports that runs to its end.
        seed: Where the random numbers start.
    """
    random = np.random.default_rng(seed)
    tuner = RandomTuner(seed=seed)
    tuner.update_search_space(SEARCH_SPACE)
    free_at = [STARTED_AT] * SLOTS
    for number in range(trials):
        begins = heapq.heappop(free_at) + float(random.uniform(0.05, 0.5))
        made = _trial(experiment_id, number, begins, tuner.generate_parameters(number), intermediates, random)
        heapq.heappush(free_at, made.record.ended_at or begins)
        yield made


def _trial(
    experiment_id: str,
    number: int,
    begins: float,
    drawn: Any,
    intermediates: int,
    random: np.random.Generator,
) -> MadeTrial:
    identifier = trial_id(experiment_id, number)
    status = _status(number, random)
    parameters, source = drawn, ParameterSource.ALGORITHM
    if number % 50 == 7:
        source = ParameterSource.CUSTOMIZED
        # A person may leave parameters out, and write others and other kinds.
        parameters = {"lr": 0.01, "batch_size": "64", "dropout": None, "extra": [1, {"a": HTML}]}
    goal = float((accuracy(drawn) if parameters is drawn else 0.5) + random.normal(0, 0.02))
    count = intermediates if status is TrialStatus.SUCCEEDED else int(random.integers(0, intermediates + 1))
    seconds = float(random.lognormal(4.0, 0.6))
    curve = [_intermediate(number, index, intermediates, goal, random) for index in range(count)]
    metrics = [
        MetricRecord(
            identifier, 0, MetricKind.INTERMEDIATE, i, value, begins + seconds * (i + 1) / (count + 1)
        )
        for i, value in enumerate(curve)
    ]
    final = None
    if status is TrialStatus.SUCCEEDED:
        final = _final(number, goal, seconds, random)
        metrics.append(MetricRecord(identifier, 0, MetricKind.FINAL, 0, final, begins + seconds))
    record = TrialRecord(
        trial_id=identifier,
        sequence_number=number,
        status=status,
        attempt=0,
        parameter_id=number if source is ParameterSource.ALGORITHM else None,
        parameter_source=source,
        parameters=parameters,
        created_at=begins - 0.05,
        started_at=begins,
        ended_at=begins + seconds,
        end_reason=_end_reason(status),
        has_final_result=final is not None,
        final_result=final,
        objective=objective_of(final),
        submitted=True,
        host=_HOSTS[number % len(_HOSTS)],
        gpus=(str(number % SLOTS),) if number % 2 else (),
    )
    return MadeTrial(record, tuple(metrics))


def _status(number: int, random: np.random.Generator) -> TrialStatus:
    statuses = (
        TrialStatus.SUCCEEDED,
        TrialStatus.FAILED,
        TrialStatus.EARLY_STOPPED,
        TrialStatus.USER_CANCELED,
        TrialStatus.SYS_CANCELED,
    )
    drawn = statuses[int(random.choice(len(statuses), p=(0.8, 0.06, 0.1, 0.02, 0.02)))]
    return TrialStatus.SUCCEEDED if number % 100 < 3 else drawn


def _intermediate(number: int, index: int, of: int, goal: float, random: np.random.Generator) -> Any:
    value = goal * (1 - 0.7 * float(np.exp(-5 * (index + 1) / max(of, 1)))) + float(random.normal(0, 0.005))
    if number % 100 == 3 and index == of // 2:
        return float("nan")
    return value if number % 4 else {"default": value, "loss": 1 - value, HTML: index}


def _final(number: int, goal: float, seconds: float, random: np.random.Generator) -> Any:
    if number % 500 in (0, 1, 2):
        return _ODD_RESULTS[number % 500]
    if number % 10 == 9:
        return goal
    result: dict[str, Any] = {
        "default": goal,
        "loss": 1 - goal,
        "latency [ms]": 5 + 60 * goal**4 + float(random.exponential(4.0)),
        "size/MB": float(random.integers(1, 400)),
        "note": HTML,
    }
    return {**result, "loss": float("nan")} if number % 100 == 5 else result


def _end_reason(status: TrialStatus) -> EndReason:
    reasons = {
        TrialStatus.SUCCEEDED: EndReason(Actor.TRIAL, "the command ended", exit_code=0),
        TrialStatus.FAILED: EndReason(
            Actor.TRIAL, "the command ended with exit code 1", exit_code=1, stderr_tail=_FAILURE
        ),
        TrialStatus.EARLY_STOPPED: EndReason(Actor.ASSESSOR, "the assessor stopped it", signal=2),
        TrialStatus.USER_CANCELED: EndReason(Actor.USER, "stopped by a user", signal=2),
        TrialStatus.SYS_CANCELED: EndReason(Actor.LIMIT, "max_trial_duration (10m) was over", signal=15),
    }
    return reasons[status]
