"""Decides which checkpoints of trials are kept. Pure: it knows names, no files."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a trial saves, or has saved.

    Attributes:
        trial_id: The trial.
        sequence_number: Its number in the experiment.
        ended_at: When it ended, None while it has not.
        objective: The number that it is ranked by, None for none.
        places: What names it: paths, of which those within count too, and the trial's id.
        mentions: The texts in the trial's parameters; where one names the checkpoint of another trial, this
            trial needs that.
        generation: The generation of a population that the trial belongs to, None for none.
    """

    trial_id: str
    sequence_number: int
    ended_at: float | None
    objective: float | None
    places: frozenset[str]
    mentions: frozenset[str] = frozenset()
    generation: int | None = None


def removable(
    checkpoints: Collection[Checkpoint],
    *,
    keep_best: int | None,
    keep_last: int | None,
    optimize_mode: str,
    newest_generation: int | None = None,
) -> list[Checkpoint]:
    """Returns the checkpoints that nobody needs, the oldest first.

    Kept are those of the best trials and of those that ended last; that of a trial that has not ended; those
    that a trial that has not ended names in its parameters; and of a population those of the two newest
    generations and what these loaded, from which the next one goes on.

    Args:
        checkpoints: All that are there, those of running trials among them.
        keep_best: How many of the best trials' are kept, None for no such rule.
        keep_last: How many of those that ended last are kept, None for no such rule. Without both all are.
        optimize_mode: "maximize" or "minimize".
        newest_generation: The newest generation that has a trial, None without a population.
    """
    if keep_best is None and keep_last is None:
        return []
    ended = [it for it in checkpoints if it.ended_at is not None]
    kept = {it.trial_id for it in _best(ended, optimize_mode)[: keep_best or 0]}
    latest = sorted(ended, key=lambda it: (it.ended_at or 0.0, it.sequence_number), reverse=True)
    kept |= {it.trial_id for it in latest[: keep_last or 0]}
    oldest = math.inf if newest_generation is None else newest_generation - 1
    young = [it for it in checkpoints if it.generation is not None and it.generation >= oldest]
    kept |= {it.trial_id for it in young}
    needed: set[str] = set()
    for it in (*(it for it in checkpoints if it.ended_at is None), *young):
        needed |= it.mentions
    free = [it for it in reversed(latest) if it.trial_id not in kept]
    return [it for it in free if not _is_named(it.places, needed)]


def texts_of(value: object) -> frozenset[str]:
    """Returns all texts in parameters, however deep."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            found.add(each.rstrip("/"))
        elif isinstance(each, dict):
            waiting.extend(each.values())
        elif isinstance(each, (list, tuple)):
            waiting.extend(each)
    return frozenset(found)


def _best(ended: list[Checkpoint], optimize_mode: str) -> list[Checkpoint]:
    """Returns those with a result, the best first, the earlier of equals first."""
    sign = -1.0 if optimize_mode == "maximize" else 1.0
    ranked = [(sign * it.objective, it.sequence_number, it) for it in ended if it.objective is not None]
    return [it for _, _, it in sorted(ranked, key=lambda entry: entry[:2])]


def _is_named(places: frozenset[str], needed: set[str]) -> bool:
    return any(text == place or text.startswith(f"{place}/") for place in places for text in needed)
