"""Early stopping by predicted learning curves, and the model behind it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nni.algorithms.hpo.curvefitting_assessor import CurvefittingAssessor
from nni.algorithms.hpo.curvefitting_assessor.model_factory import CurveModel
from nni_manager.algorithms.assessor import AssessResult
from nni_manager.algorithms.learning_curves.families import FAMILIES

GOOD, BAD = AssessResult.Good, AssessResult.Bad

Curve = Callable[[float], float]

CURVES: dict[str, Curve] = {
    "saturating": lambda t: 1 - math.exp(-5 * t),
    "power": lambda t: 1 - 0.5 * (20 * t + 1e-9) ** -0.5,
    "logarithm": lambda t: math.log(1 + 20 * t) / math.log(21),
    "flat": lambda t: 0.8,
    "decreasing": lambda t: 0.5 + 0.4 * math.exp(-3 * t),
    "percent": lambda t: 40 + 55 * (1 - math.exp(-4 * t)),
    "negative": lambda t: -0.1 - 2 * math.exp(-6 * t),
}


def curve(name: str, steps: int, noise: float = 0.0, seed: int = 0) -> list[float]:
    """Returns a curve's values, the noise in parts of its height."""
    values = np.array([CURVES[name]((step + 1) / steps) for step in range(steps)])
    height = float(np.abs(values).max())
    return list(values + noise * height * np.random.default_rng(seed).normal(size=steps))


def after_a_trial(reference: list[float], **arguments: Any) -> CurvefittingAssessor:
    assessor = CurvefittingAssessor(len(reference), **arguments)
    assessor.assess_trial("reference", reference)
    assessor.trial_end("reference", True)
    return assessor


def stopped_at(assessor: CurvefittingAssessor, values: list[float]) -> int | None:
    """Returns the step at which a trial is judged bad, None if it never is."""
    for step in range(1, len(values) + 1):
        if assessor.assess_trial("trial", values[:step]) is BAD:
            return step
    return None


@pytest.mark.parametrize("name", CURVES)
def test_a_trial_as_good_as_the_best_is_never_stopped(name: str) -> None:
    """Row 100."""
    values = curve(name, 20)
    assert stopped_at(after_a_trial(values), values) is None
    mirrored = [-value for value in values]
    assert stopped_at(after_a_trial(mirrored, optimize_mode="minimize"), mirrored) is None


@pytest.mark.parametrize("name", CURVES)
def test_a_trial_that_ends_far_below_the_best_is_stopped_early(name: str) -> None:
    """The same curve at 60 % of its height, or at 2 times its loss."""
    values = curve(name, 20)
    worse = [value * (2 if value < 0 else 0.6) for value in values]
    stop = stopped_at(after_a_trial(values), worse)
    assert stop is not None and 6 <= stop < 20
    mirrored = after_a_trial([-value for value in values], optimize_mode="minimize")
    assert stopped_at(mirrored, [-value for value in worse]) == stop


@pytest.mark.parametrize("steps", [20, 200])
def test_noise_stops_few_good_trials_and_most_bad_ones(steps: int) -> None:
    """Row 100: the noise is 1 % of the height."""
    arguments = {"start_step": 6, "gap": 2} if steps == 20 else {"start_step": 40, "gap": 40}
    good, bad = [], []
    for name in ("saturating", "power", "logarithm", "percent"):
        for seed in range(3):
            values = curve(name, steps, 0.01, seed + 10)
            assessor = after_a_trial(curve(name, steps, 0.01, seed), **arguments)
            good.append(stopped_at(assessor, values))
            assessor.trial_end("trial", False)
            bad.append(stopped_at(assessor, [value * 0.6 for value in values]))
    assert sum(stop is not None for stop in good) <= 2
    assert sum(stop is not None for stop in bad) >= 10


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("noise", [0.0, 0.05, 1.0])
def test_a_call_takes_a_bounded_time(name: str, noise: float) -> None:
    """Row 100: 200 steps and far more; the CPU's time, which a busy machine does not change."""
    for steps in (150, 5_000):
        values = curve(name, steps, noise)
        assessor = after_a_trial([value + 1.0 for value in values], optimize_mode="maximize")
        began = time.process_time()
        assessor.assess_trial("trial", values[: steps - 1])
        assert time.process_time() - began < 1.0


def test_verdicts_are_repeatable_and_depend_on_nothing_global() -> None:
    values = curve("saturating", 20, 0.02)
    predictions = set()
    for seed in range(3):
        np.random.seed(seed)
        assessor = after_a_trial(curve("saturating", 20))
        assert assessor.assess_trial("trial", values[:10]) in (GOOD, BAD)
        predictions.add(CurveModel(20).predict(values[:10]))
    assert len(predictions) == 1


