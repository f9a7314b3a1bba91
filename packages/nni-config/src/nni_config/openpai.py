"""Trials on OpenPAI."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from nni_config.base import ConfigBase
from nni_config.checks import check_directory, check_file, check_not_blank
from nni_config.fields import JsonObject, MemorySize, PathLike, PositiveInt, SecretText, required
from nni_config.names import path_text
from nni_config.openpai_job import complaints
from nni_config.problems import InvalidConfigError, Report, error_of
from nni_config.training_service import DOCKER_IMAGE, TrainingServiceConfig
from nni_config.yaml_file import read_yaml


class OpenpaiConfig(TrainingServiceConfig):
    """Runs trials on OpenPAI.

    Attributes:
        host: The address of OpenPAI's web portal. Rule: not blank; https where no scheme is written, or http.
        username: The name of the account. Rule: not blank.
        token: The account's token. Rule: not blank; not needed with token_file.
        trial_cpu_number: How many CPU cores each trial gets. Unit: cores.
        trial_memory_size: How much memory each trial gets.
        storage_config_name: The name of the storage in OpenPAI. Rule: not blank.
        docker_image: The image that trials run in. Rule: not blank.
        virtual_cluster: The virtual cluster, None for the default one. Rule: not blank.
        local_storage_mount_point: Where the storage is mounted on this machine. Rule: an existing folder.
        container_storage_mount_point: Where the storage is mounted in the containers. Rule: not blank.
        reuse_mode: Keep a job from trial to trial.
        openpai_config: Further settings of the jobs, as OpenPAI's job protocol has them. Rule: not beside
            openpai_config_file.
        openpai_config_file: A file with such settings. Rule: an existing file; not beside openpai_config.
        token_file: A file with the account's token in it. It is read again when the token is no longer taken,
            so that writing a new one there is enough. Rule: an existing file; not beside token.
        ca_file: A file with the certificates, in PEM form, that say whom to trust instead of the system's.
            Rule: an existing file.
        insecure: Take any certificate, so that anybody between here and there can read the token. None is
            false. Rule: not beside ca_file.
        max_code_size: How large the code folder may be, without what .nniignore leaves out. None is 300MB.
            Unit: MiB.
    """

    _instead: ClassVar[dict[str, str]] = {"token": "token_file"}

    platform: Literal["openpai"] = "openpai"
    host: str = required()
    username: str = required()
    token: SecretText = required()
    trial_cpu_number: PositiveInt = required()
    trial_memory_size: MemorySize = required()
    storage_config_name: str = required()
    docker_image: str = DOCKER_IMAGE
    virtual_cluster: str | None = None
    local_storage_mount_point: PathLike = required()
    container_storage_mount_point: str = required()
    reuse_mode: bool = True
    openpai_config: JsonObject | None = None
    openpai_config_file: PathLike | None = None
    token_file: PathLike | None = None
    ca_file: PathLike | None = None
    insecure: bool | None = None
    max_code_size: MemorySize | None = None

    def job_settings(self) -> dict[str, Any]:
        """Returns the further settings of the jobs, {} where there are none.

        Raises:
            InvalidConfigError: The file does not hold such settings.
            OSError: It cannot be read.
        """
        if self.openpai_config_file is None:
            return dict(self.openpai_config or {})
        document = read_yaml(Path(self.openpai_config_file))
        if document.problems:
            raise error_of(document.problems)
        if not isinstance(document.value, dict):
            raise ValueError(
                "it does not hold an object; allowed is a job of OpenPAI's protocol, or parts of one"
            )
        return document.value

    def _secret_use(self, name: str) -> bool | None:
        return None if name == "token" and self.token_file is not None else True

    def _fill_in(self, parents: list[ConfigBase], report: Report) -> None:
        super()._fill_in(parents, report)
        if self.host is not None and "://" not in self.host:
            self.host = f"https://{self.host}"

    def _check(self, parents: list[ConfigBase], report: Report) -> None:
        super()._check(parents, report)
        if self.host is not None and not self.host.startswith(("https://", "http://")):
            report.add(f'"{self.host}" has another scheme; allowed are https and http', "host")
        elif self.host is not None and not self.host.partition("://")[2].strip("/ "):
            report.add("it is blank; allowed is the address of the web portal", "host")
        if self.trial_gpu_number is None:
            report.add("it is not set; allowed is a whole number from 0", "trial_gpu_number")
        names = ("username", "token", "storage_config_name", "docker_image", "container_storage_mount_point")
        check_not_blank(self, report, *names, "virtual_cluster")
        check_directory(self, "local_storage_mount_point", report)
        if self.openpai_config is not None and self.openpai_config_file is not None:
            message = "openpai_config and openpai_config_file are both set; allowed is one of the two"
            report.add(message, "openpai_config_file")
        for name in ("openpai_config_file", "token_file", "ca_file"):
            check_file(self, name, report)
        if self.token is not None and self.token_file is not None:
            report.add("token and token_file are both set; allowed is one of the two", "token_file")
        if self.insecure and self.ca_file is not None:
            report.add("insecure and ca_file are both set; allowed is one of the two", "insecure")
        self._check_settings(report)

    def _check_settings(self, report: Report) -> None:
        """Reports what is wrong with the further settings of the jobs."""
        place = "openpai_config" if self.openpai_config_file is None else "openpai_config_file"
        if report.has_problem(place):
            return
        try:
            found = complaints(self, self.job_settings())
        except InvalidConfigError as error:
            for problem in error.problems:
                report.add(f"{problem.location}: {problem.message}", place)
        except (OSError, ValueError) as error:
            report.add(str(error), place)
        else:
            for path, message in found:
                if place == "openpai_config":
                    report.add(message, place, *path)
                else:
                    report.add(f"{path_text(path)}: {message}", place)
