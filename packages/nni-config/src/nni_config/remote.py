"""Trials on other machines, over SSH."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar, Literal

from nni_config.base import ConfigBase
from nni_config.checks import check_host, check_not_blank
from nni_config.fields import (
    Duration,
    GpuIndices,
    MemorySize,
    PathLike,
    Port,
    PositiveInt,
    SecretText,
    Texts,
    required,
)
from nni_config.paths import is_file
from nni_config.problems import Report
from nni_config.training_service import TrainingServiceConfig, check_share_of_gpu

_DEFAULT_KEY = "~/.ssh/id_rsa"


class RemoteMachineConfig(ConfigBase):
    """A machine that trials run on, reached over SSH.

    Attributes:
        host: Its name or address, or a Host of ~/.ssh/config. Rule: the name or address of a machine, without
            user and port; not blank.
        port: The port of its SSH server; 22 leaves it to ~/.ssh/config. Unit: port number.
        user: Whom to sign in as. Rule: not blank.
        password: The password to sign in with. Rule: not blank; it wins over ssh_key_file.
        ssh_key_file: The private key to sign in with. None, or the default where there is no such file,
            tries the keys of an SSH agent, of ~/.ssh/config and the standard ones in ~/.ssh. Rule: an
            existing file, not the public key beside it; not needed with password.
        ssh_passphrase: What the private key is locked with. Rule: any text.
        use_active_gpu: Whether trials may have GPUs that other programs use too.
        max_trial_number_per_gpu: How many trials may share a GPU. Unit: trials. Rule: 1 where trials get no
            GPU.
        gpu_indices: The GPUs that trials may have, None for every GPU.
        python_path: The folder of the Python interpreter on that machine; it goes first on PATH. Rule: not
            blank.
        trial_concurrency: How many trials may run on this machine at the same time. None is without a limit
            of its own. Unit: trials.
    """

    _place: ClassVar[str | None] = "training_service.machine_list[0]"

    host: str = required()
    port: Port = 22
    user: str = required()
    password: SecretText | None = None
    ssh_key_file: PathLike | None = _DEFAULT_KEY
    ssh_passphrase: SecretText | None = None
    use_active_gpu: bool = False
    max_trial_number_per_gpu: PositiveInt = 1
    gpu_indices: GpuIndices | None = None
    python_path: str | None = None
    trial_concurrency: PositiveInt | None = None

    def _fill_in(self, parents: list[ConfigBase], report: Report) -> None:
        if self.password is not None or _is_missing_default(self.ssh_key_file):
            self.ssh_key_file = None
        self.gpu_indices = self.gpu_indices or None

    def _check(self, parents: list[ConfigBase], report: Report) -> None:
        check_host(self, "host", report)
        check_not_blank(self, report, "user", "password", "python_path")
        if self.ssh_key_file is None:
            if self.password is None and not _may_have_a_key():
                message = (
                    f"there is neither a password nor {_DEFAULT_KEY}, nor an SSH agent, another usual key or "
                    "~/.ssh/config; allowed is a private key, or a password instead"
                )
                report.add(message, "ssh_key_file")
            return
        if str(self.ssh_key_file).endswith(".pub"):
            message = f'"{self.ssh_key_file}" is a public key; allowed is the private key beside it'
            report.add(message, "ssh_key_file")
        elif not is_file(self.ssh_key_file):
            message = f'"{self.ssh_key_file}" is not a file; allowed is a private key, or a password instead'
            report.add(message, "ssh_key_file")


class RemoteConfig(TrainingServiceConfig):
    """Runs trials on other machines, over SSH.

    Attributes:
        machine_list: The machines. Rule: one or more.
        reuse_mode: Keep the process of a looping script from trial to trial.
        allow_partial: Go on with the other machines if some cannot be used at the start. None is false.
        trial_concurrency: How many trials may run on all of these machines together at the same time. None is
            the experiment's. Unit: trials.
        connect_timeout: How long signing in to a machine may take. None is 30 seconds.
        unreachable_limit: After this long without a connection the trials of a machine are given up. None is
            1 hour.
        new_host_keys: What happens to the key of a machine that is not in known_hosts yet. None is "accept",
            which adds it there. A key that has changed is always refused.
        outside_links: What happens to links in the code folder that point out of it. None is "copy", which
            sends what they point to.
        max_code_size: How large the code folder may be, without what .nniignore leaves out. None is 300MB.
            Unit: MiB.
        output_files: Which files of a trial's output folder are fetched when it ends: patterns in which "*"
            stands for any characters, "/" among them. None is every file, [] is none; where a shared storage
            is mounted they stay in it.
        max_output_size: How much is fetched of a trial. What is larger stays on the machine, which is told.
            None is 1GB. Unit: MiB.
        keep_remote_files: Leave the experiment's folder on the machines. None is false.
    """

    platform: Literal["remote"] = "remote"
    machine_list: list[RemoteMachineConfig] = required()
    reuse_mode: bool = False
    allow_partial: bool | None = None
    trial_concurrency: PositiveInt | None = None
    connect_timeout: Duration | None = None
    unreachable_limit: Duration | None = None
    new_host_keys: Literal["accept", "refuse"] | None = None
    outside_links: Literal["copy", "refuse"] | None = None
    max_code_size: MemorySize | None = None
    output_files: Texts | None = None
    max_output_size: MemorySize | None = None
    keep_remote_files: bool | None = None

    def _check(self, parents: list[ConfigBase], report: Report) -> None:
        super()._check(parents, report)
        if self.machine_list is not None and not self.machine_list:
            message = "must provide at least one machine; allowed is a list of machines with host and user"
            report.add(message, "machine_list")
        for index, machine in enumerate(self.machine_list or []):
            check_share_of_gpu(
                machine.max_trial_number_per_gpu, self.trial_gpu_number, report.at("machine_list", index)
            )


def _is_missing_default(key_file: str | os.PathLike[str] | None) -> bool:
    """Returns whether a key is the one that is meant where none is named, and is not there."""
    default = Path(_DEFAULT_KEY).expanduser()
    named = key_file is not None and (
        key_file == _DEFAULT_KEY or Path(key_file) in (default, default.resolve())
    )
    return named and not default.is_file()


def _may_have_a_key() -> bool:
    """Returns whether there is anything that could bring a key which nobody named."""
    folder = Path.home() / ".ssh"
    known = (folder / name for name in ("config", "id_ed25519", "id_ecdsa", "id_rsa"))
    return bool(os.environ.get("SSH_AUTH_SOCK")) or any(path.is_file() for path in known)
