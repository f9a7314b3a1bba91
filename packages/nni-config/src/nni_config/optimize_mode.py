"""Whether larger or smaller results are better: one fact of the experiment."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING, Any

from nni_config.algorithms import OptimizeMode, find_algorithm
from nni_config.names import short
from nni_config.problems import InvalidConfigError, Report, Steps

if TYPE_CHECKING:
    from nni_config.experiment import ExperimentConfig

_MODES: tuple[OptimizeMode, OptimizeMode] = ("maximize", "minimize")
_ALLOWED = 'allowed are "maximize" and "minimize"'


def effective_optimize_mode(config: ExperimentConfig) -> OptimizeMode:
    """Returns what every view ranks by.

    That is the experiment's own optimize_mode, else the one in the arguments of the tuner or the assessor,
    else the tuner's default: "minimize" for TPE, TPE_legacy and Anneal, "maximize" for all others.

    Raises:
        InvalidConfigError: A mode is neither of the two, or two places contradict each other.
    """
    report = Report()
    check_optimize_mode(config, report)
    if report.problems:
        raise InvalidConfigError(report.problems)
    for _, mode in _written_modes(config):
        if mode in _MODES:
            return mode  # type: ignore[no-any-return]
    tuner = config.tuner
    built_in = find_algorithm(tuner.name, "tuner") if tuner is not None and tuner.name else None
    return built_in.default_optimize_mode if built_in else "maximize"


def check_optimize_mode(config: ExperimentConfig, report: Report) -> None:
    """Reports modes that are not allowed and modes that contradict each other."""
    first: tuple[Steps, Any] | None = None
    for path, mode in _written_modes(config):
        if mode not in _MODES:
            is_own_class = path[0] != "optimize_mode" and getattr(config, str(path[0])).is_own()
            # A class of one's own may mean something else by it, if the experiment says what is better.
            if not is_own_class:
                report.add(f"{short(mode)} is not allowed; {_ALLOWED}", *path)
            elif config.optimize_mode is None:
                message = (
                    f"{short(mode)} does not say what is better; {_ALLOWED}, or set optimize_mode as well"
                )
                report.add(message, *path)
        elif first is None:
            first = path, mode
        elif first[1] != mode:
            where = ".".join(str(step) for step in first[0])
            report.add(f"{mode!r} contradicts {where}, which is {first[1]!r}; allowed is one mode", *path)


def take_modes_of_instances(config: ExperimentConfig, report: Report) -> None:
    """Gives the experiment the mode that an instance was made with, which no argument in it tells.

    Args:
        config: The configuration; it is changed.
        report: Gets a mode that contradicts the experiment's.
    """
    for name in ("tuner", "assessor"):
        algorithm = getattr(config, name)
        instance = None if algorithm is None else algorithm.instance
        mode = None if instance is None else instance.optimize_mode
        if mode is None:
            continue
        if config.optimize_mode is None:
            config.optimize_mode = mode
        elif config.optimize_mode != mode:
            message = f"the instance has optimize_mode {mode!r}, which contradicts {config.optimize_mode!r}"
            report.add(f"{message}; allowed is one mode", name)


def _written_modes(config: ExperimentConfig) -> Iterator[tuple[Steps, Any]]:
    if config.optimize_mode is not None:
        yield ("optimize_mode",), config.optimize_mode
    for name in ("tuner", "assessor"):
        algorithm = getattr(config, name)
        mode = (algorithm.class_args or {}).get("optimize_mode") if algorithm is not None else None
        if mode is not None:
            yield (name, "class_args", "optimize_mode"), mode.value if isinstance(mode, Enum) else mode
