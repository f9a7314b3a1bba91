"""BOHB: its brackets, its densities beside those of statsmodels, what is learned where, odd events."""

from __future__ import annotations

import json
import math
import os
import random
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nni import NoMoreTrialError
from nni_manager.algorithms.hpo_utils import format_search_space
from nni_manager.algorithms.kernel_density import model as model_module
from nni_manager.algorithms.kernel_density.density import Density
from nni_manager.algorithms.kernel_density.model import ModelSettings, fitted
from nni_manager.algorithms.parzen.dimensions import Dimensions
from nni_manager.algorithms.parzen.history import History
from nni_manager.algorithms.registry import check_algorithm
from nni_manager.algorithms.tuners.bohb import BOHB
from nni_manager.testing.search_spaces import SPACES, parameter_problems, without_added
from statsmodels.nonparametric.kernel_density import KDEMultivariate

BUDGET = "TRIAL_BUDGET"
SPACE: dict[str, Any] = {
    "x": {"_type": "uniform", "_value": [-5, 5]},
    "act": {"_type": "choice", "_value": ["a", "b", "c"]},
}
SETTINGS = ModelSettings(0, 15, 64, 3.0, 1e-3)


def made(space: dict[str, Any] = SPACE, **arguments: Any) -> BOHB:
    tuner = BOHB(**{"seed": 3, **arguments})
    tuner.update_search_space(space)
    return tuner


def finish(tuner: BOHB, id_: int, parameters: dict[str, Any], value: Any, success: bool = True) -> None:
    tuner.receive_trial_result(id_, parameters, value, trial_job_id="t")
    tuner.trial_end(id_, success)


def test_its_brackets() -> None:
    tuner = made(min_budget=2, max_budget=60, repeat=False)
    budgets: Counter[int] = Counter()
    for id_ in range(1000):
        try:
            parameters = tuner.generate_parameters(id_)
        except NoMoreTrialError:
            break
        budgets[parameters[BUDGET]] += 1
        finish(tuner, id_, parameters, parameters["x"])
    assert budgets == {2: 27, 6: 9 + 12, 20: 3 + 4 + 6, 60: 1 + 1 + 2 + 4}


@pytest.mark.parametrize("mode", ["maximize", "minimize"])
def test_the_best_third_goes_on(mode: str) -> None:
    """Row 96."""
    tuner = made(optimize_mode=mode, max_budget=9)
    first = tuner.generate_multiple_parameters(list(range(9)))
    for id_ in (5, 3, 8, 0, 1, 7, 2, 6, 4):
        finish(tuner, id_, first[id_], id_)
    best = [8, 7, 6] if mode == "maximize" else [0, 1, 2]
    second = tuner.generate_multiple_parameters([9, 10, 11])
    assert second == [{**first[id_], BUDGET: 3} for id_ in best]


