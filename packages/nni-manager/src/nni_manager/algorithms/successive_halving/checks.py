"""What has to be true of the configuration of Hyperband and BOHB; nothing heavy is imported for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nni_manager.algorithms.hpo_utils.validation import search_space_problems
from nni_manager.algorithms.successive_halving.pcs_file import read_pcs

BUDGET = "TRIAL_BUDGET"
"""The name under which a trial gets its budget, an integer, among its parameters."""

MIN_BUDGET, MAX_BUDGET = 1, 3
"""The defaults of BOHB's min_budget and max_budget."""


def space_problems(search_space: Any) -> list[str]:
    """Returns what is wrong with a search space; its names may not have that of the budget among them."""
    problems = search_space_problems(search_space)
    if isinstance(search_space, dict) and BUDGET in search_space:
        problems.append(f"search space: {BUDGET}: the name is taken: a trial gets its budget under it")
    return problems


def bohb_problems(arguments: Mapping[str, Any]) -> list[str]:
    """Returns what is wrong with arguments of BOHB, each of which is right by itself."""
    least, most = arguments.get("min_budget", MIN_BUDGET), arguments.get("max_budget", MAX_BUDGET)
    problems = [f"max_budget is {most}; it should be at least min_budget, {least}"] if most < least else []
    if arguments.get("config_space") is not None:
        try:
            read_pcs(arguments["config_space"])
        except ValueError as error:
            problems.append(str(error))
    return problems
