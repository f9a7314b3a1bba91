"""Where in a file the parts of a configuration stand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from nni_config.names import PathStep, camel_case, comparable, path_text
from nni_config.problems import Problem, Steps


def comparable_path(path: Iterable[PathStep]) -> Steps:
    """Returns a path with its names in one spelling."""
    return tuple(comparable(step) if isinstance(step, str) else step for step in path)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the parts of what a file holds stand in it.

    Attributes:
        file: The file, as it was named.
        lines: The line, from 1, of each path, by `comparable_path`.
        spellings: Each path as it was written, by `comparable_path`.
    """

    file: str
    lines: dict[Steps, int]
    spellings: dict[Steps, Steps]

    def located(self, problem: Problem) -> Problem:
        """Returns a problem with its file and line, and its path as it was written."""
        key = comparable_path(problem.path)
        known = next((length for length in range(len(key), -1, -1) if key[:length] in self.lines), 0)
        rest = [camel_case(step) if isinstance(step, str) else step for step in problem.path[known:]]
        line = self.lines.get(key[:known], 0)
        return replace(
            problem,
            location=f"{self.file}:{line}" if line else self.file,
            line=line,
            shown_path=path_text([*self.spellings.get(key[:known], ()), *rest]),
        )
