"""The requests that change an experiment while it runs."""

from __future__ import annotations

from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from nni_proto.v1.experiment_config_pb2 import ExperimentConfig, WrittenDuration
from nni_proto.v1.experiment_service_pb2 import UpdateExperimentRequest
from nni_proto.values import to_message

_HIGHEST_COUNT = 2**31 - 1


def trial_concurrency(name: str, value: int) -> UpdateExperimentRequest:
    """Returns the request for another concurrency.

    Raises:
        ValueError: The value is not a whole number above 0.
    """
    return _request(name, "trial_concurrency", ExperimentConfig(trial_concurrency=_count(value)))


def max_trial_number(name: str, value: int | None) -> UpdateExperimentRequest:
    """Returns the request for another limit of trials, None for no limit.

    Raises:
        ValueError: The value is not a whole number above 0.
    """
    config = ExperimentConfig(max_trial_number=None if value is None else _count(value))
    return _request(name, "max_trial_number", config)


def max_experiment_duration(name: str, value: str | float | None) -> UpdateExperimentRequest:
    """Returns the request for another limit of time, None for no limit.

    Raises:
        TypeError: The value is neither text nor a number.
    """
    if value is None:
        written = None
    elif isinstance(value, str):
        written = WrittenDuration(text=value)
    elif isinstance(value, int) and not isinstance(value, bool):
        written = WrittenDuration(whole_seconds=value)
    elif isinstance(value, float):
        written = WrittenDuration(seconds=value)
    else:
        raise TypeError(f'a duration is text such as "1.5h" or a number of seconds, not {value!r}')
    return _request(name, "max_experiment_duration", ExperimentConfig(max_experiment_duration=written))


def search_space(name: str, value: Any) -> UpdateExperimentRequest:
    """Returns the request for another search space.

    Raises:
        ValueError: The value is nested too deep or holds an integer beyond 64 bits.
        TypeError: The value holds something that JSON cannot.
    """
    return _request(name, "search_space", ExperimentConfig(search_space=to_message(value)))


def _request(name: str, field: str, config: ExperimentConfig) -> UpdateExperimentRequest:
    return UpdateExperimentRequest(name=name, config=config, update_mask=FieldMask(paths=[field]))


def _count(value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _HIGHEST_COUNT:
        raise ValueError(f"a whole number from 1 to {_HIGHEST_COUNT} is needed, not {value!r}")
    return value
