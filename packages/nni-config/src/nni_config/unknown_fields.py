"""Says of a field that does not exist what was probably meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from nni_config.names import closest, comparable, in_style_of
from nni_config.platforms import PLATFORMS, load_every_class
from nni_config.problems import Problem

_ORDER = (
    "experiment",
    "algorithm",
    *(name.partition(".")[0] for name in PLATFORMS.values()),
    "shared_storage",
    "k8s_storage",
)
"""The modules in the order in which their classes are guessed."""

if TYPE_CHECKING:
    from nni_config.base import ConfigBase


def resolved_fields(
    config_class: type[ConfigBase], given: Mapping[Any, Any]
) -> tuple[dict[str, Any], list[Problem]]:
    """Returns values by the fields' real names, and a problem for each name unknown or given twice."""
    fields = {comparable(name): name for name in config_class.model_fields}
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, value in given.items():
        name = fields.get(comparable(key)) if isinstance(key, str) else None
        if name is None:
            problems.append(unknown_field(config_class, str(key)))
        elif name in values:
            problems.append(Problem((str(key),), f"{name} is given twice, in two spellings; allowed is one"))
        else:
            values[name] = value
    return values, problems


def unknown_field(config_class: type[ConfigBase], name: str) -> Problem:
    """Returns the problem of a field that a class does not have."""
    message = f"{config_class.__name__} does not have field {name if name.isprintable() else repr(name)}"
    explanation = config_class._explanation_of_unknown(name) or _guess(config_class, name)
    if explanation is None:
        allowed = ", ".join(in_style_of(name, field) for field in config_class.model_fields)
        explanation = f"allowed are {allowed}"
    return Problem((name,), f"{message}; {explanation}", is_unknown_field=True)


def _guess(config_class: type[ConfigBase], name: str) -> str | None:
    """Guesses a field of another class, exactly so named, before a similar one of this class."""
    others = [other for other in _every_class() if other is not config_class]
    for other in others:
        for field in other.model_fields:
            if comparable(field) == comparable(name):
                return _did_you_mean(config_class, other, name, field)
    for candidate in (config_class, *others):
        match = closest(name, candidate.model_fields, 0.7 if candidate is config_class else 0.85)
        if match is not None:
            return _did_you_mean(config_class, candidate, name, match)
    return None


def _did_you_mean(
    config_class: type[ConfigBase], candidate: type[ConfigBase], written: str, field: str
) -> str:
    spelled = in_style_of(written, field)
    place = candidate._place
    if candidate is config_class:
        return f"did you mean {spelled}?"
    if place == config_class._place:
        return f"it is a field of {candidate.__name__}"
    if not place:
        return f"did you mean {spelled} at the top level?"
    return f"did you mean {in_style_of(written, place)}.{spelled}?"


def _every_class() -> list[type[ConfigBase]]:
    """Returns the classes that have a place in an experiment's configuration, the usual ones first."""
    from nni_config.base import ConfigBase

    load_every_class()
    ranks = {f"nni_config.{name}": rank for rank, name in enumerate(_ORDER)}
    placed = [each for each in _subclasses(ConfigBase) if each._place is not None]
    return sorted(placed, key=lambda each: ranks.get(each.__module__, len(ranks)))


def _subclasses(config_class: type[ConfigBase]) -> Iterator[type[ConfigBase]]:
    for subclass in config_class.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)
