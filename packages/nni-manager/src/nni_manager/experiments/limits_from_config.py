"""The limits in a configuration, as the engine wants them."""

from __future__ import annotations

from signal import Signals
from typing import Literal

from nni_config import ExperimentConfig
from nni_config.durations import parse_duration

from nni_manager.engine.limits import Limits

_STOP_GRACE_SECONDS = 5.0


def limits_from_config(config: ExperimentConfig) -> Limits:
    """Returns the limits of a valid configuration."""
    return Limits(
        trial_concurrency=config.trial_concurrency,
        max_trial_number=config.max_trial_number,
        max_experiment_seconds=_seconds(config.max_experiment_duration),
        max_trial_seconds=_seconds(config.max_trial_duration),
        stop_trials_at_time_limit=config.on_limit == "stop",
        stop_on_early_failures=config.stop_on_early_failures is not False,
        max_trial_retries=config.max_trial_retries or 0,
        max_failed_trial_number=config.max_failed_trial_number,
        failed_trial_result=_failed_trial_result(config.failed_trial_result),
    )


def stop_signal(config: ExperimentConfig) -> Signals:
    """Returns the first signal to a trial that is to stop."""
    return Signals[config.trial_stop_signal or "SIGINT"]


def stop_grace_seconds(config: ExperimentConfig) -> float:
    """Returns how long a trial that is to stop has between two signals."""
    return _seconds(config.trial_stop_grace_period) or _STOP_GRACE_SECONDS


def _failed_trial_result(wanted: str | int | float | None) -> float | Literal["worst"] | None:
    if wanted == "worst":
        return "worst"
    return None if wanted is None or isinstance(wanted, str) else float(wanted)


def _seconds(duration: str | int | float | None) -> float | None:
    return None if duration is None else parse_duration(duration)
