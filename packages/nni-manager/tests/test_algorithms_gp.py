"""What GP and Metis do beyond the contract of all tuners."""

from __future__ import annotations

import json
import logging
import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from nni import NoMoreTrialError
from nni_manager.algorithms.surrogate.tuner import SurrogateTuner
from nni_manager.algorithms.tuner import Tuner
from nni_manager.algorithms.tuners.gp import GPTuner
from nni_manager.algorithms.tuners.metis import MetisTuner
from nni_manager.testing.search_spaces import FINITE, SPACES, parameter_problems

Make = Callable[..., SurrogateTuner]
X = {"x": {"_type": "uniform", "_value": [0, 10]}}
MIXED = {
    "kind": {
        "_type": "choice",
        "_value": [
            {"_name": "near", "d": {"_type": "uniform", "_value": [0, 1]}},
            {"_name": "far", "d": {"_type": "normal", "_value": [5, 1]}},
        ],
    },
    "layers": {"_type": "randint", "_value": [1, 10]},
    "act": {"_type": "choice", "_value": ["relu", "tanh", None]},
}


def gp(**arguments: Any) -> GPTuner:
    return GPTuner(**{"seed": 1, "selection_num_warm_up": 2000, **arguments})


def metis(**arguments: Any) -> MetisTuner:
    return MetisTuner(**{"seed": 1, "selection_num_starting_points": 100, **arguments})


both = pytest.mark.parametrize("make", [gp, metis])


def run(tuner: Tuner, space: dict[str, Any], objective: Any, count: int) -> list[Any]:
    tuner.update_search_space(space)
    proposed = []
    for parameter_id in range(count):
        proposed += tuner.generate_multiple_parameters([parameter_id])
        tuner.receive_trial_result(parameter_id, proposed[-1], objective(proposed[-1]))
        tuner.trial_end(parameter_id, True)
    return proposed


def loss(p: dict[str, Any]) -> float:
    kind = 0.5 + (p["kind"]["d"] - 0.3) ** 2 if p["kind"]["_name"] == "near" else (p["kind"]["d"] - 4) ** 2
    activation = {"relu": 0.4, "tanh": 0.2, None: 0.0}[p["act"]]
    return kind + activation + 0.1 * abs(p["layers"] - 6)


@both
@pytest.mark.parametrize(("mode", "sign"), [("minimize", 1), ("maximize", -1)])
def test_it_gets_close_to_the_optimum_either_way(make: Make, mode: str, sign: int) -> None:
    """Row 102."""
    proposed = run(make(optimize_mode=mode), X, lambda p: sign * (p["x"] - 3) ** 2, 20)
    assert min(abs(p["x"] - 3) for p in proposed[10:]) < 0.01


@pytest.mark.parametrize("arguments", [{"utility": u} for u in ("ei", "ucb", "poi")] + [{"nu": 1.2}])
def test_every_utility_finds_the_optimum(arguments: dict[str, Any]) -> None:
    proposed = run(gp(optimize_mode="minimize", **arguments), X, lambda p: abs(p["x"] - 3) ** 1.5, 18)
    assert min(abs(p["x"] - 3) for p in proposed[10:]) < 0.05


@pytest.mark.parametrize("nu", [1e-3, 0.5, 14.9, 100, math.inf])
def test_every_smoothness_works(nu: float) -> None:
    proposed = run(gp(nu=nu, optimize_mode="minimize"), X, lambda p: (p["x"] - 3) ** 2, 13)
    assert len({p["x"] for p in proposed}) == 13


@both
def test_options_and_what_belongs_to_them_are_searched(make: Make) -> None:
    losses = [loss(p) for p in run(make(optimize_mode="minimize", seed=2), MIXED, loss, 30)]
    assert min(losses) < 0.35


@both
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_the_model_is_of_every_space(make: Make, space: dict[str, Any]) -> None:
    proposed = run(make(cold_start_num=2), space, lambda p: len(json.dumps(p)) % 7, 7)
    assert all(parameter_problems(parameters, space) == [] for parameters in proposed)


