"""What evolution does beyond the contract of all tuners."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from nni_manager.algorithms.hpo_utils import deformat_parameters, format_parameters, format_search_space
from nni_manager.algorithms.tuners.evolution import EvolutionTuner, mutate
from nni_manager.testing.search_spaces import SPACES, parameter_problems

X = {"x": {"_type": "uniform", "_value": [0, 10]}}


def finish(tuner: EvolutionTuner, parameter_id: int, parameters: Any, value: Any) -> None:
    tuner.receive_trial_result(parameter_id, parameters, value)
    tuner.trial_end(parameter_id, True)


def with_results(values: list[float], **arguments: Any) -> EvolutionTuner:
    tuner = EvolutionTuner(seed=1, population_size=len(values), **arguments)
    tuner.update_search_space(SPACES["mixed"])
    for parameter_id, value in enumerate(values):
        finish(tuner, parameter_id, tuner.generate_parameters(parameter_id), value)
    return tuner


def losses(tuner: EvolutionTuner) -> list[float]:
    return sorted(individual.loss for individual in tuner._population)


def test_of_two_the_worse_dies_and_the_better_has_a_child_that_differs_in_one_parameter() -> None:
    """Real et al. 2017, section 3.1."""
    parents = []
    for parameter_id in range(100, 140):
        tuner = with_results([1.0, 2.0, 3.0, 4.0, math.nan])
        before = {
            -individual.loss: deformat_parameters(individual.parameters, tuner._space)
            for individual in tuner._population
        }
        child = tuner.generate_parameters(parameter_id)
        alive = {-individual.loss for individual in tuner._population}
        ((dead),) = before.keys() - alive
        parent = min(before, key=lambda value: sum(before[value][name] != child[name] for name in child))
        assert sum(before[parent][name] != child[name] for name in child) == 1
        assert parent > dead
        parents.append(parent)
    assert set(parents) == {1.0, 2.0, 3.0, 4.0}
    assert parents.count(4.0) > parents.count(1.0)


def test_the_population_is_random_first_and_keeps_its_size() -> None:
    tuner = EvolutionTuner(population_size=4, seed=1)
    tuner.update_search_space(X)
    for parameter_id in range(30):
        finish(tuner, parameter_id, tuner.generate_parameters(parameter_id), float(parameter_id))
        assert len(tuner._population) == min(parameter_id + 1, 4)


@pytest.mark.parametrize(("mode", "sign"), [("minimize", 1), ("maximize", -1)])
def test_it_gets_close_to_the_optimum_either_way(mode: str, sign: int) -> None:
    tuner = EvolutionTuner(mode, population_size=10, seed=3)
    tuner.update_search_space(X)
    found = []
    for parameter_id in range(150):
        found.append(tuner.generate_parameters(parameter_id)["x"])
        finish(tuner, parameter_id, {"x": found[-1]}, sign * (found[-1] - 3) ** 2)
    assert min(abs(x - 3) for x in found) < 0.05
    assert sum(abs(x - 3) < 1 for x in found[100:]) > 20  # 10 would be chance


@pytest.mark.parametrize("seed", range(5))
def test_a_small_population_with_many_at_once_of_which_half_fail(seed: int) -> None:
    """Row 93."""
    tuner = EvolutionTuner(population_size=2, seed=seed)
    tuner.update_search_space(SPACES["mixed"])
    rng = np.random.default_rng(seed)
    running: dict[int, Any] = {}
    proposed = []
    for parameter_id in range(200):
        while len(running) >= 8:
            ended = sorted(running)[int(rng.integers(len(running)))]
            if rng.uniform() < 0.5:
                running.pop(ended)
                tuner.trial_end(ended, False)
            else:
                finish(tuner, ended, running.pop(ended), float(rng.normal()))
        (parameters,) = tuner.generate_multiple_parameters([parameter_id])
        assert parameter_problems(parameters, SPACES["mixed"]) == []
        proposed.append(json.dumps(parameters))
        running[parameter_id] = parameters
        assert len(tuner._population) <= 2
    assert len(set(proposed)) == 200


def test_every_trial_fails() -> None:
    tuner = EvolutionTuner(population_size=2, seed=1)
    tuner.update_search_space(SPACES["choice"])
    for parameter_id in range(5):
        assert len(tuner.generate_multiple_parameters([parameter_id])) == 1
        tuner.trial_end(parameter_id, False)
    assert tuner.generate_multiple_parameters([5]) == []


def test_a_failed_trial_is_replaced_by_a_random_one() -> None:
    tuner = with_results([1.0, 2.0, 3.0])
    tuner.generate_parameters(50)
    assert len(tuner._population) == 2
    tuner.trial_end(50, False)
    before = losses(tuner)
    tuner.generate_parameters(51)
    assert losses(tuner) == before


def test_imported_and_customized_results_join_and_the_worst_leave() -> None:
    tuner = with_results([1.0, 2.0, 3.0])
    record = {"lr": 0.1, "layers": 3, "act": "tanh", "drop": 0.1, "Größe / x.y:": 0.0}
    tuner.import_data(
        [{"parameter": record, "value": 0}, {"parameter": {**record, "lr": 0.2}, "value": {"default": 9}}]
    )
    tuner.receive_trial_result(None, {**record, "lr": 0.3}, 2.5, customized=True)
    assert losses(tuner) == [-9.0, -3.0, -2.5]
    tuner.import_data([{"parameter": {"other": 1}, "value": 7}, {"parameter": record, "value": "much"}])
    assert losses(tuner) == [-9.0, -3.0, -2.5]


def test_late_double_and_unknown_results_are_ignored(caplog: pytest.LogCaptureFixture) -> None:
    tuner = with_results([1.0, 2.0, 3.0])
    parameters = tuner.generate_parameters(50)
    population = losses(tuner)
    tuner.receive_trial_result(77, parameters, 8.0)
    tuner.receive_trial_result(50, parameters, "nothing")
    tuner.trial_end(50, True)
    tuner.receive_trial_result(50, parameters, 9.0)
    tuner.receive_trial_result(0, parameters, 9.0)
    tuner.trial_end(0, False)
    tuner.trial_end(88, False)
    assert losses(tuner) == population
    assert caplog.text.count("is ignored") == 4


def test_a_changed_space_keeps_who_fits_it() -> None:
    tuner = with_results([1.0, 2.0, 3.0])
    tuner.update_search_space({**SPACES["mixed"], "layers": {"_type": "randint", "_value": [50, 60]}, **X})
    assert losses(tuner) == [-3.0, -2.0, -1.0]
    child = tuner.generate_parameters(50)
    assert 50 <= child["layers"] < 60
    assert "x" in child
    tuner.update_search_space({"y": {"_type": "uniform", "_value": [0, 1]}})
    assert losses(tuner) == []
    assert list(tuner.generate_parameters(51)) == ["y"]


@pytest.mark.parametrize("name", ["mixed", "nested", "group", "qlognormal", "normal", "huge", "randint"])
def test_a_mutation_is_in_the_space_and_changes_at_most_one_parameter(name: str) -> None:
    space = format_search_space(SPACES[name])
    rng = np.random.default_rng(1)
    chosen = mutate(rng, space, {})
    changes = []
    for _ in range(300):
        child = mutate(rng, space, chosen)
        parameters = deformat_parameters(child, space)
        assert parameter_problems(parameters, SPACES[name]) == []
        kept = [key for key in child if key in chosen]
        changes.append(sum(child[key] != chosen[key] for key in kept))
        chosen = format_parameters(parameters, space)
    assert max(changes) == 1
    assert sum(changes) > 250


def test_mutated_numbers_are_often_near_and_sometimes_far() -> None:
    space = format_search_space(X)
    rng = np.random.default_rng(1)
    distances = [abs(mutate(rng, space, {("x",): 5.0})[("x",)] - 5.0) for _ in range(400)]
    assert 100 < sum(distance < 0.5 for distance in distances) < 300
    assert max(distances) > 4


@pytest.mark.parametrize("size", [1, 2])
def test_the_smallest_populations(size: int) -> None:
    tuner = EvolutionTuner("minimize", population_size=size, seed=1)
    tuner.update_search_space(X)
    for parameter_id in range(40):
        parameters = tuner.generate_parameters(parameter_id)
        finish(tuner, parameter_id, parameters, abs(parameters["x"] - 3))
    assert losses(tuner)[0] < 0.5
