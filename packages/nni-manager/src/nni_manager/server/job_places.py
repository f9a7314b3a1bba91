"""Platforms that run trials in jobs, made of a configuration: OpenPAI, Azure ML, those of other packages."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from nni_config import ExperimentConfig
from nni_config.registered_training_services import TrainingServiceRegistryError, is_runnable, service_info
from nni_config.training_service import TrainingServiceConfig
from nni_config.units import parse_memory_size

from nni_manager.engine.statuses import MetricKind
from nni_manager.experiments.code_directory import code_directory_of
from nni_manager.experiments.limits_from_config import stop_grace_seconds, stop_signal
from nni_manager.training.host import Host, HostEmit, HostRules
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.jobs.direct import DirectReports
from nni_manager.training.jobs.host import JobHost
from nni_manager.training.jobs.late_start import LateStartHost
from nni_manager.training.jobs.orders import TrialRules
from nni_manager.training.jobs.packing import pack_sdk_and_code
from nni_manager.training.jobs.platform import JobPlatform
from nni_manager.training.shipping.code import MOST_BYTES

logger = logging.getLogger(__name__)

MakePlatform = Callable[[ExperimentConfig, Any, str, Path], JobPlatform]
"""Makes a platform of the configuration, its training service, the experiment's id and its folder."""

_BUILT_IN = {
    "openpai": ("nni_manager.training.openpai.making", "make_openpai_platform"),
    "aml": ("nni_manager.training.aml.making", "make_aml_platform"),
}
"""Where the platforms are made that have an extra of their own name."""


def job_hosts(
    config: ExperimentConfig,
    service: TrainingServiceConfig,
    index: int,
    experiment_id: str,
    folder: Path,
    numeric_kinds: Collection[MetricKind],
    direct: DirectReports,
    warn: Callable[[str], None],
) -> list[tuple[Callable[[HostEmit], Host], HostRules]]:
    """Returns what makes the host of a training service that runs jobs, or that another package brings.

    Args:
        config: The canonical configuration.
        service: The training service.
        index: Which of the experiment's training services it is.
        experiment_id: The experiment.
        folder: Its folder.
        numeric_kinds: The kinds of results that have to be numbers.
        direct: Lets jobs report over the network.
        warn: Gets what a person is to know although nothing failed.

    Raises:
        TrainingServiceError: This version runs no trials there.
    """
    rules = HostRules(service=index)
    own = None if service.platform in _BUILT_IN else _own(service)
    make_host = getattr(own, "make_host", None)
    if make_host is not None:
        return [(partial(make_host, config, service, experiment_id, folder), rules)]
    make = getattr(own, "make_platform", None) or _built_in(service.platform)
    _tell_how_jobs_report(service, direct, warn)

    def host(emit: HostEmit) -> JobHost:
        platform = make_platform(make, config, service, experiment_id, folder)
        return JobHost(
            platform=platform,
            experiment_id=experiment_id,
            experiment_directory=folder,
            rules=TrialRules(
                command=service.trial_command or config.trial_command or "",
                numeric_kinds=numeric_kinds,
                trial_gpu_number=service.trial_gpu_number,
                stop_signal=stop_signal(config),
                grace_seconds=stop_grace_seconds(config),
                reuse_mode=getattr(service, "reuse_mode", None) is not False,
                slots_per_job=int(getattr(platform, "slots_per_job", 1)),
            ),
            pack=partial(
                pack_sdk_and_code, code_directory_of(config, service), folder, _most_code_bytes(service)
            ),
            emit=emit,
            job_secrets=partial(direct.secrets, nni_manager_ip=service.nni_manager_ip),
            pushed=None if direct.access is None else direct.pushed,
            service=index,
        )

    return [(partial(LateStartHost, host), rules)]


def _tell_how_jobs_report(
    service: TrainingServiceConfig, direct: DirectReports, warn: Callable[[str], None]
) -> None:
    """Says that jobs use the storage alone; where somebody wanted more, that is a warning."""
    reason = direct.why_not(service.nni_manager_ip)
    if reason and service.nni_manager_ip is not None:
        warn(
            f"nni_manager_ip: {service.nni_manager_ip} is not used, since {reason}; jobs of "
            f"{service.platform} report through the storage (bind and tls_certificate change that)"
        )
    elif reason:
        logger.info("jobs of %s report through the storage, since %s", service.platform, reason)


def job_platform(
    config: ExperimentConfig, service: TrainingServiceConfig, experiment_id: str, folder: Path
) -> JobPlatform | None:
    """Returns the platform of a training service, None for one that runs no jobs.

    Raises:
        TrainingServiceError: It cannot be used like that.
    """
    own = None if service.platform in _BUILT_IN else service_info(service.platform)
    make = getattr(own, "make_platform", None)
    if make is None and service.platform not in _BUILT_IN:
        return None
    return make_platform(make or _built_in(service.platform), config, service, experiment_id, folder)


def make_platform(
    make: MakePlatform,
    config: ExperimentConfig,
    service: TrainingServiceConfig,
    experiment_id: str,
    folder: Path,
) -> JobPlatform:
    """Makes a platform.

    Raises:
        TrainingServiceError: It cannot be used like that, or what it needs is not installed.
    """
    try:
        return make(config, service, experiment_id, folder)
    except ImportError as error:
        raise _missing(service.platform, error) from error


def _built_in(platform: str) -> MakePlatform:
    module, name = _BUILT_IN[platform]
    try:
        make: MakePlatform = getattr(import_module(module), name)
    except ImportError as error:
        raise _missing(platform, error) from error
    return make


def _missing(platform: str, error: ImportError) -> TrainingServiceError:
    cure = f"; pip install 'nni-manager[{platform}]' brings it" if platform in _BUILT_IN else ""
    return TrainingServiceError(
        f"training_service: {platform} needs the package {error.name}, which is not installed{cure}"
    )


def _own(service: TrainingServiceConfig) -> Any:
    """Returns what another package says of its training service."""
    try:
        info = service_info(service.platform)
    except TrainingServiceRegistryError as error:
        raise TrainingServiceError(f"training_service: {error}") from error
    if not is_runnable(info):
        raise TrainingServiceError(
            f"training_service: {service.platform} is not available in this version: no package brings what "
            "runs trials there"
        )
    return info


def _most_code_bytes(service: TrainingServiceConfig) -> int:
    size = getattr(service, "max_code_size", None)
    return MOST_BYTES if size is None else math.ceil(parse_memory_size(size) * (1 << 20))
