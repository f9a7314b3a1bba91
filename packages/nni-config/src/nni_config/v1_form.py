"""What NNI's V1 form consists of: its keys, and which of them a file's platform has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from nni_config.names import closest, comparable, short
from nni_config.problems import Problem, Steps
from nni_config.v1_keys import COMMON, GONE, HYBRID, HYBRID_LIST, OF_PLATFORM, PLATFORM, PLATFORMS, Rule

EACH = "*"
"""Stands for every position of a list in a pattern."""

_SERVICE = "trainingService"


@dataclass(frozen=True, slots=True)
class Known:
    """A key of the V1 form.

    Attributes:
        path: The way to it as V1 spells it.
        shape: What it holds.
        platforms: The platforms that have it, None for every platform.
    """

    path: tuple[str, ...]
    shape: Literal["value", "mapping", "list"]
    platforms: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Place:
    """A place to run trials that a V1 file names.

    Attributes:
        platform: V1's name of the platform.
        prefix: The way to its training service in the V2 form.
        source: The way to its name in the V1 file.
    """

    platform: str
    prefix: Steps
    source: Steps


@dataclass(frozen=True, slots=True)
class ActiveRule:
    """A rule for a file.

    Attributes:
        pattern: The key's pattern.
        rule: What becomes of the key.
        target: The way to it in the V2 form, with `EACH` for positions; empty when there is none.
    """

    pattern: Steps
    rule: Rule
    target: Steps


def pattern_of(path: Steps) -> Steps:
    """Returns what is compared of a path: names in one spelling, and `EACH` for positions."""
    return tuple(comparable(step) if isinstance(step, str) else EACH for step in path)


@cache
def known_keys() -> dict[Steps, Known]:
    """Returns every key of the V1 form by its pattern, in the order of the tables."""
    platforms: dict[tuple[str, ...], frozenset[str] | None] = {(PLATFORM,): None}
    shapes: dict[tuple[str, ...], Literal["value", "mapping", "list"]] = {}
    tables = [(None, COMMON), *((frozenset({name}), rules) for name, rules in OF_PLATFORM.items())]
    paths = [(each, tuple(path.split("."))) for each, rules in tables for path in rules]
    for of, path in [*paths, (frozenset({HYBRID}), tuple(HYBRID_LIST.split(".")))]:
        for length in range(1, len(path) + 1):
            part = path[:length]
            before = platforms.get(part, frozenset())
            platforms[part] = None if of is None or before is None else before | of
            if length < len(path):
                shapes[part] = "list" if path[length] == EACH else "mapping"
    return {pattern_of(path): Known(path, shapes.get(path, "value"), of) for path, of in platforms.items()}


def places_of(form: dict[Any, Any]) -> tuple[list[Place], list[Problem]]:
    """Returns where a V1 file has trials run, and what is wrong with what it says of that."""
    path, platform = _entry(form, PLATFORM, ())
    if platform != HYBRID:
        problem = _refusal(platform, [*PLATFORMS, HYBRID])
        if problem is not None:
            return [], [Problem(path, problem)]
        return [Place(platform, (_SERVICE,), path)], []
    section, name = HYBRID_LIST.split(".")
    section_path, value = _entry(form, section, ())
    list_path, names = _entry(value if isinstance(value, dict) else {}, name, section_path)
    if not isinstance(names, list) or not names:
        allowed = f"allowed is a list of {', '.join(PLATFORMS)}"
        return [], [Problem(list_path, f"{short(names)} names no platforms; {allowed}")]
    refusals = [_refusal(each, list(PLATFORMS)) for each in names]
    problems = [Problem((*list_path, index), text) for index, text in enumerate(refusals) if text]
    places = [Place(each, (_SERVICE, index), (*list_path, index)) for index, each in enumerate(names)]
    return ([] if problems else places), problems


def active_rules(places: list[Place]) -> Iterator[ActiveRule]:
    """Yields the rules for a file that has trials run in some places, in the order of the tables."""
    for place, rules in [(None, COMMON), *((place, OF_PLATFORM[place.platform]) for place in places)]:
        for path, rule in rules.items():
            target: Steps = tuple(rule.target.split(".")) if hasattr(rule, "target") else ()
            if place is not None and target[:1] == ("@",):
                target = (*place.prefix, *target[1:])
            yield ActiveRule(pattern_of(tuple(path.split("."))), rule, target)


def at_positions(pattern: Steps, positions: Steps) -> Steps:
    """Returns a path with its `EACH` steps replaced by positions, one after the other."""
    rest = iter(positions)
    return tuple(next(rest) if step == EACH else step for step in pattern)


def _entry(form: dict[Any, Any], name: str, below: Steps) -> tuple[Steps, Any]:
    for key, value in form.items():
        if comparable(str(key)) == comparable(name):
            return (*below, str(key)), value
    return (*below, name), None


def _refusal(platform: Any, allowed: list[str]) -> str | None:
    """Returns why something is not the name of a platform, None if it is one."""
    if isinstance(platform, str) and platform in allowed:
        return None
    names = f"allowed are {', '.join(allowed)}"
    if platform is None:
        return f"it is not set; {names}"
    if isinstance(platform, str) and platform in GONE:
        return f"{GONE[platform]}; {names}"
    guess = closest(platform, allowed) if isinstance(platform, str) else None
    question = f" (did you mean {guess}?)" if guess else ""
    return f"{short(platform)} is not a platform of NNI's V1 form{question}; {names}"
