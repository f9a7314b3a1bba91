"""Where the parts of a converted V1 file stand in that file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from nni_config.origin import Origin, comparable_path
from nni_config.problems import Steps
from nni_config.v1_conversion import Work
from nni_config.v1_form import EACH, active_rules, at_positions, known_keys, pattern_of
from nni_config.v1_keys import PLATFORM, Joined


def v2_origin(work: Work, source: Origin) -> Origin:
    """Returns where each part of the V2 form stands in the V1 file, and what it is called there."""
    origin = Origin(source.file, {(): 1}, {(): ()})
    for target, path in _moved_parts(work, source):
        origin.lines[target] = source.lines[comparable_path(path)]
        origin.spellings[target] = path
    # A problem with what is missing names the V1 key that is missing.
    for target, path in _possible_parts(work):
        key = comparable_path(target)
        if key not in origin.lines:
            origin.lines[key] = _nearest_line(source, path)
            origin.spellings[key] = path
    return origin


def _moved_parts(work: Work, source: Origin) -> Iterator[tuple[Steps, Steps]]:
    """Yields the V2 path and the V1 path of everything that the V1 file has and the V2 form too."""
    targets: dict[Steps, list[Steps]] = defaultdict(list)
    for target, path in work.moves.items():
        targets[comparable_path(path)].append(comparable_path(target))
    for key, spelling in source.spellings.items():
        start = next((length for length in range(len(key), 0, -1) if key[:length] in targets), 0)
        is_inside = start < len(key)
        if not start or (is_inside and known_keys()[pattern_of(key[:start])].shape != "value"):
            continue
        for target in targets[key[:start]]:
            yield (*target, *key[start:]), spelling


def _possible_parts(work: Work) -> Iterator[tuple[Steps, Steps]]:
    """Yields the V2 path and the V1 path of everything that the V1 file could have."""
    for active in active_rules(work.places):
        if not active.target or isinstance(active.rule, Joined):
            continue
        spelling = known_keys()[active.pattern].path
        if EACH not in spelling:
            yield active.target, spelling
            continue
        lists = work.found.get(active.pattern[: spelling.index(EACH)], [])
        for position in range(max((len(value) for _, value in lists), default=0)):
            yield at_positions(active.target, (position,)), at_positions(spelling, (position,))
    for place in work.places:
        yield place.prefix, place.source
        for role in ("worker", "ps", "master"):
            yield (*place.prefix, role, "codeDirectory"), ("trial", "codeDir")
    yield ("searchSpace",), ("searchSpacePath",)
    yield ("trainingService",), (PLATFORM,)


def _nearest_line(source: Origin, path: Steps) -> int:
    key = comparable_path(path)
    return next(
        source.lines[key[:length]] for length in range(len(key), -1, -1) if key[:length] in source.lines
    )
