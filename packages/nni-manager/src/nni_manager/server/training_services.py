"""The places where an experiment's trials run, made of its configuration."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from nni_config import ExperimentConfig, LocalConfig, RemoteConfig
from nni_config.training_service import TrainingServiceConfig

from nni_manager.engine.events import WarningRaised
from nni_manager.engine.statuses import MetricKind
from nni_manager.experiments.code_directory import code_directory_of
from nni_manager.experiments.limits_from_config import stop_grace_seconds, stop_signal
from nni_manager.server.remote_hosts import make_remote_host, packed_code, remote_rules
from nni_manager.server.shared_places import SharedPlace, make_shared_place
from nni_manager.training.host import Host, HostEmit, HostRules
from nni_manager.training.interface import ServiceEmit, TrainingService
from nni_manager.training.jobs.direct import DirectReports
from nni_manager.training.local import LocalTrainingService
from nni_manager.training.local.host import LocalHost
from nni_manager.training.placing.service import PlacingService

PlacedHost = tuple[Callable[[HostEmit], Host], HostRules]
"""What makes a host, and how it may be used."""


def make_training_service(
    config: ExperimentConfig,
    experiment_id: str,
    folder: Path,
    emit: ServiceEmit,
    direct: DirectReports | None = None,
) -> TrainingService:
    """Returns the place where trials run.

    Args:
        config: The canonical configuration.
        experiment_id: The experiment.
        folder: Its folder.
        emit: Gets the events.
        direct: Lets jobs report over the network, None for the storage alone.

    Raises:
        TrainingServiceError: This version runs no trials there, or two machines have the same name.
    """
    services = config.training_services()
    if len(services) == 1 and isinstance(services[0], LocalConfig) and not _is_shared_out(services[0]):
        return LocalTrainingService(
            **_local_arguments(config, services[0], experiment_id, folder),
            emit=emit,
            trial_gpu_number=services[0].trial_gpu_number,
        )
    shared = config.shared_storage
    place = None if shared is None else make_shared_place(shared, experiment_id, folder)
    direct = direct or DirectReports()

    def warn(message: str) -> None:
        emit(WarningRaised(message))

    hosts = [
        host
        for index, service in enumerate(services)
        for host in _hosts(config, service, index, experiment_id, folder, place, direct, warn)
    ]
    limits = {i: getattr(service, "trial_concurrency", None) for i, service in enumerate(services)}
    return PlacingService(
        hosts=hosts,
        experiment_directory=folder,
        emit=emit,
        service_limits={index: limit for index, limit in limits.items() if limit is not None},
        optional_services=[
            i for i, service in enumerate(services) if getattr(service, "allow_partial", None)
        ],
        durable=not all(isinstance(service, LocalConfig) for service in services),
        warn=warn,
    )


def _is_shared_out(service: LocalConfig) -> bool:
    """Returns whether this machine has less room than trials may want, so that each is given its place."""
    return bool(service.trial_gpu_number) or service.trial_concurrency is not None


def _hosts(
    config: ExperimentConfig,
    service: TrainingServiceConfig,
    index: int,
    experiment_id: str,
    folder: Path,
    place: SharedPlace | None,
    direct: DirectReports,
    warn: Callable[[str], None],
) -> list[PlacedHost]:
    if isinstance(service, LocalConfig):
        arguments = _local_arguments(config, service, experiment_id, folder)
        rules = HostRules(
            gpus_per_trial=service.trial_gpu_number,
            trials_per_gpu=service.max_trial_number_per_gpu,
            use_active_gpus=bool(service.use_active_gpu),
            gpu_indices=_indices(service.gpu_indices),
            service=index,
        )
        return [(lambda emit: LocalHost(**arguments, emit=emit), rules)]
    if isinstance(service, RemoteConfig):
        code = packed_code(config, service, folder, place)
        kinds = _numeric_kinds(config)
        return [
            (
                partial(make_remote_host, config, service, machine, code, experiment_id, kinds),
                remote_rules(service, machine, index),
            )
            for machine in service.machine_list
        ]
    from nni_manager.server.job_places import job_hosts  # what experiments on this machine need not load

    kinds = _numeric_kinds(config)
    return job_hosts(config, service, index, experiment_id, folder, kinds, direct, warn)


def _local_arguments(
    config: ExperimentConfig, service: LocalConfig, experiment_id: str, folder: Path
) -> dict[str, Any]:
    return {
        "experiment_id": experiment_id,
        "experiment_directory": folder,
        "code_directory": code_directory_of(config, service),
        "command": service.trial_command or config.trial_command or "",
        "numeric_kinds": _numeric_kinds(config),
        "stop_signal": stop_signal(config),
        "grace_seconds": stop_grace_seconds(config),
        "reuse_mode": service.reuse_mode,
    }


def _indices(indices: list[int] | None) -> tuple[int, ...] | None:
    return tuple(indices) if indices else None


def _numeric_kinds(config: ExperimentConfig) -> list[MetricKind]:
    """Returns the results that an algorithm of ours reads; one of the user's own gets any value."""
    readers = ((config.tuner, MetricKind.FINAL), (config.assessor, MetricKind.INTERMEDIATE))
    return [kind for algorithm, kind in readers if algorithm is not None and algorithm.name is not None]
