"""Checks a search space before any tuner sees it."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any

from nni_config import check_search_space, space_of_points

_logger = logging.getLogger(__name__)


def validate_search_space(
    search_space: Any, support_types: list[str] | None = None, raise_exception: bool = False
) -> bool:
    """Checks a search space and logs what is wrong with it.

    Args:
        search_space: The search space.
        support_types: The allowed types, all by default.
        raise_exception: Whether to raise what is wrong instead of logging it.

    Returns:
        Whether it is valid.

    Raises:
        ValueError: It is not valid and `raise_exception` is set.
    """
    problems = search_space_problems(search_space, support_types)
    if problems and raise_exception:
        raise ValueError("; ".join(problems))
    for problem in problems:
        _logger.error("%s", problem)
    return not problems


def search_space_problems(search_space: Any, types: Collection[str] | None = None) -> list[str]:
    """Returns what is wrong with a search space, each with the path to it and what is allowed.

    Args:
        search_space: The search space.
        types: The allowed types, all by default.
    """
    return [f"search space: {problem}" for problem in check_search_space(search_space, types)]


def points_problems(search_space: Any) -> list[str]:
    """Returns what is wrong with a search space that is to be one choice of whole points."""
    return [f"search space: {problem}" for problem in space_of_points.points_problems(search_space)]
