"""The last generation of another experiment, out of its results."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nni_manager.algorithms.population.checkpoints import SAVE, place_of, without_checkpoints
from nni_manager.algorithms.population.generation import Generation, Member
from nni_manager.algorithms.results import OptimizeMode, loss_of

_logger = logging.getLogger(__name__)


def last_whole_generation(data: list[Any], size: int, mode: OptimizeMode) -> Generation | str:
    """Returns the last generation that has a result of every member, or why there is none.

    Args:
        data: Records of `parameter`, with checkpoint directories, and `value`. Others are left out.
        size: How many members there are.
        mode: Which way a result is better.
    """
    generations: dict[int, dict[int, Member]] = {}
    for record in data:
        parameters = record.get("parameter") if isinstance(record, Mapping) else None
        place = place_of(parameters)
        if place is None or not isinstance(parameters, Mapping):
            _logger.warning("An imported record is left out: it has no %s of a population.", SAVE)
            continue
        member, number = place
        generations.setdefault(number, {})[member] = _member(parameters, record.get("value"), mode)
    whole = [number for number, members in generations.items() if set(members) == set(range(size))]
    if not whole:
        return f"no generation has a result of each of {size} members"
    members = [generations[max(whole)][index] for index in range(size)]
    gone = [member.save for member in members if not Path(member.save).is_dir()]
    if gone:
        return f"the checkpoint directory {gone[0]} does not exist"
    return Generation(max(whole), members)


def _member(parameters: Mapping[str, Any], value: Any, mode: OptimizeMode) -> Member:
    save = str(parameters[SAVE])
    member = Member(
        without_checkpoints(parameters), str(parameters.get("load_checkpoint_dir", save)), save, 0
    )
    try:
        member.loss = loss_of(value, mode)
    except RuntimeError:
        member.failed = True
    return member