def test_the_density_is_that_of_statsmodels_where_that_is_right() -> None:
    """It is right for choices of two options that both are among the points."""
    rng = np.random.default_rng(1)
    act = {"_type": "choice", "_value": ["a", "b"]}
    columns = Dimensions(format_search_space({**SPACE, "act": act, "n": SPACES["normal"]["a"]})).columns
    rows = np.column_stack([rng.uniform(size=60), rng.permutation([0, 1, 1] * 20), rng.normal(size=60)])
    density = Density(rows, columns, 1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        reference = KDEMultivariate(rows, "cuc", bw="normal_reference")
    assert density.bandwidths == pytest.approx(reference.bw)
    assert np.exp(density.log_density(rows[:20])) == pytest.approx(reference.pdf(rows[:20]))


def test_the_density_of_options_that_no_point_has() -> None:
    columns = Dimensions(format_search_space({"c": {"_type": "choice", "_value": list("abcd")}})).columns
    for rows in ([[0.0], [0.0], [0.0]], [[0.0], [3.0], [3.0]]):
        density = Density(np.array(rows), columns, 1e-3)
        chances = np.exp(density.log_density(np.arange(4.0)[:, np.newaxis]))
        assert chances.sum() == pytest.approx(1)
        assert chances[1] == chances[2] > 0
        assert np.argmax(chances) == rows[-1][0]


@pytest.mark.parametrize("seed", range(4))
def test_it_draws_where_good_results_are(seed: int) -> None:
    tuner = made(max_budget=1, optimize_mode="minimize", seed=seed)
    for id_ in range(60):
        parameters = tuner.generate_parameters(id_)
        finish(tuner, id_, parameters, (parameters["x"] - 2) ** 2 + (parameters["act"] != "b"))
    late = tuner.generate_multiple_parameters(list(range(60, 100)))
    # A third of them is random.
    assert sum(parameters["act"] == "b" for parameters in late) > 20
    assert sum(abs(parameters["x"] - 2) < 1.5 for parameters in late) > 20


def test_the_random_fraction() -> None:
    data = [{"parameter": {"x": x, "act": "a"}, "value": -abs(x)} for x in np.linspace(-5, 5, 50).tolist()]
    for fraction, low, high in ((0.0, 0, 15), (0.5, 25, 60), (1.0, 70, 95)):
        tuner = made(random_fraction=fraction)
        tuner.import_data(data)
        found = tuner.generate_multiple_parameters(list(range(100)))
        assert low <= sum(abs(parameters["x"]) > 1.0 for parameters in found) <= high


def test_results_are_filed_under_their_budget() -> None:
    """NNI filed them under the index of the metric."""
    tuner = made(max_budget=9)
    first = tuner.generate_multiple_parameters(list(range(9)))
    for id_, parameters in enumerate(first):
        finish(tuner, id_, parameters, id_)
    second = tuner.generate_multiple_parameters([9, 10, 11])
    finish(tuner, 9, second[0], 1.0)
    tuner.receive_intermediate_result(10, "t", 0, 4.0)
    tuner.trial_end(10, True)
    tuner.receive_intermediate_result(11, "t", 0, 5.0)
    tuner.trial_end(11, False)
    tuner.receive_trial_result(None, {"x": 0.0, "act": "a", BUDGET: 9}, 7.0, customized=True)
    tuner.import_data(
        [
            {"parameter": {"x": 1.0, "act": "a", BUDGET: 1}, "value": 0.0},
            {"parameter": {"x": 1.0, "act": "a"}, "value": {"default": 0}},
            {"parameter": {"x": 1.0, "act": "a", BUDGET: "much"}, "value": 1.0},
            {"parameter": {"y": 1.0}, "value": 1.0},
            {"parameter": "text", "value": 1.0},
        ]
    )
    losses = {budget: history.losses.tolist() for budget, history in tuner._histories.items()}
    assert losses == {1: [0, -1, -2, -3, -4, -5, -6, -7, -8, 0], 3: [-1, -4, math.inf], 9: [-7, 0]}


def points(count: int, space: dict[str, Any] = SPACE) -> tuple[History, Dimensions]:
    """Returns results of random points, the later the better."""
    dimensions = Dimensions(format_search_space(space))
    history = History(len(dimensions.columns))
    for number, row in enumerate(dimensions.deactivate(dimensions.draw(np.random.default_rng(1), count))):
        history.append(row, float(-number))
    return history, dimensions


def test_when_there_is_a_model() -> None:
    rng = np.random.default_rng(0)
    for settings, least in ((SETTINGS, 6), (ModelSettings(5, 15, 64, 3.0, 1e-3), 10)):
        history, dimensions = points(least - 1)
        assert fitted(history, dimensions, settings, rng) is None
        history, dimensions = points(least)
        assert fitted(history, dimensions, settings, rng) is not None
    # Good results that are failures are none.
    history.losses[4:] = math.inf
    assert fitted(history, dimensions, SETTINGS, rng) is not None
    history.losses[2:] = math.inf
    assert fitted(history, dimensions, SETTINGS, rng) is None


def test_which_results_are_good() -> None:
    history, dimensions = points(100)
    model = fitted(history, dimensions, SETTINGS, np.random.default_rng(0))
    assert model is not None
    assert np.array_equal(model._good.rows, history.rows[85:])
    assert np.array_equal(model._others.rows, history.rows[:85])


def test_the_model_is_bounded() -> None:
    history, dimensions = points(5000)
    model = fitted(history, dimensions, SETTINGS, np.random.default_rng(0))
    assert model is not None
    assert np.array_equal(model._good.rows, history.rows[-model_module.MOST_GOOD :])
    assert np.array_equal(model._others.rows, history.rows[4250 - model_module.MOST_OTHERS : 4250])


@pytest.mark.parametrize("name", SPACES)
def test_every_space_is_modelled(name: str) -> None:
    space = SPACES[name]
    history, dimensions = points(120, space)
    model = fitted(history, dimensions, SETTINGS, np.random.default_rng(0))
    assert model is not None
    tuner = made(space, max_budget=1, random_fraction=0.0)
    for id_ in range(120):
        for parameters in tuner.generate_multiple_parameters([id_]):
            assert parameter_problems(without_added(parameters), space) == []
            finish(tuner, id_, parameters, math.sin(id_))
    if len(tuner._histories[1].losses) > 100:
        assert tuner._model() is not None


def test_what_is_not_active_is_filled_in() -> None:
    history, dimensions = points(200, SPACES["nested"])
    model = fitted(history, dimensions, SETTINGS, np.random.default_rng(0))
    assert model is not None
    assert np.isnan(history.rows).any()
    assert not np.isnan(model._good.rows).any()
    candidates = model.candidates(np.random.default_rng(0))
    assert np.isnan(candidates).any()
    for index, column in enumerate(dimensions.columns):
        known = set(history.rows[~np.isnan(history.rows[:, index]), index])
        assert set(model._good.rows[:, index]) <= known, column


def test_candidates_of_numbers_are_within_their_bounds() -> None:
    history, dimensions = points(100)
    model = fitted(history, dimensions, SETTINGS, np.random.default_rng(0))
    assert model is not None
    numbers = np.concatenate([model.candidates(np.random.default_rng(seed))[:, 0] for seed in range(5)])
    assert ((numbers >= 0) & (numbers <= 1)).all()
    assert len(set(numbers)) == 5 * 64


def test_a_changed_space_keeps_what_was_learned() -> None:
    tuner = made(max_budget=1)
    for id_ in range(20):
        parameters = tuner.generate_parameters(id_)
        finish(tuner, id_, parameters, id_)
    tuner.update_search_space({**SPACE, "x": {"_type": "uniform", "_value": [-5, 50]}})
    assert tuner._histories[1].losses.tolist() == [float(-id_) for id_ in range(20)]
    assert tuner._model() is not None


def test_a_wrong_pair_of_budgets_is_named() -> None:
    (problem,) = check_algorithm("tuner", "BOHB", {"min_budget": 4}, SPACE)
    assert problem == "tuner BOHB: max_budget is 3; it should be at least min_budget, 4"
    (problem,) = check_algorithm("tuner", "BOHB", {"max_budget": 2, "min_budget": 3}, SPACE)
    assert problem == "tuner BOHB: max_budget is 2; it should be at least min_budget, 3"
    with pytest.raises(ValueError, match="the largest budget is 2; it should be at least 3"):
        BOHB(min_budget=3, max_budget=2)
    (problem,) = check_algorithm("tuner", "BOHB", {"min_budget": "4"}, SPACE)
    assert problem == "tuner BOHB: min_budget is '4'; it should be an integer of at least 1"
    assert check_algorithm("tuner", "BOHB", {"min_budget": 3}, SPACE) == []


def test_many_events_in_any_order() -> None:
    """Row 99. BOHB_EVENTS sets how many; 100,000 take some minutes."""
    most = int(os.environ.get("BOHB_EVENTS", "3000"))
    rng = random.Random(1)
    tuner = made(SPACES["mixed"], max_budget=27)
    running: dict[int, Any] = {}
    asked = events = 0
    values = [math.nan, math.inf, -math.inf, None, "text", {"default": 0.5}, {}, 10**400, True]
    while events < most:
        events += 1
        if len(running) < 64:
            ids = list(range(asked, asked + 64 - len(running)))
            asked += len(ids)
            running.update(zip(ids, tuner.generate_multiple_parameters(ids), strict=True))
        id_ = rng.choice(list(running))
        value = rng.choice(values) if rng.random() < 0.1 else rng.gauss(0, 1)
        what = rng.random()
        if what < 0.4:
            tuner.receive_intermediate_result(id_, "t", rng.randrange(5), value)
        elif what < 0.7:
            tuner.receive_trial_result(id_, running[id_], value)
        elif what < 0.95:
            tuner.trial_end(id_, rng.random() < 0.8)
            del running[id_]
        elif what < 0.97:
            old = rng.randrange(asked + 50)
            tuner.receive_trial_result(old, running[id_], value)
            if old not in running:
                tuner.trial_end(old, True)
        else:
            tuner.receive_trial_result(None, running[id_], value, customized=True)  # type: ignore[arg-type]
    learned = {budget: history.count for budget, history in sorted(tuner._histories.items())}
    print(f"{events} events, {asked} trials, {tuner._ignored_count} ignored, learned {json.dumps(learned)}")
    assert set(learned) == {1, 3, 9, 27}
    assert tuner._model() is not None


def test_one_that_was_told_its_history_has_the_same_model() -> None:
    """What is not active is filled in by the results alone, whatever was proposed meanwhile."""
    first, second = (made(SPACES["nested"], max_budget=1, random_fraction=0.0) for _ in range(2))
    for id_ in range(40):
        parameters = first.generate_parameters(id_)
        second.restore_proposal(id_, parameters)
        for tuner in (first, second):
            finish(tuner, id_, parameters, id_ % 7)
    assert first._model() is not None
    assert first.generate_parameters(40) == second.generate_parameters(40)


PCS = """
lr real [1e-5, 1] [0.1] log
momentum real [0, 0.5] [0.5]
layers integer [1, 10] [3]
units integer [8, 1024] [64] log
act categorical {relu, tanh} [relu]
size ordinal {small, large} [small]
"""


def test_a_search_space_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "space.pcs"
    file.write_text(PCS)
    assert check_algorithm("tuner", "BOHB", {"config_space": str(file)}, SPACE) == []
    tuner = made(config_space=str(file), max_budget=1)
    space = {
        "act": {"_type": "choice", "_value": ["relu", "tanh"]},
        "layers": {"_type": "randint", "_value": [1, 11]},
        "lr": {"_type": "loguniform", "_value": [1e-5, 1.0]},
        "momentum": {"_type": "uniform", "_value": [0.0, 0.5]},
        "size": {"_type": "choice", "_value": ["small", "large"]},
        "units": {"_type": "qloguniform", "_value": [8, 1024, 1]},
    }
    for id_ in range(60):
        parameters = tuner.generate_parameters(id_)
        assert parameter_problems(without_added(parameters), space) == []
        finish(tuner, id_, parameters, parameters["lr"])
    with pytest.raises(ValueError, match="BOHB cannot change its search space while it runs: it is that of"):
        tuner.update_search_space(SPACE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "config_space is '{path}'; it should be the path of a .pcs file"),
        ("what is this", "config_space: {path} has no parameters in the format of .pcs files"),
        ("lr real [5, 1] [2]", "config_space: {path} cannot be read: "),
        (
            PCS + "momentum | act in {relu}",
            "config_space: {path} has conditions, as momentum | act == 'relu', ",
        ),
        (PCS + "{act=tanh, size=small}", "config_space: {path} has forbidden clauses, as (Forbidden: "),
    ],
)
def test_a_file_that_is_of_no_use_is_named(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "space.pcs"
    if text is not None:
        file.write_text(text)
    (problem,) = check_algorithm("tuner", "BOHB", {"config_space": str(file)}, SPACE)
    assert problem.startswith("tuner BOHB: " + said.format(path=file))
    with pytest.raises(ValueError, match="config_space"):
        BOHB(config_space=str(file))


def test_what_reads_files_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "space.pcs"
    file.write_text(PCS)
    monkeypatch.setattr("nni_manager.algorithms.successive_halving.pcs_file.find_spec", lambda name: None)
    (problem,) = check_algorithm("tuner", "BOHB", {"config_space": str(file)}, SPACE)
    assert problem.startswith("tuner BOHB: config_space needs ConfigSpace, not installed for ")
    assert problem.endswith('install with: pip install "nni-manager[BOHB]"')
