"""What goes wrong in the process of an algorithm."""

from __future__ import annotations


class CannotMakeError(Exception):
    """The algorithm cannot be made as it is configured; the text says why."""