@both
@pytest.mark.parametrize(("mode", "sign"), [("maximize", -1), ("minimize", 1)])
def test_nan_is_avoided_and_infinities_are_no_error(make: Make, mode: str, sign: int) -> None:
    def objective(p: dict[str, Any]) -> float:
        if p["x"] > 9:
            return sign * math.inf
        return math.nan if p["x"] > 5 else sign * abs(p["x"] - 3)

    proposed = run(make(optimize_mode=mode), X, objective, 25)
    assert sum(p["x"] > 5 for p in proposed[15:]) < 5


@both
@pytest.mark.parametrize("value", [1.0, math.nan, math.inf, -math.inf])
def test_results_that_are_all_the_same_are_no_error(make: Make, value: float) -> None:
    proposed = run(make(), X, lambda p: value, 16)
    assert len({p["x"] for p in proposed}) == 16


@both
def test_trials_that_run_are_kept_away_from(make: Make) -> None:
    always = {"exploration_probability": 1.0} if make is metis else {}
    tuner = make(optimize_mode="minimize", **always)
    run(tuner, X, lambda p: (p["x"] - 3) ** 2 + 3 * math.sin(3 * p["x"]), 10)
    alone = [p["x"] for p in tuner.generate_multiple_parameters([100])]
    for parameter_id in range(101, 105):
        tuner._pending, remembered = {}, tuner._pending
        alone += [p["x"] for p in tuner.generate_multiple_parameters([parameter_id])]
        tuner._pending = remembered
    together = [p["x"] for p in tuner.generate_multiple_parameters(list(range(101, 104)))]
    assert np.ptp(alone) < 0.01
    assert min(np.diff(sorted([alone[0], *together]))) > 0.05


