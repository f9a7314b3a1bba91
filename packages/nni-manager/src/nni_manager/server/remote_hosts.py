"""The machines behind SSH that an experiment's trials run on, made of its configuration."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nni_config import ExperimentConfig, RemoteConfig, parse_duration
from nni_config.remote import RemoteMachineConfig
from nni_config.units import parse_memory_size

from nni_manager.engine.statuses import MetricKind
from nni_manager.experiments.code_directory import code_directory_of
from nni_manager.experiments.limits_from_config import stop_grace_seconds, stop_signal
from nni_manager.server.shared_places import SharedPlace
from nni_manager.training.host import Host, HostEmit, HostRules
from nni_manager.training.shipping.code import CodeArchive, pack_code
from nni_manager.training.shipping.ship import Shipped, ship

if TYPE_CHECKING:
    from nni_manager.training.ssh.connection import SshConnection

_LOG = logging.getLogger(__name__)

_CONNECT_SECONDS = 30.0
_UNREACHABLE_SECONDS = 3600.0
_CODE_MEBIBYTES = 300
_OUTPUT_MEBIBYTES = 1024
_MEBIBYTE = 1 << 20
_TELL_BYTES = 64 * _MEBIBYTE


@dataclass
class PackedCode:
    """A training service's code, packed when the first machine is ready for it, and once.

    Attributes:
        code_directory: The code.
        folder: The experiment's folder.
        service: The training service.
        place: The storage that its machines share, None if there is none.
    """

    code_directory: Path
    folder: Path
    service: RemoteConfig
    place: SharedPlace | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _archive: CodeArchive | None = None

    async def ship(self, connection: SshConnection, remote_directory: str, python: str) -> Shipped:
        """Puts the code and the SDK on a machine.

        Raises:
            TrainingServiceError: The code cannot be packed, or the machine cannot take it.
        """
        async with self._lock:
            if self._archive is None:
                self._archive = await asyncio.to_thread(
                    pack_code,
                    self.code_directory,
                    self.folder / "packed",
                    experiments_directory=self.folder.parent,
                    follows_outside_links=self.service.outside_links != "refuse",
                    most_bytes=_bytes(self.service.max_code_size, _CODE_MEBIBYTES),
                )
        progress = _Progress(connection.name)
        if self.place is None or self.place.remote_directory is None:
            return await ship(connection, self._archive, remote_directory, python, progress)
        async with self._lock:  # the first machine brings it, the others find it there
            return await ship(connection, self._archive, remote_directory, python, progress)


class _Progress:
    """Logs how much of the code a machine has, so that a slow line does not look like a stop."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tell_at = _TELL_BYTES

    def __call__(self, sent: int, total: int) -> None:
        if sent >= self._tell_at:
            self._tell_at = sent + _TELL_BYTES
            _LOG.info("%s has %d of %d MiB of the code", self._name, sent // _MEBIBYTE, total // _MEBIBYTE)


def remote_rules(service: RemoteConfig, machine: RemoteMachineConfig, index: int) -> HostRules:
    """Returns how a machine may be used.

    Args:
        service: The training service.
        machine: One of its machines.
        index: Which of the experiment's training services it is.
    """
    return HostRules(
        gpus_per_trial=service.trial_gpu_number,
        trials_per_gpu=machine.max_trial_number_per_gpu,
        use_active_gpus=machine.use_active_gpu,
        gpu_indices=tuple(machine.gpu_indices) if machine.gpu_indices else None,
        trial_concurrency=machine.trial_concurrency,
        service=index,
    )


def packed_code(
    config: ExperimentConfig, service: RemoteConfig, folder: Path, place: SharedPlace | None
) -> PackedCode:
    """Returns the code that all machines of a training service get; nothing is packed yet."""
    return PackedCode(code_directory_of(config, service), folder, service, place)


def make_remote_host(
    config: ExperimentConfig,
    service: RemoteConfig,
    machine: RemoteMachineConfig,
    code: PackedCode,
    experiment_id: str,
    numeric_kinds: Collection[MetricKind],
    emit: HostEmit,
) -> Host:
    """Returns a machine behind SSH; nothing is done yet.

    Args:
        config: The canonical configuration.
        service: The training service.
        machine: One of its machines.
        code: The code that the machines of the service get.
        experiment_id: The experiment.
        numeric_kinds: The kinds of results that have to be numbers.
        emit: Gets the events.

    Raises:
        TrainingServiceError: ~/.ssh/config cannot be understood.
    """
    # paramiko takes a tenth of a second and 15 MiB, which experiments on this machine need not pay.
    from nni_manager.training.ssh.endings import OutputRules
    from nni_manager.training.ssh.host import SshHost
    from nni_manager.training.ssh.target import ssh_target

    target = ssh_target(
        machine.host,
        machine.user,
        port=machine.port,
        password=machine.password,
        key_file=machine.ssh_key_file,
        passphrase=machine.ssh_passphrase,
        new_host_keys=service.new_host_keys or "accept",
        connect_timeout=_seconds(service.connect_timeout, _CONNECT_SECONDS),
    )
    # What trials write into a shared storage is where all can read it: it stays there, and logs are copied.
    is_shared = code.place is not None and code.place.remote_directory is not None
    return SshHost(
        target=target,
        ship=code.ship,
        experiment_id=experiment_id,
        experiment_directory=code.folder,
        command=service.trial_command or config.trial_command or "",
        emit=emit,
        outputs=OutputRules(
            patterns=() if is_shared else ("*",) if service.output_files is None else service.output_files,
            max_bytes=_bytes(service.max_output_size, _OUTPUT_MEBIBYTES),
            keep_remote=is_shared or bool(service.keep_remote_files),
        ),
        remote_directory=None if code.place is None else code.place.remote_directory,
        site=code.place,
        python_path=machine.python_path,
        numeric_kinds=numeric_kinds,
        trial_gpu_number=service.trial_gpu_number,
        stop_signal=stop_signal(config),
        grace_seconds=stop_grace_seconds(config),
        reuse_mode=service.reuse_mode,
        unreachable_limit=_seconds(service.unreachable_limit, _UNREACHABLE_SECONDS),
    )


def _seconds(duration: str | int | float | None, otherwise: float) -> float:
    return otherwise if duration is None else parse_duration(duration)


def _bytes(size: str | int | float | None, otherwise: int) -> int:
    return math.ceil((otherwise if size is None else parse_memory_size(size)) * _MEBIBYTE)
