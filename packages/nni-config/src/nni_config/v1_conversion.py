"""Converts NNI's V1 configuration files to the V2 form."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from nni_config.names import comparable, path_text, short
from nni_config.problems import Problem, Steps
from nni_config.v1_form import (
    ActiveRule,
    Place,
    active_rules,
    at_positions,
    known_keys,
    pattern_of,
    places_of,
)
from nni_config.v1_guesses import refusal_of_key
from nni_config.v1_keys import HYBRID, PLATFORMS, Dropped, Joined, MovedIfTrue, Section
from nni_config.yaml_file import YamlDocument


@dataclass(frozen=True, slots=True)
class Conversion:
    """A V1 file in the V2 form.

    Attributes:
        document: The V2 form, as if it had been read from the V1 file: its lines and keys are that file's.
        notes: What was left out or added, and why.
    """

    document: YamlDocument
    notes: list[Problem]


@dataclass(slots=True)
class Work:
    """What a conversion has come to so far.

    Attributes:
        places: Where trials are to run.
        found: The paths and values of the file's keys, by pattern.
        result: The V2 form.
        moves: The V1 path of what is at each V2 path.
        notes: What was left out or added; the paths are V1's.
        problems: What is wrong; the paths are V1's.
    """

    places: list[Place]
    found: dict[Steps, list[tuple[Steps, Any]]] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    moves: dict[Steps, Steps] = field(default_factory=dict)
    notes: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def entry(self, *names: str) -> tuple[Steps, Any]:
        """Returns the path and the value of a V1 key; the value is None if it is not set."""
        found = self.found.get(pattern_of(names))
        return found[0] if found else (names, None)

    def put(self, target: Steps, value: Any, source: Steps) -> None:
        """Puts a value into the V2 form and remembers where it came from."""
        place: Any = self.result
        for step, following in pairwise(target):
            empty: Any = [] if isinstance(following, int) else {}
            if isinstance(step, int):
                place.extend({} for _ in range(step + 1 - len(place)))
                place = place[step]
            else:
                place = place.setdefault(step, empty)
        if isinstance(target[-1], int):
            place.extend({} for _ in range(target[-1] + 1 - len(place)))
        place[target[-1]] = value
        self.moves[target] = source

    def at(self, target: Steps) -> Any:
        """Returns what is at a V2 path, None if there is nothing."""
        value: Any = self.result
        for step in target:
            if isinstance(value, dict):
                value = value.get(step)
            else:
                value = value[step] if isinstance(step, int) and step < len(value or []) else None
        return value


def converted(source: YamlDocument) -> Conversion:
    """Returns the V2 form of a V1 file. What is wrong with the V1 file is in its document's problems."""
    from nni_config.v1_additions import add_what_v1_implied
    from nni_config.v1_origin import v2_origin

    places, problems = places_of(source.value)
    work = Work(places, problems=problems)
    _find_keys(work, source.value, ())
    for place in places:
        work.put((*place.prefix, "platform"), PLATFORMS[place.platform], place.source)
    for active in active_rules(places):
        for path, value in work.found.get(active.pattern, []):
            _apply(work, active, path, value)
    # The training service comes last, as in the documentation.
    if places:
        work.result["trainingService"] = work.result.pop("trainingService")
        add_what_v1_implied(work)
    located = [source.origin.located(problem) for problem in work.problems]
    document = YamlDocument(
        work.result if places else None, v2_origin(work, source.origin), [*source.problems, *located]
    )
    notes = [source.origin.located(note) for note in work.notes]
    return Conversion(document, sorted(notes, key=lambda note: note.line))


def _find_keys(work: Work, mapping: dict[Any, Any], path: Steps) -> None:
    """Collects the keys of a part of the file, and refuses those that the V1 form does not have."""
    given: dict[str, str] = {}
    for key, value in mapping.items():
        first = given.setdefault(comparable(str(key)), str(key))
        if first != str(key):
            message = f"it is given twice, as {first} and as {key}; allowed is one"
            work.problems.append(Problem((*path, str(key)), message))
        else:
            _find(work, value, (*path, str(key)))


def _find(work: Work, value: Any, path: Steps) -> None:
    pattern = pattern_of(path)
    known = known_keys().get(pattern)
    if known is None:
        work.problems.append(Problem(path, refusal_of_key(path)))
        return
    if value is None or not _is_for_this_file(work, path, known.platforms):
        return
    if known.shape == "value":
        work.found.setdefault(pattern, []).append((path, value))
    elif known.shape == "mapping" and isinstance(value, dict):
        work.found.setdefault(pattern, []).append((path, value))
        _find_keys(work, value, path)
    elif known.shape == "list" and isinstance(value, list):
        work.found.setdefault(pattern, []).append((path, value))
        for index, element in enumerate(value):
            _find(work, element, (*path, index))
    else:
        allowed = "a list of names with values" if known.shape == "list" else "names with values"
        work.problems.append(Problem(path, f"{short(value)} is not allowed; allowed is {allowed}"))


def _is_for_this_file(work: Work, path: Steps, platforms: frozenset[str] | None) -> bool:
    """Returns whether the file's platform has a key; if not, that is noted."""
    here = [place.platform for place in work.places]
    is_hybrid = any(len(place.prefix) > 1 for place in work.places)
    # With a platform that there is not, nothing can be said about keys of other ones.
    if platforms is None or not here or platforms.intersection([*here, HYBRID] if is_hybrid else here):
        return True
    names = " and ".join(sorted(platforms))
    work.notes.append(Problem(path, f"it is for {names}, and trials are to run on {' and '.join(here)}"))
    return False


def _apply(work: Work, active: ActiveRule, path: Steps, value: Any) -> None:
    rule = active.rule
    if isinstance(rule, Dropped):
        if rule.must_be_false and value is not False:
            message = f"{short(value)} is not supported: {rule.reason}; allowed is false"
            work.problems.append(Problem(path, message))
        elif all(note.path != path for note in work.notes):
            work.notes.append(Problem(path, rule.reason))
        return
    target = at_positions(active.target, tuple(step for step in path if isinstance(step, int)))
    if isinstance(rule, Section):
        if work.at(target) is None:
            work.put(target, type(value)(), path)
    elif isinstance(rule, MovedIfTrue) and value is False:
        return
    elif not isinstance(rule, Joined):
        if work.at(target) not in (None, value):
            work.notes.append(Problem(work.moves[target], f"{path_text(path)} is set too, and wins"))
        work.put(target, value, path)