def test_nothing_is_judged_before_a_trial_has_succeeded() -> None:
    assessor = CurvefittingAssessor()
    assert (assessor.target_pos, assessor.start_step, assessor.threshold, assessor.gap) == (20, 6, 0.95, 1)
    good, bad = curve("saturating", 20), [0.1] * 20
    assessor.assess_trial("failed", good)
    assessor.trial_end("failed", False)
    assert stopped_at(assessor, bad) is None
    assessor.assess_trial("good", good)
    assessor.assess_trial("other", bad)
    assessor.trial_end("good", True)  # The best is that of the trial that ended, not of the last assessed.
    assessor.trial_end("other", True)
    assert stopped_at(assessor, bad) == 6


@pytest.mark.parametrize(("mode", "best"), [("maximize", 2.0), ("maximize", -2.0), ("minimize", 2.0)])
def test_how_near_to_the_best_a_prediction_has_to_come(mode: str, best: float) -> None:
    """By 5 % of the size of the best, on the worse side of it."""
    assessor = after_a_trial([best] * 20, optimize_mode=mode)
    worse = -1 if mode == "maximize" else 1
    assert assessor.assess_trial("same", [best] * 10) is GOOD
    assert assessor.assess_trial("near", [best + worse * 0.09] * 10) is GOOD
    assert assessor.assess_trial("far", [best + worse * 0.11] * 10) is BAD


def test_start_step_and_gap() -> None:
    assessor = after_a_trial([1.0] * 20, start_step=8, gap=3)
    verdicts = [assessor.assess_trial("trial", [0.1] * step) for step in range(1, 21)]
    bad = [step for step, verdict in enumerate(verdicts, 1) if verdict is BAD]
    assert bad == [8, 11, 14, 17]  # At step 20 there is nothing to predict.


def test_trials_longer_than_said_are_compared_where_the_prediction_is(caplog: Any) -> None:
    """Else every good trial is predicted too low: row 100."""
    whole = [step / 100 for step in range(100)]
    assessor = CurvefittingAssessor(epoch_num=20)
    assessor.assess_trial("reference", whole)
    assessor.trial_end("reference", True)
    assert stopped_at(assessor, whole) is None
    assert "Trials report more than epoch_num = 20 results." in caplog.text


def test_results_without_a_number_are_left_out() -> None:
    values: list[Any] = [{"default": value} for value in curve("saturating", 20)]
    values[3], values[5], values[19] = math.nan, "text", None
    assessor = after_a_trial(values)
    assert stopped_at(assessor, values) is None
    worse = [{"default": 0.5 * v["default"]} if isinstance(v, dict) else v for v in values]
    assert stopped_at(assessor, worse) is not None
    empty = after_a_trial([math.nan] * 20)  # type: ignore[list-item]
    assert stopped_at(empty, [0.1] * 20) is None


@given(values=st.lists(st.floats() | st.floats(0, 1), max_size=30), target=st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_no_history_is_an_error(values: list[float], target: int) -> None:
    prediction = CurveModel(target).predict(values)
    assert prediction is None or math.isfinite(prediction)
    assessor = CurvefittingAssessor(target, start_step=1)
    assessor.note_history("reference", [1.0])
    assessor.trial_end("reference", True)
    assert assessor.assess_trial("trial", values) in (GOOD, BAD)


def test_the_model_with_its_constants_before_a_fit() -> None:
    """The four numbers that a test of NNI's checks."""
    model = CurveModel(21)
    model.effective_model = list(FAMILIES)
    model.effective_model_num = 12
    model.point_num, model.target_pos, model.trial_history = 9, 20, [1] * 9
    model.weight_samples = np.ones(12) / 12
    assert model.predict_y("vap", 9) == pytest.approx(0.5591906328335763, abs=1e-7)
    assert model.predict_y("logx_linear", 15) == pytest.approx(1.0704360293379522, abs=1e-7)
    assert model.f_comb(9, model.weight_samples) == pytest.approx(1.1543379521172443, abs=1e-7)
    assert model.f_comb(15, model.weight_samples) == pytest.approx(1.6949395581692737, abs=1e-7)


def test_what_a_prediction_leaves_behind() -> None:
    values = curve("saturating", 20)
    model = CurveModel(20)
    prediction = model.predict(values[:12])
    assert prediction == pytest.approx(values[-1], abs=0.05)
    assert model.effective_model_num == len(model.effective_model) >= 4
    assert model.point_num == 12 and model.trial_history == values[:12]
    assert np.allclose(model.weight_samples.sum(axis=1), 1) and (model.weight_samples > 0).all()
    assert model.f_comb(20, model.weight_samples[0]) == pytest.approx(prediction, abs=0.05)
    assert model.probability_above(prediction) == pytest.approx(0.5)
    assert model.probability_above(prediction - 1) > 0.99 > 0.01 > model.probability_above(prediction + 1)


def test_curves_that_explain_nothing_predict_nothing() -> None:
    model = CurveModel(21)
    assert model.predict([1, 199, 0, 199, 1, 209, 2]) is None
    with pytest.raises(ValueError, match="there is no prediction"):
        model.probability_above(0.0)
    assert CurveModel(20).predict([1.0, 2.0]) is None
    assert CurveModel(20).predict([3.0] * 6) == 3.0


def test_the_mode_is_checked() -> None:
    with pytest.raises(ValueError, match="best"):
        CurvefittingAssessor(optimize_mode="best")
