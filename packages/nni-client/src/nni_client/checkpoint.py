"""The configuration in an experiment's record, and what a new one changes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nni_config import ExperimentConfig
from nni_config.names import camel_case, short
from nni_config.secrets import has_secret_name
from nni_config.training_service import forget_filled_in
from nni_config.wire import config_from_message
from nni_proto.v1 import experiment_config_pb2

from nni_client.experiment_log import LOGGER

_NEVER_TOLD = frozenset({"debug", "logLevel", "experimentWorkingDirectory", "searchSpaceFile"})
"""Fields that change nothing of the search."""


def recorded_config(message: experiment_config_pb2.ExperimentConfig) -> ExperimentConfig:
    """Returns a recorded configuration as its user may change it before the experiment goes on.

    A record has the command of the trials, their folder and the like twice: in the experiment's
    configuration and, filled in from there, in that of the training service. Only the first is kept, so
    that a change of it is not undone by the second.
    """
    config = config_from_message(message)
    for service in config.training_services():
        forget_filled_in(service, config)
    return config


def warn_of_differences(experiment_id: str, recorded: ExperimentConfig, given: ExperimentConfig) -> None:
    """Logs what a configuration changes of the recorded one, if it changes anything."""
    changes = differences(recorded, given)
    if changes:
        LOGGER.warning(
            "The configuration of experiment %s differs from its record:\n%s",
            experiment_id,
            "\n".join(f"    {change}" for change in changes),
        )


def differences(recorded: ExperimentConfig, given: ExperimentConfig) -> list[str]:
    """Returns what a configuration changes, as "max_trial_number: 10 -> 20"; secrets are never in it."""
    python_names = {camel_case(name): name for name in ExperimentConfig.model_fields}
    old, new = recorded.to_dict(), given.to_dict()
    names = [name for name in {**old, **new} if name not in _NEVER_TOLD]
    return [
        python_names.get(name, name) + line
        for name in names
        for line in _changes("", old.get(name), new.get(name))
    ]


def _changes(path: str, old: Any, new: Any) -> Iterator[str]:
    if old == new and type(old) is type(new):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            if has_secret_name(key):
                continue
            yield from _changes(f"{path}.{key}", old.get(key), new.get(key))
    else:
        yield f"{path}: {short(old)} -> {short(new)}"
