"""Search spaces and parameters in the forms of the library hyperopt, for programs that use it themselves.

A parameter is named by the way to it: `root[lr]-loguniform`, nested ones `root[layer]-choice[1][k]-choice`.
"""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

from nni_manager.algorithms.indexed_parameters import NodeType


def json2space(in_x: Any, name: str = NodeType.ROOT) -> Any:
    """Returns a search space as hyperopt's expressions.

    Args:
        in_x: The search space.
        name: What the names start with.

    Raises:
        ImportError: hyperopt is not installed.
        RuntimeError: A dict option has no `_name`.
    """
    if isinstance(in_x, list):
        return [json2space(element, f"{name}[{index}]") for index, element in _options(in_x)]
    if not isinstance(in_x, dict):
        return in_x
    if NodeType.TYPE not in in_x:
        return {key: json2space(element, f"{name}[{key}]") for key, element in in_x.items()}
    type_, values = in_x[NodeType.TYPE], in_x[NodeType.VALUE]
    name = f"{name}-{type_}"
    if type_ == "choice":
        return _expressions().choice(name, json2space(values, name))
    if type_ == "randint":
        return _expressions().randint(name, values[1] - values[0])
    if type_ in ("loguniform", "qloguniform"):
        values = [math.log(values[0]), math.log(values[1]), *values[2:]]
    return getattr(_expressions(), type_)(name, *values)


def json2parameter(in_x: Any, parameter: dict[str, Any], name: str = NodeType.ROOT) -> Any:
    """Returns parameters, their choices wrapped as `{"_index", "_value"}`, for values that hyperopt chose.

    Args:
        in_x: The search space.
        parameter: The values by the names of the parameters.
        name: What the names start with.

    Raises:
        RuntimeError: A dict option has no `_name`.
    """
    if isinstance(in_x, list):
        return [json2parameter(element, parameter, f"{name}[{index}]") for index, element in _options(in_x)]
    if not isinstance(in_x, dict):
        return in_x
    if NodeType.TYPE not in in_x:
        return {key: json2parameter(element, parameter, f"{name}[{key}]") for key, element in in_x.items()}
    type_, values = in_x[NodeType.TYPE], in_x[NodeType.VALUE]
    name = f"{name}-{type_}"
    value = parameter[name]
    if type_ == "choice":
        chosen = json2parameter(values[value], parameter, f"{name}[{value}]")
        return {NodeType.INDEX: value, NodeType.VALUE: chosen}
    if type_ == "randint":
        return value + values[0]
    return min(max(value, values[0]), values[1]) if type_ in ("quniform", "qloguniform") else value


def json2vals(in_x: Any, vals: Any, out_y: dict[str, Any], name: str = NodeType.ROOT) -> None:
    """Adds the values that hyperopt would have chosen for parameters: the inverse of `json2parameter`.

    Args:
        in_x: The search space.
        vals: The parameters, their choices wrapped.
        out_y: Gets the values by the names of the parameters.
        name: What the names start with.
    """
    if isinstance(in_x, list):
        for index, element in _options(in_x):
            json2vals(element, vals[index], out_y, f"{name}[{index}]")
    elif isinstance(in_x, dict) and NodeType.TYPE not in in_x:
        for key, element in in_x.items():
            json2vals(element, vals[key], out_y, f"{name}[{key}]")
    elif isinstance(in_x, dict):
        type_, values = in_x[NodeType.TYPE], in_x[NodeType.VALUE]
        name = f"{name}-{type_}"
        if type_ == "choice":
            index = out_y[name] = vals[NodeType.INDEX]
            json2vals(values[index], vals[NodeType.VALUE], out_y, f"{name}[{index}]")
        else:
            out_y[name] = vals - values[0] if type_ == "randint" else vals


def _options(options: list[Any]) -> list[tuple[int, Any]]:
    if any(isinstance(option, dict) and NodeType.NAME not in option for option in options):
        raise RuntimeError("'_name' key is not found in this nested search space.")
    return list(enumerate(options))


def _expressions() -> Any:
    try:
        return import_module("hyperopt").hp
    except ImportError as error:
        text = "json2space makes expressions of the library hyperopt; install it with: pip install hyperopt"
        raise ImportError(text, name="hyperopt") from error
