"""Trials on other machines, over SSH."""

from __future__ import annotations

from typing import ClassVar, Literal

from nni_config.base import ConfigBase
from nni_config.checks import check_host, check_not_blank
from nni_config.fields import GpuIndices, PathLike, Port, PositiveInt, SecretText, required
from nni_config.paths import is_file
from nni_config.problems import Report
from nni_config.training_service import TrainingServiceConfig, check_share_of_gpu


class RemoteMachineConfig(ConfigBase):
    """A machine that trials run on, reached over SSH.

    Attributes:
        host: Its name or address. Rule: the name or address of a machine, without user and port; not blank.
        port: The port of its SSH server. Unit: port number.
        user: Whom to sign in as. Rule: not blank.
        password: The password to sign in with. Rule: not blank; it wins over ssh_key_file.
        ssh_key_file: The private key to sign in with. Rule: an existing file, not the public key beside it;
            not needed with password.
        ssh_passphrase: What the private key is locked with. Rule: any text.
        use_active_gpu: Whether trials may have GPUs that other programs use too.
        max_trial_number_per_gpu: How many trials may share a GPU. Unit: trials. Rule: 1 where trials get no
            GPU.
        gpu_indices: The GPUs that trials may have, None for every GPU.
        python_path: The folder of the Python interpreter on that machine; it goes first on PATH. Rule: not
            blank.
    """

    _place: ClassVar[str | None] = "training_service.machine_list[0]"

    host: str = required()
    port: Port = 22
    user: str = required()
    password: SecretText | None = None
    ssh_key_file: PathLike | None = "~/.ssh/id_rsa"
    ssh_passphrase: SecretText | None = None
    use_active_gpu: bool = False
    max_trial_number_per_gpu: PositiveInt = 1
    gpu_indices: GpuIndices | None = None
    python_path: str | None = None

    def _fill_in(self, parents: list[ConfigBase], report: Report) -> None:
        if self.password is not None:
            self.ssh_key_file = None
        self.gpu_indices = self.gpu_indices or None

    def _check(self, parents: list[ConfigBase], report: Report) -> None:
        check_host(self, "host", report)
        check_not_blank(self, report, "user", "password", "python_path")
        if self.ssh_key_file is None:
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
    """

    platform: Literal["remote"] = "remote"
    machine_list: list[RemoteMachineConfig] = required()
    reuse_mode: bool = False

    def _check(self, parents: list[ConfigBase], report: Report) -> None:
        super()._check(parents, report)
        if self.machine_list is not None and not self.machine_list:
            message = "must provide at least one machine; allowed is a list of machines with host and user"
            report.add(message, "machine_list")
        for index, machine in enumerate(self.machine_list or []):
            check_share_of_gpu(
                machine.max_trial_number_per_gpu, self.trial_gpu_number, report.at("machine_list", index)
            )
