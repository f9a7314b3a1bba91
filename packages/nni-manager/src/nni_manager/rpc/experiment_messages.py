"""Experiments as messages."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from nni_config import ExperimentConfig, wire
from nni_proto import resource_names
from nni_proto.v1 import experiment_config_pb2, experiment_pb2

from nni_manager.engine.records import ExperimentOrigin
from nni_manager.experiments.errors import InvalidArgumentError, InvalidConfigError
from nni_manager.experiments.views import ExperimentUpdate, ExperimentView
from nni_manager.rpc import requests
from nni_manager.rpc.times import duration, optional_timestamp, timestamp
from nni_manager.rpc.trial_messages import optional_end_reason, status_to_message, trial_to_message


class ExperimentMessages:
    """Makes messages of experiments; a configuration is converted again only when it changed."""

    def __init__(self) -> None:
        self._config: dict[str, Any] | None = None
        self._config_message = experiment_config_pb2.ExperimentConfig()

    def to_message(self, view: ExperimentView, *, with_packages: bool = True) -> experiment_pb2.Experiment:
        """Returns an experiment as a message.

        Args:
            view: The experiment.
            with_packages: Whether it names the packages of its origin, which may be hundreds.
        """
        record = view.record
        message = experiment_pb2.Experiment(
            name=resource_names.experiment_name(record.experiment_id),
            status=experiment_pb2.Experiment.Status.Value(f"STATUS_{record.status.value}"),
            config=self._config_to_message(record.config),
            create_time=timestamp(record.created_at),
            start_time=optional_timestamp(record.started_at),
            end_time=optional_timestamp(record.ended_at),
            end_reason=optional_end_reason(record.end_reason),
            running_time=duration(view.running_seconds),
            trial_counts=[
                experiment_pb2.TrialCount(status=status_to_message(status), count=count)
                for status, count in view.trial_counts.items()
            ],
            trial_count=sum(view.trial_counts.values()),
            errors=record.errors,
            optimize_mode=record.optimize_mode,
            directory=view.directory,
            revision=view.revision,
            origin=_origin_to_message(record.origin, with_packages),
            warnings=record.warnings,
            paused=record.paused,
        )
        if view.best_trial is not None:
            message.best_trial.CopyFrom(trial_to_message(record.experiment_id, view.best_trial))
        return message

    def _config_to_message(self, config: dict[str, Any]) -> experiment_config_pb2.ExperimentConfig:
        if config != self._config:
            self._config_message = wire.config_to_message(ExperimentConfig(**config))
            self._config = config
        return self._config_message


def _origin_to_message(origin: ExperimentOrigin, with_packages: bool) -> experiment_pb2.ExperimentOrigin:
    return experiment_pb2.ExperimentOrigin(
        git_commit=origin.git_commit,
        git_is_dirty=origin.git_is_dirty,
        code_hash=origin.code_hash,
        package_versions=origin.package_versions if with_packages else None,
        seed=origin.seed,
    )


def config_from_message(message: experiment_config_pb2.ExperimentConfig) -> ExperimentConfig:
    """Returns a configuration in its canonical form; a caller without nni_config may have left fields out.

    Raises:
        InvalidConfigError: The configuration is not valid.
    """
    try:
        return wire.config_from_message(message).canonical_copy()
    except ValueError as error:
        raise InvalidConfigError(str(error)) from error


def update_from_message(config: experiment_config_pb2.ExperimentConfig, mask: list[str]) -> ExperimentUpdate:
    """Returns what an update changes.

    Args:
        config: The new values.
        mask: The names of the fields that change.

    Raises:
        InvalidArgumentError: The mask is empty or names something that cannot change, or a value is missing.
    """
    if not mask:
        raise InvalidArgumentError(f"update_mask: names no field; {', '.join(_UPDATES)} can change")
    unknown = [path for path in mask if path not in _UPDATES]
    if unknown:
        raise InvalidArgumentError(f"update_mask: {unknown[0]!r} cannot change; {', '.join(_UPDATES)} can")
    return ExperimentUpdate(**{path: _UPDATES[path](config) for path in mask})


def _required(field: str, config: experiment_config_pb2.ExperimentConfig) -> Any:
    if not config.HasField(field):  # type: ignore[arg-type]
        raise InvalidArgumentError(f"config.{field}: required by update_mask")
    return getattr(config, field)


def _number_or_none(field: str, config: experiment_config_pb2.ExperimentConfig) -> int | None:
    return getattr(config, field) if config.HasField(field) else None  # type: ignore[arg-type]


def _search_space(config: experiment_config_pb2.ExperimentConfig) -> Any:
    return requests.value(_required("search_space", config), "config.search_space")


def _duration(field: str, config: experiment_config_pb2.ExperimentConfig) -> str | int | float | None:
    written: experiment_config_pb2.WrittenDuration = getattr(config, field)
    kind = written.WhichOneof("written")
    return None if kind is None else getattr(written, kind)


_UPDATES: dict[str, Callable[[experiment_config_pb2.ExperimentConfig], Any]] = {
    "trial_concurrency": partial(_required, "trial_concurrency"),
    "max_trial_number": partial(_number_or_none, "max_trial_number"),
    "max_experiment_duration": partial(_duration, "max_experiment_duration"),
    "max_trial_duration": partial(_duration, "max_trial_duration"),
    "search_space": _search_space,
}
