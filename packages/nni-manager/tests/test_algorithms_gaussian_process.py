"""The mathematics of GP and Metis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from nni_manager.algorithms.hpo_utils import format_search_space
from nni_manager.algorithms.parzen.history import History
from nni_manager.algorithms.surrogate.acquisition import Acquisition
from nni_manager.algorithms.surrogate.candidates import climb, most_promising
from nni_manager.algorithms.surrogate.encoder import Encoder
from nni_manager.algorithms.surrogate.gain import Lowness, Uncertainty, expected_gains
from nni_manager.algorithms.surrogate.gaussian_process import (
    MOST_LENGTH_SCALES,
    Kernel,
    Posterior,
    estimate_kernel,
)
from nni_manager.algorithms.surrogate.mixture_of_good import likely_good
from nni_manager.algorithms.surrogate.model import MOST_TRIALS, Model
from nni_manager.algorithms.surrogate.observations import bounded_subset, standardised
from nni_manager.testing.search_spaces import SPACES
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor

NUS = [0.5, 1.2, 1.5, 2.5, math.inf]
FLOATS: dict[str, Any] = {name: {"_type": "uniform", "_value": [0, 1]} for name in "ab"}


def posterior(nu: float, seed: int = 1, count: int = 12) -> tuple[Posterior, GaussianProcessRegressor]:
    rng = np.random.default_rng(seed)
    vectors = rng.uniform(size=(count, 3))
    targets = np.sin(4 * vectors[:, 0]) + vectors[:, 1]
    kernel = Kernel(nu, 1.7, np.array([0.3, 0.5, 2.0]), 0.01)
    peer = GaussianProcessRegressor(kernel.of_sklearn(), alpha=1e-6, optimizer=None).fit(vectors, targets)
    return Posterior(kernel, vectors, targets, 1e-6), peer


def slopes(function: Any, points: np.ndarray) -> np.ndarray:
    step = 1e-6 * np.eye(points.shape[1])
    return np.array([(function(points + d) - function(points - d)) / 2e-6 for d in step]).T


@pytest.mark.parametrize("nu", NUS)
def test_predictions_are_those_of_scikit_learn(nu: float) -> None:
    ours, peer = posterior(nu)
    points = np.random.default_rng(2).uniform(size=(7, 3))
    mean, covariance = peer.predict(points, return_cov=True)
    assert ours.mean_and_deviation(points)[0] == pytest.approx(mean)
    # Ours are those of the function, scikit-learn's have the noise of a result.
    assert ours.mean_and_deviation(points)[1] ** 2 == pytest.approx(np.diagonal(covariance) - 0.01)
    assert ours.covariance(points, points) == pytest.approx(covariance - 0.01 * np.eye(7))


@pytest.mark.parametrize("nu", NUS)
@pytest.mark.parametrize("utility", ["ei", "poi", "ucb", "lowness", "uncertainty"])
def test_gradients_are_those_of_the_values(utility: str, nu: float) -> None:
    ours, _ = posterior(nu)
    function: Any = {"lowness": Lowness(ours), "uncertainty": Uncertainty(ours)}.get(
        utility, Acquisition(utility, ours, -0.5, 2.0, 0.1)
    )
    points = np.random.default_rng(3).uniform(size=(20, 3))
    values, gradients = function.with_gradient(points)
    assert values == pytest.approx(function(points))
    assert gradients == pytest.approx(slopes(function, points), rel=1e-3, abs=1e-4)


def test_expected_and_probable_improvement_are_those_of_the_textbook() -> None:
    ours, _ = posterior(2.5)
    points = np.random.default_rng(4).uniform(size=(30, 3))
    mean, deviation = ours.mean_and_deviation(points)
    z = (0.2 - 0.05 - mean) / deviation
    improvement = deviation * (z * norm.cdf(z) + norm.pdf(z))
    assert np.exp(Acquisition("ei", ours, 0.2, 0, 0.05)(points)) == pytest.approx(improvement, abs=1e-12)
    assert np.exp(Acquisition("poi", ours, 0.2, 0, 0.05)(points)) == pytest.approx(norm.cdf(z), abs=1e-12)
    assert Acquisition("ucb", ours, 0.2, 3, 0.05)(points) == pytest.approx(3 * deviation - mean)


@pytest.mark.parametrize("utility", ["ei", "poi"])
def test_hopeless_points_still_have_an_order_and_a_gradient(utility: str) -> None:
    ours, _ = posterior(2.5)
    function = Acquisition(utility, ours, -1e4, 0, 0)
    values, gradients = function.with_gradient(np.random.default_rng(5).uniform(size=(30, 3)))
    assert np.isfinite(values).all()
    assert len(set(values)) == 30
    assert np.isfinite(gradients).all()
    assert gradients.any(axis=1).all()


def test_the_kernel_tells_what_matters_from_what_does_not() -> None:
    rng = np.random.default_rng(6)
    vectors = rng.uniform(size=(60, 3))
    results = np.sin(8 * vectors[:, 0]) + 0.2 * rng.normal(size=60)
    kernel = estimate_kernel(vectors, standardised(results)[0], 2.5, 1e-6)
    assert kernel.length_scale[0] < 0.5 * kernel.length_scale[1:].min()
    assert 0.02 < kernel.noise < 0.2
    assert estimate_kernel(vectors, standardised(np.sin(8 * vectors[:, 0]))[0], 2.5, 1e-6).noise < 1e-3


def test_many_columns_share_a_length_scale() -> None:
    vectors = np.random.default_rng(7).uniform(size=(30, MOST_LENGTH_SCALES + 1))
    assert len(estimate_kernel(vectors, vectors[:, 0], 2.5, 1e-6).length_scale) == 1
    assert len(estimate_kernel(vectors[:, 1:], vectors[:, 0], 2.5, 1e-6).length_scale) == MOST_LENGTH_SCALES


def test_results_that_say_nothing_are_no_error() -> None:
    for losses in ([1.0] * 5, [math.inf] * 5, [-math.inf] * 5, [1e308, -1e308, 0.0, 1.0, 2.0]):
        targets, deviation = standardised(np.array(losses))
        assert np.isfinite(targets).all()
        assert 0 < deviation < math.inf
        vectors = np.full((5, 2), 0.5)
        kernel = estimate_kernel(vectors, targets, 2.5, 0.0)
        assert np.isfinite(Posterior(kernel, vectors, targets, 1e-10).mean(vectors)).all()


def test_losses_are_standardised_and_the_infinite_ones_are_the_ends() -> None:
    targets, deviation = standardised(np.array([1.0, 3.0, math.inf, -math.inf]))
    assert targets == pytest.approx([-1, 1, 1, -1])
    assert deviation == pytest.approx(1)


def test_a_very_bad_loss_does_not_make_all_others_look_the_same() -> None:
    usual = np.arange(11.0)
    targets, deviation = standardised(np.array([*usual, 1e12]))
    assert targets[:11] * deviation == pytest.approx(usual - usual[0] + targets[0] * deviation)
    assert deviation < 10
    assert list(standardised(np.array([1.0] * 9 + [2.0, 50.0]))[0] > 0) == [False] * 10 + [True]


def test_the_subset_has_the_best_the_newest_and_a_spread() -> None:
    losses = np.random.default_rng(8).permutation(1000).astype(float)
    subset = bounded_subset(losses, 90)
    assert len(set(subset)) == 90
    assert list(subset) == sorted(subset)
    assert set(range(970, 1000)) <= set(subset)
    assert set(np.argsort(losses)[:30]) <= set(subset)
    others = sorted(losses[sorted(set(subset) - set(range(970, 1000)))])[30:]
    assert max(np.diff([*others, 1000])) < 60
    assert list(bounded_subset(losses[:90], 90)) == list(range(90))


def test_the_model_is_of_a_bounded_subset_and_of_what_runs() -> None:
    history, rng = History(2), np.random.default_rng(9)
    for vector in rng.uniform(size=(MOST_TRIALS + 200, 2)):
        history.append(vector, float(vector.sum()))
    fitted = Model(2.5, 1e-6).fit(history, [np.array([2.0, 2.0])])
    assert len(fitted.vectors) == MOST_TRIALS
    assert fitted.posterior.count == MOST_TRIALS + 1
    place = np.array([[2.0, 2.0]])
    mean, deviation = fitted.posterior.mean_and_deviation(place)
    without = Model(2.5, 1e-6).fit(history, []).posterior.mean_and_deviation(place)
    assert mean == pytest.approx(without[0], abs=0.05)
    assert deviation < 0.3 * without[1]


def test_the_kernel_is_a_function_of_the_history() -> None:
    rows = np.random.default_rng(10).uniform(size=(45, 2))
    steady, history = Model(2.5, 1e-6), History(2)
    kernels = []
    for row in rows:
        history.append(row, float(row[0]))
        if history.count >= 5:
            fitted = steady.fit(history, [])
            kernels.append(str(fitted.kernel))
            if history.count % 4 == 0:
                assert str(Model(2.5, 1e-6).fit(history, []).kernel) == kernels[-1]
    assert len(set(kernels)) < 28


def test_a_climb_ends_where_the_function_is_larger_and_keeps_options() -> None:
    encoder = Encoder(format_search_space(SPACES["mixed"]))
    rng = np.random.default_rng(11)
    vectors = encoder.random(rng, 30)
    targets = standardised((vectors[:, 0] - 0.3) ** 2 + vectors[:, 1])[0]
    function = Lowness(Posterior(estimate_kernel(vectors, targets, 2.5, 1e-6), vectors, targets, 1e-6))
    starts = encoder.random(rng, 10)
    ends = climb(function, encoder, starts)
    assert (function(ends) > function(starts)).all()
    assert ((ends >= 0) & (ends <= 1)).all()
    assert (ends[:, ~encoder.is_numeric] == starts[:, ~encoder.is_numeric]).all()
    best = most_promising(function, encoder, rng, vectors[:3], 1000, 10)
    assert best == pytest.approx(encoder.snap(best))
    assert list(function(best)) == sorted(function(best), reverse=True)
    assert function(best[:1]) > function(starts).max()


def test_gains_are_what_results_would_lower_the_prediction_by() -> None:
    ours, _ = posterior(2.5)
    rng = np.random.default_rng(12)
    points, candidates = rng.uniform(size=(20, 3)), rng.uniform(size=(2, 3))
    gains = expected_gains(ours, 0.01, candidates, points)
    places = np.concatenate([points, candidates])
    means = ours.mean(places)
    for candidate, gain in zip(candidates, gains, strict=True):
        at, one = candidate[np.newaxis], ours._kernel._replace(noise=0.01)
        deviation = math.sqrt(ours.mean_and_deviation(at)[1][0] ** 2 + 0.01)
        lowest = []
        known = ours._scaled * one.length_scale
        targets = np.sin(4 * known[:, 0]) + known[:, 1]
        for z in norm.ppf((np.arange(100) + 0.5) / 100):
            result = ours.mean(at) + deviation * z
            after = Posterior(one, np.concatenate([known, at]), np.concatenate([targets, result]), 1e-6)
            lowest.append(after.mean(places).min())
        assert gain == pytest.approx(means.min() - np.mean(lowest), abs=2e-3)
    assert (gains >= 0).all()


def test_points_of_the_mixture_are_where_good_trials_are() -> None:
    encoder = Encoder(format_search_space(FLOATS))
    rng = np.random.default_rng(13)
    vectors = rng.uniform(size=(60, 2))
    losses = np.abs(vectors - 0.2).sum(axis=1)
    points = likely_good(encoder, rng, vectors, losses, 200)
    found = np.abs(points - 0.2).sum(axis=1)
    assert np.median(found) < 0.6 * np.median(losses)
    assert found.max() < np.median(losses)
    same = likely_good(encoder, rng, np.full((12, 2), 0.5), np.zeros(12), 10)
    assert ((same >= 0) & (same <= 1)).all()
