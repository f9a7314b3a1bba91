"""Records what NNI 3.0 answers in the modules that tuners are written on.

Run it with the Python that has NNI: /path/to/nni/bin/python tools/record_hpo_utils.py

The modules are nni.common.hpo_utils, nni.utils and nni.parameter_expressions. `answer_of` asks whatever `nni`
is installed, so that a test asks this one the same.
"""

from __future__ import annotations

import json
import logging
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hpo_utils_cases import Case, cases

DATA = Path(__file__).parents[1] / "packages" / "nni-manager" / "tests" / "data" / "hpo_utils.json"


def answer_of(case: Case) -> Any:
    """Returns what the installed `nni` answers, in JSON types: {"answer": ...} or {"error": class names}."""
    try:
        return {"answer": _plain(ANSWERS[case["call"]](json.loads(json.dumps(case))))}
    except Exception as error:
        return {"error": [kind.__name__ for kind in type(error).__mro__[:-2]]}


def _plain(value: Any) -> Any:
    """Returns a value in JSON types: tuples are lists, and a dict of tuples is pairs."""
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {key: _plain(element) for key, element in value.items()}
        return [[_plain(key), _plain(element)] for key, element in value.items()]
    if isinstance(value, (list, tuple)):
        return [_plain(element) for element in value]
    return value.tolist() if hasattr(value, "tolist") else value


def _chosen(pairs: list[Any]) -> dict[Any, Any]:
    return {tuple(key): value for key, value in pairs}


def _validate(case: Case) -> Any:
    from nni.common.hpo_utils import validate_search_space

    return validate_search_space(case["space"], case["types"], case["raise"])


def _format_search_space(case: Case) -> Any:
    from nni.common.hpo_utils import format_search_space

    return [
        [key, spec._asdict(), spec.is_nested()] for key, spec in format_search_space(case["space"]).items()
    ]


def _deformat(case: Case) -> Any:
    from nni.common.hpo_utils import deformat_parameters, format_search_space

    return deformat_parameters(_chosen(case["chosen"]), format_search_space(case["space"]))


def _activated(case: Case) -> Any:
    from nni.common.hpo_utils import format_search_space

    chosen = _chosen(case["chosen"])
    return [[key, spec.is_activated_in(chosen)] for key, spec in format_search_space(case["space"]).items()]


def _format_deformatted(case: Case) -> Any:
    from nni.common.hpo_utils import deformat_parameters, format_parameters, format_search_space

    space = format_search_space(case["space"])
    return format_parameters(deformat_parameters(_chosen(case["chosen"]), space), space)


def _format_parameters(case: Case) -> Any:
    from nni.common.hpo_utils import format_parameters, format_search_space

    return format_parameters(case["parameters"], format_search_space(case["space"]))


def _deduplicate(case: Case) -> Any:
    from nni import NoMoreTrialError
    from nni.common.hpo_utils import Deduplicator, deformat_parameters, format_search_space

    space = format_search_space(case["space"])
    deduplicate = Deduplicator(space)
    for pairs in case["history"]:
        deduplicate.add_history(_chosen(pairs))
    found: list[Any] = []
    for pairs in case["drawn"]:
        chosen = _chosen(pairs)
        try:
            proposed = deduplicate(chosen)
        except NoMoreTrialError:
            found.append("no more")
            break
        found.append([proposed is chosen, deformat_parameters(proposed, space)])
    return found


def _expression(case: Case) -> Any:
    import numpy
    from nni import parameter_expressions

    state = numpy.random.RandomState(case["seed"])
    draw = getattr(parameter_expressions, case["name"])
    return [draw(*case["values"], state) for _ in range(case["count"])]


def _reward(case: Case) -> Any:
    from nni import utils

    return getattr(utils, case["call"])(case["value"], case["key"])


def _converted(case: Case) -> Any:
    from nni import utils

    return getattr(utils, case["call"])(case["value"])


def _json2space(case: Case) -> Any:
    from nni.utils import json2space

    return json2space(case["space"], _wrapped(case) if case["kept"] else None)


def _json2parameter(case: Case) -> Any:
    import numpy
    from nni.utils import json2parameter, json2space

    if case["drawn"] == "all":
        return _wrapped(case)
    kept = _wrapped(case)
    names = sorted(set(json2space(case["space"])))
    parity = {"even": 0, "odd": 1}.get(case["drawn"])
    is_rand = {name: index % 2 == parity for index, name in enumerate(names)}
    return json2parameter(case["space"], is_rand, numpy.random.RandomState(case["seed"] + 1), kept)


def _wrapped(case: Case) -> Any:
    import numpy
    from nni.utils import json2parameter, json2space

    is_rand = dict.fromkeys(json2space(case["space"]), True)
    return json2parameter(case["space"], is_rand, numpy.random.RandomState(case["seed"]), Rand=True)


def _merge_parameter(case: Case) -> Any:
    from nni.utils import merge_parameter

    if case["form"] == "dict":
        merged = merge_parameter(case["base"], case["override"])
        return [merged is case["base"], merged]
    base = Namespace(**case["base"]) if case["form"] == "namespace" else type("Base", (), case["base"])()
    merged = merge_parameter(base, case["override"])
    return [merged is base, {name: getattr(merged, name) for name in case["base"]}]


def _class_args(case: Case) -> Any:
    from nni.utils import ClassArgsValidator

    types: dict[str, type] = {"int": int, "float": float}
    args = (
        [types.get(arg, arg) if case["helper"] == "range" else arg for arg in case["args"]]
        if case["args"]
        else []
    )
    try:
        return getattr(ClassArgsValidator(), case["helper"])("key", *args).validate(case["value"])
    except Exception:
        return "refused"


def _constants(case: Case) -> Any:
    from nni import utils
    from nni.common.hpo_utils import OptimizeMode

    node, metric = utils.NodeType, utils.MetricType
    return {
        "modes": [[mode.name, mode.value] for kind in (OptimizeMode, utils.OptimizeMode) for mode in kind],
        "node": [node.ROOT, node.TYPE, node.VALUE, node.INDEX, node.NAME],
        "metric": [metric.FINAL, metric.PERIODICAL, metric.REQUEST_PARAMETER],
    }


ANSWERS: dict[str, Callable[[Case], Any]] = {
    "validate_search_space": _validate,
    "format_search_space": _format_search_space,
    "deformat_parameters": _deformat,
    "activated": _activated,
    "format_deformatted": _format_deformatted,
    "format_parameters": _format_parameters,
    "deduplicate": _deduplicate,
    "expression": _expression,
    "extract_scalar_reward": _reward,
    "extract_scalar_history": _reward,
    "split_index": _converted,
    "convert_dict2tuple": _converted,
    "json2space": _json2space,
    "json2parameter": _json2parameter,
    "merge_parameter": _merge_parameter,
    "ClassArgsValidator": _class_args,
    "constants": _constants,
}


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    recorded = [{**case, "nni": answer_of(case)} for case in cases()]
    DATA.write_text("[\n" + ",\n".join(json.dumps(case) for case in recorded) + "\n]\n")
