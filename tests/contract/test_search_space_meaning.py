"""One meaning of the search space: what a trial gets from each `_type` is the same for every built-in tuner.

The tuners are those of the registry; a new one is tested as soon as it is there. Batch alone is left out:
its search space is a list of points and not parameters to combine (test_algorithms_batch.py).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nni import NoMoreTrialError
from nni_manager.algorithms.hpo_utils.validation import points_problems
from nni_manager.algorithms.registry import BuiltIn, built_in_algorithms, check_algorithm
from nni_manager.algorithms.tuner import Tuner
from nni_manager.testing.search_spaces import without_added
from nni_proto import values

TUNERS = {
    built_in.name: built_in
    for built_in in built_in_algorithms("tuner")
    if built_in.space_problems is not points_problems
}
LETTERS = {"_type": "choice", "_value": ["a", "b"]}
LIMIT = 150
"""How many parameters are drawn where they never end."""
REPEATING = ("Hyperband", "BOHB", "PBT")
"""Tuners that try the same values again, as their algorithms say."""
WITH_RESULTS = {"SMAC": 16, "GP": 16, "Metis": 16, "DNGO": 26, "Optuna": 40}
"""How many instead, where a suggestion after results takes long: six or more with a model."""
ARGUMENTS = {"PBT": {"population_size": LIMIT}}
"""What makes tuners draw often enough."""


@pytest.fixture(autouse=True)
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives tuners a place for their files, as the manager does."""
    monkeypatch.setenv("NNI_CHECKPOINT_DIRECTORY", str(tmp_path))


def parameter(kind: str, *value: Any) -> dict[str, Any]:
    return {"x": {"_type": kind, "_value": list(value)}}


def option(name: str, **parameters: Any) -> dict[str, Any]:
    return {"_name": name, **{key: definition["x"] for key, definition in parameters.items()}}


# What is drawn from each of these is exactly what is listed, once each.
FINITE: list[tuple[dict[str, Any], list[Any]]] = [
    (parameter("choice", "a", "é", ""), ["a", "é", ""]),
    (parameter("choice", 1, 2.0, -3, "4"), [1, 2.0, -3, "4"]),
    (parameter("choice", 1, 1.0, True), [1, 1.0, True]),
    (parameter("choice", None, False, [1, [2]], {"a": 1}), [None, False, [1, [2]], {"a": 1}]),
    (parameter("choice", {"a": 1}), [{"a": 1}]),
    (parameter("randint", 3, 7), [3, 4, 5, 6]),
    (parameter("randint", -5, 5), [-5, -4, -3, -2, -1, 0, 1, 2, 3, 4]),
    (parameter("randint", 0, 1), [0]),
    (parameter("uniform", 99.9, 99.9), [99.9]),
    (parameter("uniform", 3, 3), [3.0]),
    (parameter("loguniform", 0.5, 0.5), [0.5]),
    (parameter("quniform", 0, 10, 2), [0, 2, 4, 6, 8, 10]),
    (parameter("quniform", 0, 10, 2.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]),
    (parameter("quniform", 0.0, 10, 5), [0.0, 5.0, 10.0]),
    (parameter("quniform", 0.2, 0.8, 0.3), [0.3, 0.6, 0.8]),
    (parameter("quniform", 5, 100, 7), [7, 14, 21, 28, 35, 42, 49, 56, 63, 70, 77, 84, 91, 98]),
    (parameter("quniform", 1, 10, 4), [1, 4, 8]),
    (parameter("quniform", -3, 3, 1.5), [-3.0, -1.5, 0.0, 1.5, 3.0]),
    (parameter("qloguniform", 1, 40, 10), [1, 10, 20, 30, 40]),
    (parameter("qloguniform", 0.1, 2, 0.5), [0.1, 0.5, 1.0, 1.5, 2.0]),
    (
        parameter(
            "choice",
            option("Empty"),
            option(
                "Conv",
                k=parameter("choice", 1, 3),
                inner=parameter("choice", option("Pool", n=parameter("randint", 2, 4)), option("None")),
            ),
        ),
        [
            {"_name": "Empty"},
            *(
                {"_name": "Conv", "k": k, "inner": inner}
                for k in (1, 3)
                for inner in ({"_name": "Pool", "n": 2}, {"_name": "Pool", "n": 3}, {"_name": "None"})
            ),
        ],
    ),
    (
        {"x": {"n": parameter("randint", 0, 2)["x"], "deep": {"c": parameter("choice", "a", "b")["x"]}}},
        [{"n": n, "deep": {"c": c}} for n in (0, 1) for c in ("a", "b")],
    ),
    (
        parameter("choice", {"_name": "opt", "group": {"c": parameter("choice", "a", "b")["x"]}}),
        [{"_name": "opt", "group": {"c": "a"}}, {"_name": "opt", "group": {"c": "b"}}],
    ),
]

