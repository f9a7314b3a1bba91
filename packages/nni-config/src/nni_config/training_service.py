"""Where trials run: what every place has in common, and how a place is found by its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from nni_config.base import ConfigBase
from nni_config.fields import NonNegativeInt, PathLike, filled_in, required
from nni_config.names import closest, comparable, short
from nni_config.problems import InvalidConfigError, Problem, Report

_SHORTCUTS = ("trial_command", "trial_code_directory", "trial_gpu_number", "nni_manager_ip", "debug")

_OTHER_PLATFORMS = (
    "remote",
    "openpai",
    "pai",
    "aml",
    "dlc",
    "kubeflow",
    "frameworkcontroller",
    "adl",
    "hybrid",
)


class TrainingServiceConfig(ConfigBase):
    """Base of the configurations of places where trials run.

    A subclass gives `platform` a default and is found by it. Its other fields below are taken from the
    experiment's configuration where they are not set.

    Attributes:
        platform: The name of the place.
        trial_command: The command of each trial, run by bash.
        trial_code_directory: The folder that trials run in.
        trial_gpu_number: How many GPUs each trial needs. 0 hides every GPU, None changes nothing.
        nni_manager_ip: The address at which trials on other machines reach the manager.
        debug: Log more.
    """

    _place: ClassVar[str | None] = "training_service"

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
            available = ", ".join(sorted(_classes()))
            problem = Problem(("platform",), f"it is not set; available: {available}")
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

    def _check(self, parents: list[ConfigBase], report: Report) -> None:
        command = self._report_of("trial_command", parents, report)
        if self.trial_command is None or not self.trial_command.strip():
            command.add('it is not set; allowed is a command such as "python3 train.py"', "trial_command")
        directory = self._report_of("trial_code_directory", parents, report)
        if self.trial_code_directory is None:
            directory.add("it is not set; allowed is a folder", "trial_code_directory")
        elif not Path(self.trial_code_directory).is_dir():
            message = f'"{self.trial_code_directory}" is not a directory; allowed is an existing folder'
            directory.add(message, "trial_code_directory")

    def _report_of(self, name: str, parents: list[ConfigBase], report: Report) -> Report:
        """Returns the report of the configuration in which a shortcut's value was written."""
        is_inherited = bool(parents) and getattr(parents[0], name, None) == getattr(self, name)
        return report.root() if is_inherited else report


def training_service_class(platform: Any) -> type[TrainingServiceConfig]:
    """Returns the configuration class of a platform.

    Raises:
        ValueError: There is none; the text names those that there are.
    """
    classes = _classes()
    if platform in list(classes):
        return classes[platform]
    available = f"available: {', '.join(sorted(classes))}"
    if platform in _OTHER_PLATFORMS:
        reason = "is not available in this version"
    else:
        guess = closest(platform, classes) if isinstance(platform, str) else None
        reason = "is not a platform" + (f" (did you mean {guess!r}?)" if guess else "")
    raise ValueError(f"{short(platform)} {reason}; {available}")


def _classes() -> dict[str, type[TrainingServiceConfig]]:
    """Returns the classes that have a platform. A class defined later takes the place of an earlier one."""
    by_platform = {}
    for each in _subclasses(TrainingServiceConfig):
        platform = each.model_fields["platform"].default
        if isinstance(platform, str):
            by_platform[platform] = each
    return by_platform


def _subclasses(config_class: type[TrainingServiceConfig]) -> Iterator[type[TrainingServiceConfig]]:
    for subclass in config_class.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)
