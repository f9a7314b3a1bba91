"""Questions for the modules that tuners are written on, the same ones in every run; see record_hpo_utils."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Any

Case = dict[str, Any]
"""A question, in JSON types: what is called, and with what."""

NUMERIC: dict[str, list[list[Any]]] = {
    "randint": [[0, 3], [3, 7], [-5, 5], [0, 1], [10, 1000], [-7, -2]],
    "uniform": [[0, 1], [-1.5, 2.5], [99.9, 99.9], [0.0, 1e-9], [-1e6, 1e6]],
    "quniform": [[0, 10, 2], [0.2, 0.8, 0.3], [5, 100, 7], [0, 1, 0.25], [-3, 3, 1.5]],
    "loguniform": [[1e-5, 1e-1], [1, 1000], [0.5, 0.5], [0.1, 2.5]],
    "qloguniform": [[1, 1000, 10], [0.1, 2, 0.5], [1, 64, 4]],
    "normal": [[0, 1], [3.0, 2.0], [-10, 0.1]],
    "qnormal": [[0, 10, 3], [1.5, 2, 0.5]],
    "lognormal": [[0, 1], [-1, 2]],
    "qlognormal": [[0, 1, 2], [1, 1, 0.5]],
}
"""Each numeric type with ranges that make sense."""

OPTIONS: list[list[Any]] = [
    ["a", "b", "c"],
    [1, 2, 3],
    [0.5, 1, "x"],
    [32],
    ["é", "变量", ""],
    [True, False],
    [None, 1],
    [[1, 2], [3]],
    [{"a": 1}, {"a": 2}],
]
"""The options of choices."""

ODD_ENTRIES: list[Any] = [
    {},
    {"_type": "choice"},
    {"_value": [1, 2]},
    {"_type": "choice", "_value": "abc"},
    {"_type": "choice", "_value": {"a": 1}},
    {"_type": "choice", "_value": []},
    {"_type": "choice", "_value": [{"k": 1}]},
    {"_type": "choice", "_value": [{"_name": "a"}, 3]},
    {"_type": "choice", "_value": [3, {"_name": "a"}]},
    {"_type": "choice", "_value": [{"_name": 3}]},
    {"_type": "choice", "_value": [{"_name": "a", "x": {"_type": "uniform", "_value": [1, 0]}}]},
    {"_type": "choice", "_value": [1, 2], "_default": 1},
    {"_type": "choise", "_value": [1]},
    {"_type": "layer_choice", "_value": ["a", "b"]},
    {"_type": None, "_value": [1, 2]},
    {"_type": "randint", "_value": [0.0, 5.0]},
    {"_type": "randint", "_value": [5, 5]},
    {"_type": "randint", "_value": [7, 5]},
    {"_type": "randint", "_value": [False, True]},
    {"_type": "randint", "_value": [5]},
    {"_type": "uniform", "_value": [0, 1, 2]},
    {"_type": "uniform", "_value": ["0", "1"]},
    {"_type": "uniform", "_value": [1, 0]},
    {"_type": "uniform", "_value": [None, 1]},
    {"_type": "uniform", "_value": [0, float("inf")]},
    {"_type": "uniform", "_value": [float("nan"), 1]},
    {"_type": "quniform", "_value": [0, 1]},
    {"_type": "quniform", "_value": [0, 1, 0]},
    {"_type": "quniform", "_value": [0, 1, -1]},
    {"_type": "loguniform", "_value": [0, 1]},
    {"_type": "loguniform", "_value": [-4, -1]},
    {"_type": "qloguniform", "_value": [0, 1, 1]},
    {"_type": "normal", "_value": [0, 0]},
    {"_type": "normal", "_value": [0, -1]},
    {"_type": "qnormal", "_value": [0, 1]},
    {"_type": "lognormal", "_value": [0]},
    {"lr": {"_type": "uniform", "_value": [0, 1]}},
    {"lr": {"_type": "uniform", "_value": [1, 0]}},
    3,
    None,
    "choice",
    [1, 2],
]
"""What stands in the place of a parameter in search spaces that make no sense, or not to NNI."""


def cases() -> Iterator[Case]:
    """Yields every question; the same ones in every run."""
    rng = random.Random(0)
    yield from _validation_cases(rng)
    yield from _formatting_cases(rng)
    yield from _deduplicator_cases(rng)
    yield from _expression_cases()
    yield from _utils_cases(rng)


def search_space(rng: random.Random, depth: int = 2, size: int = 4) -> dict[str, Any]:
    """Returns a random search space that is valid in NNI."""
    names = rng.sample(["lr", "units", "act", "Größe", "a.b", "with blank", "x/y", "0"], rng.randint(1, size))
    return {name: _entry(rng, depth) for name in names}


def _entry(rng: random.Random, depth: int) -> dict[str, Any]:
    if depth and rng.random() < 0.25:
        names = rng.sample(["Empty", "Conv", "Pool"], rng.randint(1, 3))
        options = [
            {"_name": name, **(search_space(rng, depth - 1, 2) if index else {})}
            for index, name in enumerate(names)
        ]
        return {"_type": "choice", "_value": options}
    if rng.random() < 0.3:
        return {"_type": "choice", "_value": rng.choice(OPTIONS[:5])}
    kind = rng.choice(list(NUMERIC))
    return {"_type": kind, "_value": rng.choice(NUMERIC[kind])}


def _all_entries() -> Iterator[dict[str, Any]]:
    for options in OPTIONS:
        yield {"_type": "choice", "_value": options}
    for kind, ranges in NUMERIC.items():
        for values in ranges:
            yield {"_type": kind, "_value": values}


def _validation_cases(rng: random.Random) -> Iterator[Case]:
    spaces: list[Any] = [{"x": entry} for entry in (*_all_entries(), *ODD_ENTRIES)]
    spaces += [{}, [], None, "x", 3, [{"x": {"_type": "uniform", "_value": [0, 1]}}]]
    for _ in range(100):
        space = search_space(rng)
        if rng.random() < 0.5:
            space[rng.choice([*space, "new"])] = rng.choice(ODD_ENTRIES)
        spaces.append(space)
    for space in spaces:
        yield {"call": "validate_search_space", "space": space, "types": None, "raise": False}
        yield {"call": "validate_search_space", "space": space, "types": None, "raise": True}
    for types in (["choice"], ["choice", "randint", "uniform"], ["normal", "quniform"], []):
        for entry in _all_entries():
            yield {"call": "validate_search_space", "space": {"x": entry}, "types": types, "raise": True}
    own = {"x": {"_type": "own_type", "_value": [1, 2]}}
    for types in (["own_type"], ["choice"]):
        yield {"call": "validate_search_space", "space": own, "types": types, "raise": True}


def _formatting_cases(rng: random.Random) -> Iterator[Case]:
    spaces = [{"x": entry} for entry in _all_entries()] + [search_space(rng) for _ in range(60)]
    for space in spaces:
        yield {"call": "format_search_space", "space": space}
        for _ in range(3):
            chosen = chosen_in(rng, space)
            yield {"call": "deformat_parameters", "space": space, "chosen": chosen}
            yield {"call": "activated", "space": space, "chosen": chosen}
            yield {"call": "format_deformatted", "space": space, "chosen": chosen}
    group = {"optim": {"lr": {"_type": "uniform", "_value": [0, 1]}}}
    yield {"call": "format_search_space", "space": group}
    yield {"call": "format_search_space", "space": {"x": {"_type": "choice", "_value": []}}}
    yield {"call": "format_search_space", "space": {"x": {"_type": "randint", "_value": [0.5, 3.2]}}}
    odd: list[tuple[str, list[Any], Any]] = [
        ("uniform", [0, 1], 1.5), ("uniform", [0, 10], 3), ("quniform", [0, 10, 3], 99.0),
        ("randint", [0, 3], 7), ("lognormal", [0, 1], 1e9), ("choice", ["a", "b"], 2),
    ]  # fmt: skip
    for kind, ranges, chosen in odd:
        space = {"x": {"_type": kind, "_value": ranges}}
        yield {"call": "deformat_parameters", "space": space, "chosen": [[["x"], chosen]]}
    nested = {"x": {"_type": "choice", "_value": [
        {"_name": "a"}, {"_name": "b", "k": {"_type": "choice", "_value": [1, 3]}}]}}  # fmt: skip
    for pairs in ([[["x"], 0], [["x", 1, "k"], 1]], [[["x", 1, "k"], 1]], [], [[["y"], 0]]):
        yield {"call": "deformat_parameters", "space": nested, "chosen": pairs}
    for parameters in (
        {"x": "b"},
        {"x": {"_name": "b"}},
        {"x": {"_name": "c"}},
        {"x": {"_name": "b", "k": 3}},
    ):
        yield {"call": "format_parameters", "space": nested, "parameters": parameters}
    wrong: dict[str, list[Any]] = {
        "choice": ["a", "d", 1, True, None, {"_name": "x"}],
        "randint": [0, 2, 3, -1, 1.5, "1"],
        "uniform": [0, 0.5, 1, 1.5, "x", None],
        "loguniform": [1e-5, 1e-3, 2.0, 0, -1],
        "qnormal": [0, 3, 4, 1e9],
        "qlognormal": [2, 4.0, 0],
    }
    for kind, values in wrong.items():
        ranges = OPTIONS[0] if kind == "choice" else NUMERIC[kind][0]
        space = {"x": {"_type": kind, "_value": ranges}}
        for parameters in (*({"x": value} for value in values), {}, {"y": 1}, {"x": values[0], "y": 1}):
            yield {"call": "format_parameters", "space": space, "parameters": parameters}


def chosen_in(rng: random.Random, space: dict[str, Any], prefix: tuple[Any, ...] = ()) -> list[list[Any]]:
    """Returns random formatted parameters of a search space, as pairs of a key and what is chosen."""
    pairs: list[list[Any]] = []
    for name, entry in space.items():
        if name == "_name":
            continue
        kind, values, key = entry["_type"], entry["_value"], [*prefix, name]
        if kind == "choice":
            index = rng.randrange(len(values))
            pairs.append([key, index])
            if all(isinstance(option, dict) and "_name" in option for option in values):
                pairs += chosen_in(rng, values[index], (*key, index))
        elif kind == "randint":
            pairs.append([key, rng.randrange(values[1] - values[0])])
        else:
            pairs.append([key, _chosen_number(rng, kind, values)])
    return pairs


def _chosen_number(rng: random.Random, kind: str, values: list[Any]) -> float:
    if "normal" in kind:
        return rng.gauss(values[0], values[1])
    low, high = map(math.log, values[:2]) if "log" in kind else values[:2]
    return rng.uniform(low, high)


def _deduplicator_cases(rng: random.Random) -> Iterator[Case]:
    finite: list[dict[str, Any]] = [
        {"x": {"_type": "choice", "_value": ["a", "b", "c"]}},
        {"x": {"_type": "randint", "_value": [3, 6]}, "y": {"_type": "choice", "_value": [1, 2]}},
        {"x": {"_type": "quniform", "_value": [0, 1, 0.25]}},
        {"x": {"_type": "quniform", "_value": [0, 10, 2]}, "y": {"_type": "randint", "_value": [0, 2]}},
        {"x": {"_type": "uniform", "_value": [99.9, 99.9]}},
        {"x": {"_type": "qloguniform", "_value": [1, 64, 16]}},
        {
            "x": {
                "_type": "choice",
                "_value": [{"_name": "none"}, {"_name": "some", "k": {"_type": "choice", "_value": [1, 3]}}],
            }
        },
    ]
    endless: list[dict[str, Any]] = [
        {"x": {"_type": "uniform", "_value": [0, 1]}, "y": {"_type": "choice", "_value": [1, 2]}},
        {"x": {"_type": "normal", "_value": [0, 1]}},
    ]
    for space in [*finite, *endless]:
        for seed in range(4):
            drawn = [chosen_in(random.Random(100 * seed + index), space) for index in range(24)]
            again = [*drawn, *drawn[:3]]
            yield {"call": "deduplicate", "space": space, "drawn": again, "history": drawn[:seed]}
    nested = {
        "x": {
            "_type": "choice",
            "_value": [{"_name": "none"}, {"_name": "some", "k": {"_type": "uniform", "_value": [0, 1]}}],
        }
    }
    drawn = [[[["x"], 0]]] * 6
    yield {"call": "deduplicate", "space": nested, "drawn": drawn, "history": []}


def _expression_cases() -> Iterator[Case]:
    for seed in (0, 1, 42, 2**32 - 1):
        for kind, ranges in NUMERIC.items():
            for values in ranges:
                yield {"call": "expression", "name": kind, "values": values, "seed": seed, "count": 8}
        for options in ([1, 2, 3], ["a", "b"], [0.5], 5, [{"a": 1}, {"b": 2}], [0.5, 1], [True, False]):
            yield {"call": "expression", "name": "choice", "values": [options], "seed": seed, "count": 8}
    wrong: list[tuple[str, list[Any]]] = [
        ("uniform", [2, 1]), ("quniform", [2, 1, 1]), ("loguniform", [0, 1]), ("loguniform", [-4, -1]),
        ("qloguniform", [0, 1, 1]), ("randint", [5, 5]), ("randint", [7, 5]), ("normal", [0, -1]),
        ("choice", [[]]), ("uniform", [0, float("inf")]), ("normal", [[0, 10], 1]),
        ("qnormal", [[0, 9], 1, 2]), ("lognormal", [[0, 1], [1, 2]]), ("uniform", ["a", "b"]),
    ]  # fmt: skip
    for name, values in wrong:
        yield {"call": "expression", "name": name, "values": values, "seed": 3, "count": 2}


def _utils_cases(rng: random.Random) -> Iterator[Case]:
    rewards: list[Any] = [
        1,
        0,
        -2.5,
        True,
        float("nan"),
        float("inf"),
        10**400,
        "1",
        None,
        [1],
        {},
        {"default": 1},
    ]
    rewards += [{"default": None}, {"default": "1"}, {"loss": 2}, {"default": True, "loss": 3}]
    for value in rewards:
        for key in ("default", "loss"):
            yield {"call": "extract_scalar_reward", "value": value, "key": key}
            yield {"call": "extract_scalar_history", "value": [value, 1], "key": key}
    wrapped = {"a": {"_index": 1, "_value": {"_name": "x", "k": {"_index": 0, "_value": 3}}}, "b": {"c": 4}}
    for value in (wrapped, {}, 3, None, [wrapped], {"_index": 0, "_value": "x"}, {"_index": 0}):
        yield {"call": "split_index", "value": value}
    for value in ({"b": {"d": 1, "c": 2}, "a": 3}, {}, 3, [{"a": 1}], {"a": [{"b": 1}]}, {"a": None}):
        yield {"call": "convert_dict2tuple", "value": value}
    spaces = [search_space(rng) for _ in range(40)] + [{"x": entry} for entry in _all_entries()]
    spaces += [{"optim": {"lr": {"_type": "uniform", "_value": [0, 1]}}}, {}]
    for number, space in enumerate(spaces):
        yield {"call": "json2space", "space": space, "kept": False, "seed": number}
        yield {"call": "json2space", "space": space, "kept": True, "seed": number}
        for drawn in ("all", "none", "even", "odd"):
            yield {"call": "json2parameter", "space": space, "drawn": drawn, "seed": number}
    base = {"lr": 0.1, "n": 3, "name": "a", "free": None, "flag": True, "list": [1]}
    values = [("lr", 1), ("lr", "x"), ("lr", True), ("n", 4), ("n", 0.5), ("n", True), ("name", "b")]
    values += [
        ("name", 3),
        ("free", [1]),
        ("flag", False),
        ("flag", 1),
        ("list", [2]),
        ("list", None),
        ("new", 1),
    ]
    for override in (None, {}, *({name: value} for name, value in values)):
        for form in ("dict", "namespace", "class"):
            yield {"call": "merge_parameter", "base": base, "override": override, "form": form}
    checks: list[tuple[str, list[Any]]] = [
        ("choices", ["a", "b"]), ("choices", [1, 2, None]), ("range", ["int", 0, 9]),
        ("range", ["float", 0, 1]), ("path", []),
    ]  # fmt: skip
    for helper, args in checks:
        for value in ("a", "c", 0, 9, 10, -1, 0.5, 1.0, 1.5, True, None, "/", "/does/not/exist", [1]):
            yield {"call": "ClassArgsValidator", "helper": helper, "args": args, "value": value}
    yield {"call": "constants"}