# What is drawn from each of these is of a type, within bounds, as often below as above a middle, and a
# multiple of a step. A grid goes through integers in order.
ENDLESS: list[tuple[dict[str, Any], type, float, float, float | None, float | None]] = [
    (parameter("randint", 0, 10**15), int, 0, 10**15 - 1, None, None),
    (parameter("uniform", 0, 1), float, 0, 1, 0.5, None),
    (parameter("uniform", -1.5, 2.5), float, -1.5, 2.5, 0.5, None),
    (parameter("loguniform", 1e-5, 1e-1), float, 1e-5, 1e-1, 1e-3, None),
    (parameter("loguniform", 1, 10000), float, 1, 10000, 100, None),
    (parameter("normal", 3, 2), float, -math.inf, math.inf, 3, None),
    (parameter("normal", -10.5, 0.1), float, -math.inf, math.inf, -10.5, None),
    (parameter("qnormal", 50, 100, 3), int, -math.inf, math.inf, 50, 3),
    (parameter("qnormal", 1.0, 100, 3), float, -math.inf, math.inf, 1, 3),
    (parameter("lognormal", 1, 2), float, 0, math.inf, math.e, None),
    (parameter("qlognormal", 5, 1, 2), int, 0, math.inf, math.exp(5), 2),
    (parameter("qlognormal", 5, 1, 0.5), float, 0, math.inf, math.exp(5), 0.5),
    (parameter("qloguniform", 1, 10**8, 10), int, 1, 10**8, 10**4, 10),
    (parameter("quniform", 0, 10**6, 10), int, 0, 10**6, 5e5, 10),
]


def for_every_tuner(rows: list[Any]) -> list[Any]:
    """Returns the rows for each tuner that takes their types."""
    return [
        pytest.param(built_in, *row, id=f"{name} {json.dumps(row[0], ensure_ascii=False)[:60]}")
        for name, built_in in TUNERS.items()
        for row in rows
        if not is_unsupported(built_in, row[0])
    ]


def is_unsupported(built_in: BuiltIn, space: dict[str, Any]) -> bool:
    problems = check_algorithm("tuner", built_in.name, None, space)
    return any("is not supported by this algorithm" in problem for problem in problems)


def tuner_for(built_in: BuiltIn, space: dict[str, Any]) -> Tuner:
    arguments: dict[str, Any] = {"seed": 5} if "seed" in built_in.arguments else {}
    arguments |= ARGUMENTS.get(built_in.name, {})
    assert check_algorithm("tuner", built_in.name, arguments, space) == []
    tuner: Tuner = built_in.load()(**built_in.fixed_arguments, **arguments)
    tuner.update_search_space(space)
    return tuner


def drawn(tuner: Tuner, limit: int = LIMIT, with_results: bool = True) -> Iterator[Any]:
    """Yields the values of x as a trial gets them; a tuner that learns from results learns nonsense."""
    for parameter_id in range(limit):
        try:
            parameters = tuner.generate_parameters(parameter_id)
        except NoMoreTrialError:
            return
        assert list(without_added(parameters)) == ["x"]
        received = json.loads(json.dumps(parameters, allow_nan=False, ensure_ascii=False))
        assert typed(received) == typed(parameters)
        assert typed(values.object_from_message(values.object_to_message(parameters))) == typed(parameters)
        yield received["x"]
        if with_results:
            tuner.receive_trial_result(parameter_id, parameters, float(parameter_id % 7))
        tuner.trial_end(parameter_id, with_results)


def all_drawn(built_in: BuiltIn, space: dict[str, Any]) -> list[str]:
    """Returns all values that are drawn, in order; those that a tuner repeats only once."""
    found = [typed(value) for value in drawn(tuner_for(built_in, space))]
    return sorted(set(found) if built_in.name in REPEATING else found)


def typed(value: Any) -> str:
    """Returns text that is the same for equal values of the same types, with dicts in any order."""
    if type(value) is dict:
        return repr(sorted((key, typed(element)) for key, element in value.items()))
    if type(value) is list:
        return repr([typed(element) for element in value])
    assert type(value) in (int, float, str, bool, type(None)), type(value)
    return repr(round(value, 9) if type(value) is float else value)


@pytest.mark.parametrize(("built_in", "space", "expected"), for_every_tuner(FINITE))
def test_what_a_finite_space_holds(built_in: BuiltIn, space: dict[str, Any], expected: list[Any]) -> None:
    assert all_drawn(built_in, space) == sorted(typed(value) for value in expected)


