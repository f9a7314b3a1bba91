"""Where trials run: what every place has in common, and how a place is found by its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from nni_config.base import ConfigBase
from nni_config.checks import check_directory
from nni_config.fields import NonNegativeInt, PathLike, filled_in, required
from nni_config.names import closest, comparable, short
from nni_config.platforms import OTHER_NAMES, PLATFORMS, load_platform
from nni_config.problems import InvalidConfigError, Problem, Report
from nni_config.registered_training_services import known_packages, load_package

_SHORTCUTS = ("trial_command", "trial_code_directory", "trial_gpu_number", "nni_manager_ip", "debug")

DOCKER_IMAGE = "msranni/nni:latest"
"""The image that trials in containers run in unless another is named."""


class TrainingServiceConfig(ConfigBase):
    """Base of the configurations of places where trials run.

    A subclass gives `platform` a default and is found by it. Its other fields below are taken from the
    experiment's configuration where they are not set.

    Attributes:
        platform: The name of the place. Rule: the name of a platform that there is.
        trial_command: The command of each trial, run by bash. Rule: not blank; the experiment's if not set.
        trial_code_directory: The folder that trials run in. Rule: an existing folder; the experiment's if not
            set.
        trial_gpu_number: How many GPUs each trial needs. 0 hides every GPU, None changes nothing. Unit: GPUs.
            Rule: the experiment's if not set.
        nni_manager_ip: The address at which trials on other machines reach the manager. Rule: the name or
            address of a machine; the experiment's if not set.
        debug: Log more. Rule: the experiment's if not set.
    """

    _place: ClassVar[str | None] = "training_service"
    _needs_command: ClassVar[bool] = True
    """Whether trials run the command above; else each role has its own."""

    platform: str = required()
    trial_command: str = filled_in()
    trial_code_directory: PathLike = filled_in()
    trial_gpu_number: NonNegativeInt | None = None
    nni_manager_ip: str | None = None
    debug: bool = filled_in()

    @classmethod
    def _from_mapping(cls, mapping: Mapping[Any, Any]) -> ConfigBase:
        if cls is not TrainingServiceConfig:
            return super()._from_mapping(mapping)
        names = [key for key in mapping if isinstance(key, str) and comparable(key) == "platform"]
        if not names or mapping[names[0]] is None:
            problem = Problem(("platform",), f"it is not set; available: {', '.join(_names())}")
            raise InvalidConfigError([problem])
        try:
            config_class = training_service_class(mapping[names[0]])
        except ValueError as error:
            raise InvalidConfigError([Problem(("platform",), str(error))]) from None
        return config_class._from_mapping(mapping)

    @classmethod
    def _refusal_of(cls, value: Any) -> str:
        return f"{short(value)} is not a training service; allowed is LocalConfig(), or platform: local"

    def _fill_in(self, parents: list[ConfigBase], report: Report) -> None:
        for name in _SHORTCUTS:
            if getattr(self, name) is None and parents:
                setattr(self, name, getattr(parents[0], name, None))
        if self.debug is None:
            self.debug = False
        if self.trial_command is None and not self._needs_command:
            self.trial_command = ""

    def _check(self, parents: list[ConfigBase], report: Report) -> None:
        command = self._report_of("trial_command", parents, report)
        if self._needs_command and (self.trial_command is None or not self.trial_command.strip()):
            command.add('it is not set; allowed is a command such as "python3 train.py"', "trial_command")
        directory = self._report_of("trial_code_directory", parents, report)
        if self.trial_code_directory is None and self._needs_command:
            directory.add("it is not set; allowed is a folder", "trial_code_directory")
        check_directory(self, "trial_code_directory", directory)

    def _report_of(self, name: str, parents: list[ConfigBase], report: Report) -> Report:
        """Returns the report of the configuration in which a field's value was written."""
        if name in _SHORTCUTS and parents and getattr(parents[0], name, None) == getattr(self, name):
            return report.root()
        return report


def training_service_class(platform: Any) -> type[TrainingServiceConfig]:
    """Returns the configuration class of a platform.

    Raises:
        ValueError: There is none, and the text names those that there are; or a registered package is broken.
    """
    if isinstance(platform, str):
        found = training_service_classes().get(platform)
        if found is None and platform in PLATFORMS:
            load_platform(platform)
            found = training_service_classes()[platform]
        if found is None and load_package(platform):
            found = training_service_classes().get(platform)
        if found is not None:
            return found
    if platform in list(OTHER_NAMES):
        reason = f"is not a platform; {OTHER_NAMES[platform]}"
    else:
        guess = closest(platform, _names()) if isinstance(platform, str) else None
        reason = "is not a platform" + (f" (did you mean {guess!r}?)" if guess else "")
    raise ValueError(f"{short(platform)} {reason}; available: {', '.join(_names())}")


def forget_filled_in(service: TrainingServiceConfig, experiment: ConfigBase) -> None:
    """Unsets the fields that only repeat the experiment's, so that a change there counts here again.

    Args:
        service: One of the experiment's training services; it is changed.
        experiment: The experiment's configuration.
    """
    for name in _SHORTCUTS:
        value = getattr(service, name)
        if value is not None and value == getattr(experiment, name, None):
            setattr(service, name, None)


def check_share_of_gpu(trials_per_gpu: int | None, trial_gpu_number: int | None, report: Report) -> None:
    """Reports a number of trials that share a GPU where trials get no GPU."""
    if not trial_gpu_number and trials_per_gpu not in (1, None):
        message = "it does not work without trial_gpu_number; allowed is 1, or a trial_gpu_number above 0"
        report.add(message, "max_trial_number_per_gpu")


def _names() -> list[str]:
    """Returns the names of the platforms, those of the built-in ones first."""
    others = {*training_service_classes(), *known_packages()} - PLATFORMS.keys()
    return [*PLATFORMS, *sorted(others)]


def training_service_classes() -> dict[str, type[TrainingServiceConfig]]:
    """Returns the loaded classes by their platforms. One defined later takes the place of an earlier one."""
    by_platform: dict[str, type[TrainingServiceConfig]] = {}
    for each in _subclasses(TrainingServiceConfig):
        platform = each.model_fields["platform"].default
        # A class of somebody else's is not replaced by a built-in one that is loaded after it.
        if isinstance(platform, str) and not (platform in by_platform and is_built_in(each)):
            by_platform[platform] = each
    return by_platform


def is_built_in(config_class: type[TrainingServiceConfig]) -> bool:
    """Returns whether a class is one of this package's own."""
    return config_class.__module__.startswith("nni_config.")


def _subclasses(config_class: type[TrainingServiceConfig]) -> Iterator[type[TrainingServiceConfig]]:
    for subclass in config_class.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)
