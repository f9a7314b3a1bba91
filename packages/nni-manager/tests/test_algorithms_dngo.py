"""What the DNGO tuner does beyond the contract of all tuners."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from nni.algorithms.hpo.dngo_tuner import DNGOTuner as FacadeTuner
from nni_manager.algorithms.registry import check_algorithm
from nni_manager.algorithms.surrogate.basis_network import BasisNetwork, LinearPosterior, log_improvement
from nni_manager.algorithms.tuner import Tuner
from nni_manager.algorithms.tuners.dngo import DNGOTuner

XYC = {
    "x": {"_type": "uniform", "_value": [0, 10]},
    "y": {"_type": "loguniform", "_value": [0.01, 100]},
    "c": {"_type": "choice", "_value": ["a", "b", "c"]},
}


def run(tuner: Tuner, space: dict[str, Any], objective: Any, count: int) -> list[Any]:
    tuner.update_search_space(space)
    proposed = []
    for parameter_id in range(count):
        proposed += tuner.generate_multiple_parameters([parameter_id])
        tuner.receive_trial_result(parameter_id, proposed[-1], objective(proposed[-1]))
        tuner.trial_end(parameter_id, True)
    return proposed


@pytest.mark.parametrize(("mode", "sign"), [("minimize", 1), ("maximize", -1)])
def test_it_gets_close_to_the_optimum_either_way(mode: str, sign: int) -> None:
    def loss(p: dict[str, Any]) -> float:
        return (p["x"] - 3) ** 2 + math.log10(p["y"]) ** 2 + 2 * (p["c"] != "b")

    proposed = run(DNGOTuner(mode, seed=1), XYC, lambda p: sign * loss(p), 45)
    assert min(map(loss, proposed[20:])) < min(map(loss, proposed[:20])) / 3


def test_integers_are_results_and_nan_is_the_worst() -> None:
    """NNI refused integers."""

    def objective(p: dict[str, Any]) -> float:
        return math.nan if p["c"] == "a" else {"default": int(p["x"])}

    proposed = run(DNGOTuner(trials_per_update=10, seed=2), XYC, objective, 40)
    assert sum(p["c"] == "a" for p in proposed[20:]) < 5
    assert max(p["x"] for p in proposed[20:]) > 9


def test_it_is_trained_anew_after_so_many_results(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = []

    class Noted(BasisNetwork):
        def __init__(self, vectors: Any, targets: Any, epochs: int, seed: int) -> None:
            trained.append((len(vectors), epochs, seed))
            super().__init__(vectors, targets, epochs, seed)

    monkeypatch.setattr("nni_manager.algorithms.tuners.dngo.BasisNetwork", Noted)
    run(
        DNGOTuner("minimize", trials_per_update=6, num_epochs_per_training=20, seed=1),
        XYC,
        lambda p: p["x"],
        20,
    )
    assert [facts[:2] for facts in trained] == [(6, 20), (12, 20), (18, 20)]
    assert len({facts[2] for facts in trained}) == 3


def test_the_network_learns_and_the_regression_knows_where_it_does_not() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.uniform(0, 0.5, size=(80, 2))
    targets = np.sin(8 * vectors[:, 0]) + vectors[:, 1]
    targets = (targets - targets.mean()) / targets.std()
    network = BasisNetwork(vectors, targets, 300, 1)
    known = network.features(vectors)
    assert known.shape == (80, 51)
    assert np.abs(known).max() == 1.0
    posterior = LinearPosterior(known, targets, known[:0])
    mean, deviation = posterior.mean_and_deviation(known)
    assert np.corrcoef(mean, targets)[0, 1] > 0.99
    far = network.features(np.array([[1.0, 1.0]]))
    assert posterior.mean_and_deviation(far)[1][0] > 3 * deviation.mean()
    # With a trial running there, less is unknown, and the expectation is as before.
    with_running = LinearPosterior(known, targets, far)
    assert with_running.mean_and_deviation(far)[1][0] < 0.9 * posterior.mean_and_deviation(far)[1][0]


def test_expected_improvement() -> None:
    mean, deviation = np.array([0.0, 0.0, 1.0, 90.0]), np.array([1.0, 2.0, 1.0, 1.0])
    values = np.exp(log_improvement(mean, deviation, 0.0))
    assert values[0] == pytest.approx(1 / math.sqrt(2 * math.pi))
    assert values[1] == pytest.approx(2 * values[0])
    assert values[0] > values[2] > values[3] >= 0


def test_arguments() -> None:
    right = {
        "optimize_mode": "minimize",
        "sample_size": 10,
        "trials_per_update": 5,
        "num_epochs_per_training": 5,
    }
    assert check_algorithm("tuner", "DNGOTuner", right, XYC) == []
    (problem,) = check_algorithm("tuner", "DNGO", {"trials_per_update": 0}, XYC)
    assert "trials_per_update is 0; it should be an integer of at least 1" in problem
    assert FacadeTuner is DNGOTuner
    DNGOTuner("maximize", 1000, 20, 500)