@pytest.mark.parametrize(
    ("built_in", "space", "kind", "low", "high", "middle", "step"), for_every_tuner(ENDLESS)
)
def test_what_an_endless_space_holds(
    built_in: BuiltIn,
    space: dict[str, Any],
    kind: type,
    low: float,
    high: float,
    middle: float | None,
    step: float | None,
) -> None:
    for with_results in (True, False):
        limit = WITH_RESULTS.get(built_in.name, LIMIT) if with_results else LIMIT
        found = list(drawn(tuner_for(built_in, space), limit, with_results))
        assert len(found) == limit
        assert {type(value) for value in found} == {kind}
        assert all(low <= value <= high for value in found)
        if step is not None:
            multiples = (value for value in found if value not in (low, high))
            assert all(math.isclose(value / step, round(value / step)) for value in multiples)
    if middle is not None:
        # 127 numbers are one whole grid; nothing was learned about them.
        assert 0.35 < sum(value <= middle for value in found[:127]) / 127 < 0.65


NAMES = ["epochs:", " with blanks ", "变量", "a.b", "a/b", "x[0]", "'\"", "\u200b", "-", "_x", "ü" * 300]


@pytest.mark.parametrize(
    ("built_in", "space"),
    for_every_tuner([({**dict.fromkeys(NAMES, LETTERS), "n": {"o p": LETTERS}},)]),
)
def test_odd_names_reach_the_trial_unchanged(built_in: BuiltIn, space: dict[str, Any]) -> None:
    """Row 84."""
    tuner = tuner_for(built_in, space)
    for parameter_id in range(25):
        parameters = tuner.generate_parameters(parameter_id)
        own = without_added(parameters)
        assert list(own) == [*NAMES, "n"]
        assert list(own.pop("n")) == ["o p"]
        assert set(own.values()) <= {"a", "b"}
        tuner.receive_trial_result(parameter_id, parameters, 1.0)


@pytest.mark.parametrize("built_in", TUNERS.values(), ids=TUNERS)
def test_the_example_of_the_documentation(built_in: BuiltIn) -> None:
    """Row 75."""
    text = (Path(__file__).parents[2] / "docs" / "search_space.md").read_text("utf-8")
    space, *expected = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL))
    assert len(expected) == 3
    if not is_unsupported(built_in, space):
        assert all_drawn(built_in, {"x": space}) == sorted(map(typed, expected))


@pytest.mark.parametrize("built_in", TUNERS.values(), ids=TUNERS)
def test_a_very_large_choice(built_in: BuiltIn) -> None:
    """Row 15: 50,000 options, 3 MB."""
    options = [f"option number {number} with a text that is somewhat longer" for number in range(50_000)]
    found = list(drawn(tuner_for(built_in, parameter("choice", *options)), limit=40))
    assert len(found) == 40
    assert len(set(found)) == 40 or built_in.name in REPEATING
    assert set(found) <= set(options)


MANY = {f"parameter {number}": {"_type": "uniform", "_value": [0, 1]} for number in range(3000)}


@pytest.mark.parametrize(
    ("built_in", "space"),
    for_every_tuner([(MANY,), ({"pick": LETTERS, **dict.fromkeys(MANY, LETTERS)},)]),
)
def test_very_many_parameters(built_in: BuiltIn, space: dict[str, Any]) -> None:
    tuner = tuner_for(built_in, space)
    found = []
    for parameter_id in range(3):
        found.append(tuner.generate_parameters(parameter_id))
        tuner.receive_trial_result(parameter_id, found[-1], 1.0)
    assert len({json.dumps(parameters) for parameters in found}) == 3
    assert all(list(without_added(parameters)) == list(space) for parameters in found)


@pytest.mark.parametrize("built_in", TUNERS.values(), ids=TUNERS)
@pytest.mark.parametrize(
    ("space", "place"),
    [
        (parameter("loguniform", -4, -1), "x._value[0]"),
        (parameter("loguniform", 0, 1), "x._value[0]"),
        (parameter("qloguniform", 0, 1, 0.1), "x._value[0]"),
        (parameter("randint", 5, 5), "x._value"),
        (parameter("randint", 0.5, 5), "x._value[0]"),
        (parameter("quniform", 0, 1, 0), "x._value[2]"),
        (parameter("choice"), "x._value"),
        (parameter("choice", option("a", k=parameter("uniform", 2, 1))), "x._value[0].k._value"),
        ({"x": {"_value": [1]}}, "x"),
        ({"x": {"_type": "choice", "_value": 1}}, "x._value"),
        ({"x": {"_type": "choise", "_value": [1]}}, "x._type"),
    ],
)
def test_what_makes_no_sense_is_refused_for_every_tuner(
    built_in: BuiltIn, space: dict[str, Any], place: str
) -> None:
    """Rows 76, 79, 91 and 198: before anything is drawn, with the place."""
    problem, *_ = check_algorithm("tuner", built_in.name, None, space)
    assert problem.startswith(f"search space: {place}: ")
