"""Runs the parameters of failed trials once more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from nni_client.changing import ChangeableExperiment
from nni_client.data import TrialJob


def retry_failed_trials(experiment: ChangeableExperiment) -> list[TrialJob]:
    """Queues a trial for each one that failed and whose parameters were not tried once more since.

    Args:
        experiment: The experiment; it runs.

    Returns:
        The new trials.

    Raises:
        CallError: The manager refuses.
    """
    wanted = _to_retry(experiment.list_trial_jobs())
    if not wanted:
        return []
    message = experiment._get()
    # Paused, so that the tuner does not take the places that are made for them.
    if not message.paused:
        experiment.pause()
    try:
        if message.config.HasField("max_trial_number"):
            experiment.update_max_trial_number(message.config.max_trial_number + len(wanted))
        return [experiment.create_trial(parameters) for parameters in wanted]
    finally:
        if not message.paused:
            experiment.unpause()


def _to_retry(trials: Sequence[TrialJob]) -> list[Any]:
    """Returns the parameters of failed trials that no later trial has."""
    wanted: list[Any] = []
    later: set[str] = set()
    for trial in sorted(trials, key=lambda trial: -trial.sequenceId):
        parameters = trial.hyperParameters[0].parameters
        key = json.dumps(parameters, sort_keys=True)
        if key in later:
            continue
        later.add(key)
        if trial.status == "FAILED":
            wanted.append(parameters)
    return wanted[::-1]
