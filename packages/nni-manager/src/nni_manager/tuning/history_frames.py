"""Turns a history into the messages that tell it, a piece at a time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from nni_manager.engine.effects import TellSearchSpace
from nni_manager.tuning.framing import body_of
from nni_manager.tuning.interface import HistoryEntry
from nni_manager.tuning.requests import request_of

_ENTRIES = 256

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Piece:
    """Some messages of a history.

    Attributes:
        messages: The messages as bytes.
        space_changes: The number of the call of each change of the search space, by the message's number.
        untold_space_changes: Why changes of the search space cannot be told, by the number of the call.
    """

    messages: list[bytes] = field(default_factory=list)
    space_changes: dict[int, int] = field(default_factory=dict)
    untold_space_changes: dict[int, str] = field(default_factory=dict)


def next_piece(entries: Iterator[HistoryEntry], last_number: int) -> Piece | None:
    """Returns the next messages, None when there are no more. May take long: entries may be read meanwhile.

    Args:
        entries: What is left of the history.
        last_number: The number of the message before.
    """
    piece = Piece()
    has_entries = False
    for entry in islice(entries, _ENTRIES):
        has_entries = True
        number = last_number + len(piece.messages) + 1
        try:
            request = request_of(entry)
            request.number = number
            piece.messages.append(body_of(request))
        except (TypeError, ValueError) as error:
            _logger.warning("An entry of the history cannot be told and is left out: %s", error)
            if isinstance(entry, TellSearchSpace):
                piece.untold_space_changes[entry.number] = str(error)
            continue
        if isinstance(entry, TellSearchSpace):
            piece.space_changes[number] = entry.number
    return piece if has_entries else None
