"""What parameter importance is measured from, and what comes of it; free of the libraries that measure."""

from __future__ import annotations

from dataclasses import dataclass

MOST_ROWS = 2000
"""Of how many trials importance is measured at most."""

FEWEST_ROWS = 10
"""With fewer trials a measure would only show chance."""

Cell = float | str | None
"""What a trial has for a parameter: a number, text, or nothing."""


@dataclass(frozen=True, slots=True)
class ParameterColumn:
    """A parameter of many trials.

    Attributes:
        name: The parameter.
        cells: What each trial has for it.
    """

    name: str
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Importance:
    """How much a parameter matters.

    Attributes:
        parameter: Its name.
        importance: Its share of what all of them explain, from 0 to 1.
        standard_deviation: How much that varied when it was measured again.
        rank_correlation: Spearman's, with the result; None when the parameter or the result has a single
            value, or the parameter is no number.
    """

    parameter: str
    importance: float
    standard_deviation: float
    rank_correlation: float | None


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found.

    Attributes:
        importances: The parameters, the most important one first.
        explained: Which part of the variance of the results' ranks the model explains in trials that it was
            not made from, from 0 to 1.
    """

    importances: list[Importance]
    explained: float
