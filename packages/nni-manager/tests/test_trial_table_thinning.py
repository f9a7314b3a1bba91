"""What is left out for charts, and what never is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni_manager.experiments.trial_table.thinning import evenly_spaced, rounded, thinned_curve

FLOATS = st.floats() | st.sampled_from([math.nan, math.inf, -math.inf])


@given(st.integers(0, 300), st.integers(1, 50), st.data())
def test_evenly_spaced_places_rise_and_have_the_kept_one(count: int, limit: int, data: st.DataObject) -> None:
    kept = data.draw(st.none() | st.integers(0, count - 1)) if count else None
    places = evenly_spaced(count, limit, kept).tolist()
    assert len(places) <= limit and places == sorted(set(places))
    assert kept is None or kept in places
    assert set(places) <= set(range(count))
    if kept is None and 2 <= limit <= count:
        assert (places[0], places[-1]) == (0, count - 1)
        distances = np.diff(places)
        assert distances.max() - distances.min() <= 2


@given(st.lists(FLOATS, max_size=200), st.integers(1, 60))
def test_a_thinned_curve_keeps_its_ends_and_its_extremes(values: list[float], limit: int) -> None:
    numbers = np.array(values, dtype=np.float64)
    places = thinned_curve(numbers, limit).tolist()
    assert len(places) <= limit and places == sorted(set(places))
    assert set(places) <= set(range(len(values)))
    if len(values) <= limit:
        assert places == list(range(len(values)))
    elif limit >= 4:
        assert (places[0], places[-1]) == (0, len(values) - 1)
        real = [value for value in values if not math.isnan(value)]
        if real:
            shown = [values[place] for place in places]
            assert min(real) in shown and max(real) in shown


@pytest.mark.parametrize(("count", "limit"), [(5000, 200), (201, 200), (1000, 5), (7, 6), (100, 4)])
def test_every_part_of_a_curve_is_shown(count: int, limit: int) -> None:
    places = thinned_curve(np.sin(np.arange(count) * 0.7), limit)
    assert len(places) > limit / 2
    assert np.diff(places).max() <= 2 * math.ceil((count - 2) / ((limit - 2) // 2))


@given(st.lists(st.floats(), max_size=20))
def test_rounded_numbers_have_eight_digits(values: list[float]) -> None:
    for value, short in zip(values, rounded(np.array(values, dtype=np.float64)).tolist(), strict=True):
        if not math.isfinite(value) or value == round(value):
            assert repr(short) == repr(value)
        elif abs(value) < 1e8:
            assert short == pytest.approx(float(f"{value:.8g}"), rel=2e-8, abs=0)
            assert len(f"{abs(short)!r}".partition("e")[0].replace(".", "").strip("0")) <= 8
        else:
            assert abs(short - value) <= 0.5