@both
def test_what_does_not_belong_is_ignored_and_counted(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    tuner = make()
    tuner.update_search_space(X)
    (parameters,) = tuner.generate_multiple_parameters([0])
    tuner.receive_trial_result(7, {"x": 1.0}, 1.0)
    tuner.receive_trial_result(0, parameters, "nothing")
    assert list(tuner._pending) == [0]
    tuner.receive_trial_result(0, parameters, 1.0)
    tuner.receive_trial_result(0, parameters, 2.0)
    tuner.trial_end(0, True)
    tuner.trial_end(77, False)
    assert list(tuner._history.losses) == [-1.0]
    assert caplog.text.count("is ignored") == 3


@both
def test_a_trial_that_ended_without_a_result_is_forgotten(make: Make) -> None:
    tuner = make()
    tuner.update_search_space(X)
    tuner.generate_multiple_parameters([0, 1])
    tuner.trial_end(0, False)
    assert list(tuner._pending) == [1]
    assert tuner._history.count == 0


@both
def test_imported_and_customized_results_are_learned_from_zero_included(make: Make) -> None:
    tuner = make()
    tuner.update_search_space(X)
    tuner.import_data(
        [{"parameter": {"x": 3.0}, "value": 0}, {"parameter": {"x": 4.0}, "value": {"default": 2}}]
    )
    tuner.receive_trial_result(None, {"x": 5.0, "other": 1}, 7, customized=True)
    tuner.import_data([{"parameter": {"x": 11}, "value": 1}, {"parameter": {"x": 1}, "value": None}])
    assert list(tuner._history.losses) == [0, -2, -7]
    assert list(tuner._history.rows[:, 0]) == pytest.approx([0.3, 0.4, 0.5])


@both
def test_a_changed_space_keeps_what_is_known(make: Make) -> None:
    tuner = make(cold_start_num=5)
    run(tuner, X, lambda p: p["x"], 12)
    tuner.generate_multiple_parameters([50])
    inside = sum(tuner._history.rows[:, 0] <= 0.5)
    changed = {"x": {"_type": "uniform", "_value": [0, 5]}, "y": {"_type": "choice", "_value": [1, 2]}}
    tuner.update_search_space(changed)
    assert tuner._history.count == inside
    tuner.receive_trial_result(50, {"x": 1.0}, 0.5)
    assert list(tuner._history.rows[-1]) == pytest.approx([0.2, 0.5, 0.5])
    assert set(tuner.generate_parameters(51)) == {"x", "y"}


@both
def test_bad_arguments_are_refused(make: Make) -> None:
    with pytest.raises(ValueError, match="best"):
        make(optimize_mode="best")
    with pytest.raises(ValueError, match="it should be 'ei', 'ucb' or 'poi'"):
        gp(utility="best")


@both
def test_a_subclass_may_change_what_results_mean(make: Make) -> None:
    class Negative(type(make())):  # type: ignore[misc]
        def receive_trial_result(self, parameter_id: int, parameters: Any, value: Any, **kwargs: Any) -> None:
            super().receive_trial_result(parameter_id, parameters, -value, **kwargs)

    mirrored = run(Negative(optimize_mode="minimize", seed=1), X, lambda p: -abs(p["x"] - 3), 14)
    assert mirrored == run(type(make())("minimize", seed=1), X, lambda p: abs(p["x"] - 3), 14)


def test_the_classes_are_where_nni_has_them() -> None:
    from nni.algorithms.hpo.gp_tuner import GPTuner as FacadeOfGP
    from nni.algorithms.hpo.metis_tuner import MetisTuner as FacadeOfMetis

    assert (FacadeOfGP, FacadeOfMetis) == (GPTuner, MetisTuner)


def test_other_tuners_do_not_load_scikit_learn() -> None:
    code = (
        "import sys, nni_manager.algorithms.registry as r\n"
        "for name in ('TPE', 'Random', 'Evolution'):\n"
        "    r.find_algorithm('tuner', name).load()\n"
        "assert 'sklearn' not in sys.modules and 'scipy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def trained(tuner: MetisTuner, noise: float) -> list[Any]:
    rng = np.random.default_rng(3)
    return run(tuner, X, lambda p: (p["x"] - 3) ** 2 / 20 + noise * rng.normal(), 65)


def test_noisy_trials_are_run_again_where_that_is_allowed() -> None:
    arguments = {"optimize_mode": "minimize", "cold_start_num": 50}
    once = trained(metis(**arguments), 0.5)
    assert len({p["x"] for p in once}) == 65
    again = [p["x"] for p in trained(metis(no_resampling=False, **arguments), 0.5)]
    assert again[:50] == [p["x"] for p in once[:50]]
    assert 50 <= len(set(again)) < 65
    assert max(map(again.count, again)) <= 4


def test_a_finite_space_ends_with_resampling_too() -> None:
    tuner = metis(no_resampling=False, cold_start_num=3)
    tuner.update_search_space(FINITE)
    proposed = []
    with pytest.raises(NoMoreTrialError):
        for parameter_id in range(60):
            proposed.append(tuner.generate_parameters(parameter_id))
            tuner.receive_trial_result(parameter_id, proposed[-1], 1.0)
    assert len({json.dumps(parameters) for parameters in proposed}) == 9


def test_exploration_never_is_exploitation() -> None:
    """The best prediction is taken, unless it was tried."""
    proposed = run(
        metis(optimize_mode="minimize", exploration_probability=0.0), X, lambda p: (p["x"] - 3) ** 2, 16
    )
    assert all(abs(p["x"] - 3) < 0.1 for p in proposed[12:])


def test_without_candidates_there_are_random_points() -> None:
    proposed = run(
        metis(optimize_mode="minimize", no_candidates=True, exploration_probability=1.0),
        X,
        lambda p: (p["x"] - 3) ** 2,
        30,
    )
    assert np.std([p["x"] for p in proposed[10:]]) > 2


def test_a_drawn_seed_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    first = run(gp(seed=None), X, lambda p: p["x"], 12)
    seed = int(caplog.messages[0].split()[-1].rstrip("."))
    assert run(gp(seed=seed), X, lambda p: p["x"], 12) == first
