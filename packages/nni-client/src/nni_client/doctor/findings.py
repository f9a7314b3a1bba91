"""What a check of this machine finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(str, Enum):
    """How good or bad a finding is.

    Attributes:
        OK: All is well.
        NOTE: Nothing is wrong; it is good to know.
        WARNING: Experiments run, but something may go wrong or slowly.
        FAILURE: Experiments do not run, or not as they should.
    """

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        level: How good or bad it is.
        text: What it is.
        repair: What to do about it; never empty for a warning or a failure.
    """

    level: Level
    text: str
    repair: str = ""


def ok(text: str) -> Finding:
    """Returns that all is well."""
    return Finding(Level.OK, text)


def note(text: str) -> Finding:
    """Returns what is good to know."""
    return Finding(Level.NOTE, text)


def warning(text: str, repair: str) -> Finding:
    """Returns what may go wrong, and what to do about it."""
    return Finding(Level.WARNING, text, repair)


def failure(text: str, repair: str) -> Finding:
    """Returns what keeps experiments from running, and what to do about it."""
    return Finding(Level.FAILURE, text, repair)
