"""Trial ids: five letters or digits, as in NNI, and never the same twice in one experiment."""

from __future__ import annotations

import hashlib
import string

_DIGITS = string.digits + string.ascii_letters
_LENGTH = 5
_COUNT = len(_DIGITS) ** _LENGTH


def trial_id(experiment_id: str, sequence_number: int) -> str:
    """Returns the id of a trial.

    The sequence number is multiplied and shifted modulo 62^5 by numbers that depend on the experiment, which
    maps different numbers to different ids for the first 916 million trials, without remembering any.

    Args:
        experiment_id: The experiment's id.
        sequence_number: The trial's number in it, from 0.
    """
    digest = hashlib.sha256(experiment_id.encode()).digest()
    shift = int.from_bytes(digest[:8], "big")
    factor = int.from_bytes(digest[8:16], "big") | 1
    while factor % 31 == 0:  # 62 = 2 * 31: odd and no multiple of 31 makes the mapping one-to-one
        factor += 2
    value = (factor * sequence_number + shift) % _COUNT
    characters = []
    for _ in range(_LENGTH):
        value, digit = divmod(value, len(_DIGITS))
        characters.append(_DIGITS[digit])
    return "".join(characters)
