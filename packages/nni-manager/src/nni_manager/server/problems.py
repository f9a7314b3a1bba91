"""Why a manager does not start."""

from __future__ import annotations


class StartProblem(Exception):  # noqa: N818 - it is for the user, not a fault of the program
    """The manager cannot start; the text tells a user why and what to do."""
