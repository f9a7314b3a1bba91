"""What each built-in algorithm makes of what happens to a trial: the table in docs/algorithms/README.md."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from operator import methodcaller
from typing import Any, NamedTuple

from nni_manager.algorithms.registry import built_in_algorithms
from nni_manager.engine.statuses import TrialStatus
from nni_manager.testing.assessor_outcomes import STEPS, AssessorOutcomes
from nni_manager.testing.search_spaces import FINITE
from nni_manager.testing.tuner_outcomes import Subject, TunerOutcomes

WORDS = {
    "left out": "as if there had never been such a trial",
    "replaced": "as if there had never been such a trial, and the next one is a random one in its place",
    "worst": "it counts as the worst of all trials",
    "counts": "it counts as any other",
    "last counts": "its latest intermediate result counts as its final one",
    "best or worst": "it counts as the best or as the worst, by its sign and the optimize mode",
    "learned": "it is learned from like the algorithm's own, and not proposed again in a finite search space",
    "counts as tried": "nothing is learned, but it is not proposed again in a finite search space",
    "no effect": "nothing that comes after depends on it",
    "ignored, logged": "nothing that comes after depends on it; there is a warning in the log",
    "not told": "nobody tells it",
    "never": "each point once, and then the experiment is DONE; trials that run or failed count as tried",
    "with more budget": "each point once with each budget; those that go on run again with a larger one",
    "yes": "the same parameters may be proposed again and again",
    "-": "does not apply",
}
"""The words of the table and what they mean. Behind one, ", logged" says that there is a warning too."""


class Event(NamedTuple):
    """A row of the table.

    Attributes:
        title: Its title.
        observe: Observes a TunerOutcomes or an AssessorOutcomes, and returns a word.
    """

    title: str
    observe: Callable[[Any], str]


EVENTS = {
    "failed": Event("The trial fails", methodcaller("ended", TrialStatus.FAILED)),
    "killed": Event("It is killed", methodcaller("ended", TrialStatus.USER_CANCELED)),
    "stopped": Event("It is stopped early", methodcaller("ended", TrialStatus.EARLY_STOPPED)),
    "no final": Event("It succeeds without a final result", methodcaller("ended", TrialStatus.SUCCEEDED)),
    "intermediate": Event("The same, with intermediate results", methodcaller("reports_intermediate_alone")),
    "fails after": Event("It fails after its final result", methodcaller("fails_after_its_result")),
    "no number": Event("There is no number in its result", methodcaller("reports_no_number")),
    "nan": Event("Its result is NaN", methodcaller("reports_nan")),
    "infinities": Event("Its result is an infinity", methodcaller("reports_infinities")),
    "late": Event("A result comes after its end", methodcaller("reports_late")),
    "doubled": Event("A second final result comes", methodcaller("reports_twice")),
    "customized": Event("A trial of a user's own parameters ends", methodcaller("hears_of_customized")),
    "imported": Event("Results are imported", methodcaller("takes_over")),
    "repeats": Event("Parameters come twice in a finite space", methodcaller("repeats")),
}
"""The rows."""

_SPACE = {
    "x": {"_type": "uniform", "_value": [0, 10]},
    "kind": {"_type": "choice", "_value": ["a", "b", "c"]},
    "n": {"_type": "randint", "_value": [0, 1000]},
}
_OWN = {"x": 3.3, "kind": "b", "n": 5}
_POINTS = {"point": {"_type": "choice", "_value": list(range(40))}}
_FEW_POINTS = {"point": {"_type": "choice", "_value": list(range(9))}}

_ARGUMENTS: dict[str, dict[str, Any]] = {
    "TPE": {"tpe_args": {"n_startup_jobs": 5}},
    "Evolution": {"population_size": 8},
    "PBT": {"population_size": 4},
    "GP": {"cold_start_num": 5, "selection_num_warm_up": 200, "selection_num_starting_points": 2},
    "Metis": {"cold_start_num": 5, "selection_num_starting_points": 5},
    "DNGO": {"trials_per_update": 6, "num_epochs_per_training": 50, "sample_size": 100},
    "Hyperband": {"R": 27, "repeat": False},
    "BOHB": {"max_budget": 27, "top_n_percent": 50, "min_points_in_model": 4, "repeat": False},
    "Optuna": {"sampler_args": {"n_startup_trials": 5}},
    "Curvefitting": {"epoch_num": STEPS, "start_step": 6, "gap": 2},
}
_FOLLOW = {"SMAC": 2, "GP": 2, "Metis": 2, "DNGO": 3, "Optuna": 5, "Hyperband": 40, "BOHB": 40}

ALGORITHMS = {
    built_in.name: built_in for kind in ("tuner", "assessor") for built_in in built_in_algorithms(kind)
}
"""The columns: all that are built in."""


@cache
def outcomes_of(algorithm: str) -> TunerOutcomes | AssessorOutcomes:
    """Returns what observes an algorithm. PBT needs NNI_CHECKPOINT_DIRECTORY for as long as it is used."""
    built_in = ALGORITHMS[algorithm]
    arguments = {**built_in.fixed_arguments, "optimize_mode": "maximize", **_ARGUMENTS.get(algorithm, {})}
    algorithm_class: Callable[..., Any] = built_in.load()
    if built_in.kind == "assessor":
        return AssessorOutcomes(partial(algorithm_class, **arguments))
    make = partial(algorithm_class, seed=5, **arguments)
    follow = _FOLLOW.get(algorithm, 20)
    if algorithm == "Batch":
        return TunerOutcomes(Subject(make, _POINTS, _FEW_POINTS, 25, follow))
    own = {**_OWN, "TRIAL_BUDGET": 1} if algorithm in ("Hyperband", "BOHB") else _OWN
    return TunerOutcomes(Subject(make, _SPACE, FINITE, own, follow))


def _column(*words: str) -> dict[str, str]:
    """Returns a column of the table: a word for each row."""
    return dict(zip(EVENTS, words, strict=True))


_LEARNS = _column(
    *["left out"] * 5,  # failed, killed, stopped early, without a final result, with intermediate ones
    "counts",  # failed after its final result
    "left out, logged",  # no number
    "worst",  # NaN
    "best or worst",  # infinities
    "ignored, logged",  # late
    "ignored, logged",  # doubled
    "learned",  # customized
    "learned",  # imported
    "never",  # repeats
)
_HEEDS_NO_RESULT = _column(*["no effect"] * 11, "counts as tried", "counts as tried", "never")
_BRACKETS = {
    **_LEARNS,
    **dict.fromkeys(["failed", "killed", "stopped", "no final"], "worst"),
    "intermediate": "last counts",
    "no number": "worst, logged",
    "repeats": "with more budget",
}
_ASSESSOR = {
    **_LEARNS,
    "intermediate": "counts",
    "fails after": "left out",
    "nan": "left out, logged",
    "late": "no effect",
    "doubled": "no effect",
    "customized": "counts",
    "imported": "not told",
    "repeats": "-",
}

TABLE: dict[str, dict[str, str]] = {
    "TPE": _LEARNS,
    "TPE_legacy": _LEARNS,
    "Anneal": _LEARNS,
    "Random": _HEEDS_NO_RESULT,
    "GridSearch": _HEEDS_NO_RESULT,
    "Batch": _HEEDS_NO_RESULT,
    "Evolution": {
        **_LEARNS,
        **dict.fromkeys(["failed", "killed", "stopped", "no final", "intermediate"], "replaced"),
        "no number": "replaced, logged",
    },
    "PBT": {
        **_LEARNS,
        **dict.fromkeys(["failed", "killed", "stopped", "no final", "intermediate", "fails after"], "worst"),
        "no number": "worst, logged",
        "customized": "ignored, logged",
        "repeats": "yes",
    },
    "SMAC": _LEARNS,
    "GP": _LEARNS,
    "Metis": _LEARNS,
    "DNGO": _LEARNS,
    "Hyperband": {**_BRACKETS, "customized": "counts as tried", "imported": "counts as tried"},
    "BOHB": _BRACKETS,
    "Optuna": _LEARNS,
    "Medianstop": _ASSESSOR,
    "Curvefitting": {**_ASSESSOR, "infinities": "left out"},
}
"""For each algorithm the word of each row. tests/contract/test_algorithm_outcomes.py asserts every one."""
