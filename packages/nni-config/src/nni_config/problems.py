"""What is wrong with a configuration: collected first, raised all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from nni_config.names import PathStep, path_text

Steps = tuple[PathStep, ...]
"""The way to a value in a configuration."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        path: The way to the value, in Python's names.
        message: What is wrong, and what is allowed.
        location: "file:line" when it was read from a file.
        line: That line, 0 when there is none.
        shown_path: The way as it was written, where that differs.
        is_unknown_field: Whether the field does not exist.
    """

    path: Steps
    message: str
    location: str = ""
    line: int = 0
    shown_path: str = ""
    is_unknown_field: bool = False

    def __str__(self) -> str:
        parts = [self.location, self.shown_path or path_text(self.path), self.message]
        return ": ".join(part for part in parts if part)

    def below(self, *steps: PathStep) -> Problem:
        """Returns the problem as seen from further out."""
        return replace(self, path=(*steps, *self.path))


_MOST_LINES = 200
"""How many problems are written out."""


class InvalidConfigError(ValueError):
    """A configuration is not valid. The text has one line for each problem, but for very many.

    Attributes:
        problems: Everything that is wrong.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems)
        self.problems: tuple[Problem, ...] = tuple(problems)

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems[:_MOST_LINES]]
        more = len(self.problems) - len(lines)
        return "\n".join([*lines, f"and {more} more like these"] if more else lines)


class UnknownFieldError(InvalidConfigError, AttributeError):
    """A configuration has a field that does not exist, and perhaps other problems."""


class NotAMappingError(InvalidConfigError, TypeError):
    """A configuration file holds something else than fields with values."""


def error_of(problems: Sequence[Problem]) -> InvalidConfigError:
    """Returns the error to raise for some problems."""
    if any(problem.is_unknown_field for problem in problems):
        return UnknownFieldError(problems)
    return InvalidConfigError(problems)


@dataclass(frozen=True, slots=True)
class Report:
    """Collects problems of one part of a configuration.

    Attributes:
        problems: All problems of the whole configuration so far.
        path: The part that this report is about.
        already_wrong: Paths with problems of their own, about which nothing more is said.
    """

    problems: list[Problem] = field(default_factory=list)
    path: Steps = ()
    already_wrong: frozenset[Steps] = frozenset()
    _known: set[Problem] = field(default_factory=set)
    _paths: set[Steps] = field(default_factory=set)

    def at(self, *steps: PathStep) -> Report:
        """Returns the report about a part of this part."""
        return Report(self.problems, (*self.path, *steps), self.already_wrong, self._known, self._paths)

    def root(self) -> Report:
        """Returns the report about the whole configuration."""
        return replace(self, path=())

    def add(self, message: str, *steps: PathStep) -> None:
        """Adds a problem of the value at the given steps from here."""
        self.add_problem(Problem((*self.path, *steps), message))

    def has_problem(self, *steps: PathStep) -> bool:
        """Returns whether there is a problem of the value at the given steps from here, or was one in it."""
        path = (*self.path, *steps)
        return path in self._paths or any(wrong[: len(path)] == path for wrong in self.already_wrong)

    def add_all(self, problems: Sequence[Problem]) -> None:
        """Adds problems whose paths begin here."""
        for problem in problems:
            self.add_problem(problem.below(*self.path))

    def add_problem(self, problem: Problem) -> None:
        """Adds a problem whose path begins at the root."""
        starts = (problem.path[:length] for length in range(len(problem.path) + 1))
        if problem not in self._known and self.already_wrong.isdisjoint(starts):
            self.problems.append(problem)
            self._known.add(problem)
            self._paths.add(problem.path)
