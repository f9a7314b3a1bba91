"""The modules that tuners are written on answer as NNI 3.0 does, apart from a listed few.

What NNI answers is recorded by tools/record_hpo_utils.py.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import hpo_utils_cases
import pytest
import record_hpo_utils

RECORDED: list[dict[str, Any]] = json.loads(record_hpo_utils.DATA.read_text())

Predicate = Callable[[dict[str, Any], dict[str, Any], dict[str, Any]], bool]
"""Whether a case is of a kind, given the case, NNI's answer and this one's."""


def choice(*options: Any) -> dict[str, Any]:
    return {"_type": "choice", "_value": list(options)}


def numeric(kind: str, *values: Any) -> dict[str, Any]:
    return {"_type": kind, "_value": list(values)}


ACCEPTED_HERE: list[tuple[Any, str]] = [
    (choice(None, 1), "any JSON is an option"),
    (choice([1, 2], [3]), "any JSON is an option"),
    (choice({"a": 1}, {"a": 2}), "any JSON is an option"),
    (choice({"k": 1}), "any JSON is an option"),
    (numeric("uniform", 99.9, 99.9), "a range of one value works in all tuners"),
    (numeric("loguniform", 0.5, 0.5), "a range of one value works in all tuners"),
    ({"lr": numeric("uniform", 0, 1)}, "parameters may be grouped"),
]
"""Parameters that NNI refuses, and why they are fine."""

REFUSED_HERE: list[tuple[Any, str]] = [
    (choice(), "there is nothing to choose"),
    (choice({"_name": "a"}, 3), "options with and without parameters of their own cannot be mixed"),
    (choice({"_name": "a", "x": numeric("uniform", 1, 0)}), "nested parameters are checked too"),
    (numeric("randint", False, True), "truth values are no bounds"),
    (numeric("uniform", 0, math.inf), "no tuner can draw from it"),
    (numeric("uniform", math.nan, 1), "no tuner can draw from it"),
    (numeric("quniform", 0, 1, 0), "values cannot be rounded to a multiple of 0"),
    (numeric("quniform", 0, 1, -1), "a step below 0 is a mistake"),
    ({}, "an empty search space has one single point, which is a mistake"),
]
"""Parameters, or whole search spaces, that NNI accepts, and what is wrong with them."""


def is_listed_validity(case: dict[str, Any], nni: dict[str, Any], ours: dict[str, Any]) -> bool:
    listed = ACCEPTED_HERE if ours.get("answer") is True else REFUSED_HERE
    texts = {json.dumps(entry) for entry, _ in listed}
    space = case["space"]
    found = [space, *(space.values() if isinstance(space, dict) else [])]
    return not texts.isdisjoint(json.dumps(entry) for entry in found)


def raises(answer: dict[str, Any], kind: str) -> bool:
    return kind in answer.get("error", ())


def value(case: dict[str, Any]) -> Any:
    return case["parameters"].get("x")


DIFFERENCES: dict[str, tuple[int, str, Predicate]] = {
    "validate_search_space": (69, "see ACCEPTED_HERE and REFUSED_HERE", is_listed_validity),
    "activated": (
        18,
        "NNI fails on a choice in a choice whose option is not taken",
        lambda case, nni, ours: raises(nni, "KeyError") and any(len(key) >= 5 for key, _ in ours["answer"]),
    ),
    "format_deformatted": (
        30,
        "NNI fails there too, and on a qlognormal value that was rounded to 0",
        lambda case, nni, ours: raises(nni, "KeyError") or (raises(nni, "ValueError") and "answer" in ours),
    ),
    "format_parameters": (
        19,
        "what is missing, no number, not whole or no option is one error, a ValueError that names it; a "
        "qlognormal value of 0 has a meaning",
        lambda case, nni, ours: (
            (
                raises(ours, "ValueError")
                and (raises(nni, "KeyError") or value(case) in ("1", 1.5, "x", None, "b"))
            )
            or (raises(nni, "ValueError") and value(case) == 0)
        ),
    ),
    "deformat_parameters": (
        5,
        "values are kept within their bounds, exponentials within floats, and options that are not taken, or "
        "keys that there are not, add nothing",
        lambda case, nni, ours: (
            case["chosen"]
            in (
                [[["x"], 1.5]],
                [[["x"], 1e9]],
                [[["x"], 0], [["x", 1, "k"], 1]],
                [[["x", 1, "k"], 1]],
                [[["y"], 0]],
            )
        ),
    ),
    "format_search_space": (
        2,
        "parameters may be grouped; a choice without options is refused by the check",
        lambda case, nni, ours: raises(nni, "KeyError") or raises(nni, "AssertionError"),
    ),
    "json2parameter": (
        10,
        "NNI does not draw what is nested in an option that is kept, though is_rand asks for it",
        lambda case, nni, ours: case["drawn"] in ("even", "odd") and "_name" in json.dumps(case["space"]),
    ),
}
"""By call: how many answers differ, why, and which may."""


def equal(first: Any, second: Any) -> bool:
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(equal, first, second))
    if isinstance(first, dict) and isinstance(second, dict):
        return list(first) == list(second) and all(equal(first[key], second[key]) for key in first)
    if isinstance(first, float) and isinstance(second, float):
        # The last bit of a logarithm or an exponential is the processor's.
        return math.isclose(first, second, rel_tol=1e-13) or (math.isnan(first) and math.isnan(second))
    return bool(first == second)


def same_answer(nni: dict[str, Any], ours: dict[str, Any]) -> bool:
    return nni["error"][0] in ours.get("error", ()) if "error" in nni else equal(nni, ours)


@pytest.mark.parametrize("call", sorted({case["call"] for case in RECORDED}))
def test_the_answers_are_those_of_nni(call: str) -> None:
    limit, _, may_differ = DIFFERENCES.get(call, (0, "", lambda case, nni, ours: False))
    differing = 0
    for case in RECORDED:
        if case["call"] == call:
            question = {key: element for key, element in case.items() if key != "nni"}
            ours = json.loads(json.dumps(record_hpo_utils.answer_of(question)))
            if not same_answer(case["nni"], ours):
                assert may_differ(question, case["nni"], ours), (question, case["nni"], ours)
                differing += 1
    assert differing == limit


def test_every_listed_parameter_differs() -> None:
    verdicts = {
        json.dumps(case["space"]): "answer" in case["nni"]
        for case in RECORDED
        if case["call"] == "validate_search_space" and case["types"] is None and case["raise"]
    }
    for listed, accepted_by_nni in ((ACCEPTED_HERE, False), (REFUSED_HERE, True)):
        for entry, reason in listed:
            text = json.dumps(entry if entry == {} else {"x": entry})
            assert verdicts[text] is accepted_by_nni, reason


def test_the_recorded_questions_are_those_of_the_tool() -> None:
    asked = [{key: element for key, element in case.items() if key != "nni"} for case in RECORDED]
    assert json.dumps(asked) == json.dumps(list(hpo_utils_cases.cases()))
    assert Counter(case["call"] for case in asked).keys() == record_hpo_utils.ANSWERS.keys()
