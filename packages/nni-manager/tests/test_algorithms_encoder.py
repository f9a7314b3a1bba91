"""Search spaces as vectors from 0 to 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from nni_manager.algorithms.hpo_utils import deformat_parameters, format_parameters, format_search_space
from nni_manager.algorithms.surrogate.encoder import MOST_OPTIONS, Encoder
from nni_manager.algorithms.tuners.random import suggest
from nni_manager.testing.search_spaces import FINITE, SPACES, parameter_problems

ALL = {**SPACES, "finite": FINITE, "many options": {"a": {"_type": "choice", "_value": list(range(1000))}}}


def vector_of(space: dict[str, Any], parameters: dict[str, Any]) -> list[float]:
    formatted = format_search_space(space)
    return list(Encoder(formatted).encode(format_parameters(parameters, formatted)))


@pytest.mark.parametrize("space", ALL.values(), ids=ALL)
def test_a_vector_is_that_of_its_parameters(space: dict[str, Any]) -> None:
    formatted, rng = format_search_space(space), np.random.default_rng(1)
    encoder = Encoder(formatted)
    for _ in range(50):
        parameters = deformat_parameters(suggest(rng, formatted), formatted)
        vector = encoder.encode(format_parameters(parameters, formatted))
        assert vector.shape == (encoder.size,)
        assert ((vector >= 0) & (vector <= 1)).all()
        again = deformat_parameters(encoder.decode(vector), formatted)
        assert parameter_problems(again, space) == []
        assert encoder.encode(encoder.decode(vector)) == pytest.approx(vector, abs=1e-9)
        if "normal" not in str(space):
            assert vector_of(space, again) == pytest.approx(vector_of(space, parameters), abs=1e-9)


@pytest.mark.parametrize("space", ALL.values(), ids=ALL)
def test_every_vector_stands_for_parameters_of_the_space(space: dict[str, Any]) -> None:
    formatted, rng = format_search_space(space), np.random.default_rng(2)
    encoder = Encoder(formatted)
    for vector in [*rng.uniform(size=(100, encoder.size)), np.zeros(encoder.size), np.ones(encoder.size)]:
        assert parameter_problems(deformat_parameters(encoder.decode(vector), formatted), space) == []


@pytest.mark.parametrize("space", ALL.values(), ids=ALL)
def test_random_vectors_are_like_those_of_random_parameters(space: dict[str, Any]) -> None:
    formatted = format_search_space(space)
    encoder = Encoder(formatted)
    drawn = encoder.snap(encoder.random(np.random.default_rng(3), 1000))
    rng = np.random.default_rng(4)
    expected = np.array([encoder.encode(suggest(rng, formatted)) for _ in range(1000)])
    assert drawn.mean(axis=0) == pytest.approx(expected.mean(axis=0), abs=0.08)
    assert drawn.std(axis=0) == pytest.approx(expected.std(axis=0), abs=0.08)


@pytest.mark.parametrize(
    ("definition", "value", "expected"),
    [
        ({"_type": "uniform", "_value": [-1, 3]}, 0, [0.25]),
        ({"_type": "loguniform", "_value": [1e-4, 1]}, 1e-3, [0.25]),
        ({"_type": "randint", "_value": [3, 7]}, 3, [0.125]),
        ({"_type": "quniform", "_value": [0, 4, 2]}, 4, [5 / 6]),
        ({"_type": "normal", "_value": [5, 2]}, 7, [0.841345]),
        ({"_type": "lognormal", "_value": [0, 1]}, 1, [0.5]),
        ({"_type": "choice", "_value": ["a", "b", "c"]}, "b", [0, 1, 0]),
        ({"_type": "choice", "_value": list(range(MOST_OPTIONS + 1))}, 0, [0.5 / (MOST_OPTIONS + 1)]),
    ],
)
def test_where_a_value_is(definition: dict[str, Any], value: Any, expected: list[float]) -> None:
    assert vector_of({"x": definition}, {"x": value}) == pytest.approx(expected, abs=1e-6)


def test_what_is_not_active_or_unknown_is_in_the_middle() -> None:
    vector = vector_of(SPACES["nested"], {"layer": {"_name": "Empty"}, "n": 0})
    assert vector == pytest.approx([1, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.005])
    encoder = Encoder(format_search_space(SPACES["nested"]))
    assert list(encoder.encode({})) == [0.5] * 8
    assert encoder.random(np.random.default_rng(0), 100)[:, :7].tolist().count(vector[:7]) > 30


@pytest.mark.parametrize("space", ALL.values(), ids=ALL)
def test_all_vectors_that_are_drawn_are_those_of_parameters(space: dict[str, Any]) -> None:
    encoder, rng = Encoder(format_search_space(space)), np.random.default_rng(5)
    drawn = encoder.random(rng, 100)
    near = encoder.near(rng, drawn[:3], 100)
    anywhere = rng.uniform(size=(100, encoder.size))
    snapped = [encoder.encode(encoder.decode(vector)) for vector in (*drawn, *near, *anywhere)]
    expected = np.array([*drawn, *near, *encoder.snap(anywhere)])
    tail = 2e-3 if "normal" in str(space) else 1e-9
    assert np.array(snapped) == pytest.approx(expected, abs=tail)


def test_a_local_search_moves_active_numbers_of_many_values_only() -> None:
    encoder = Encoder(format_search_space(SPACES["nested"]))
    empty = [1, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.3]
    deep = [0, 1, 0, 1, 1, 0, 0.7, 0.3]
    moves = encoder.movable(np.array([empty, deep]))
    assert moves.tolist() == [[False] * 7 + [True], [False] * 6 + [True, True]]
    for name, expected in {
        "uniform": [True, False],
        "randint": [False, False],
        "quniform": [False, False],
        "qloguniform": [True],
        "qnormal": [False],
        "qlognormal": [True],
        "mixed": [True, False, False, False, False, True],
    }.items():
        encoder = Encoder(format_search_space(SPACES[name]))
        assert encoder.movable(np.full((1, encoder.size), 0.5)).tolist() == [expected], name


def test_a_space_of_nothing_has_no_columns() -> None:
    encoder = Encoder({})
    assert encoder.size == 0
    assert encoder.random(np.random.default_rng(0), 3).shape == (3, 0)
    assert encoder.decode(encoder.encode({})) == {}
