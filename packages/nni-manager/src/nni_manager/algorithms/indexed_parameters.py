"""Parameters in which every choice is wrapped as `{"_index": ..., "_value": ...}`.

Algorithms written for NNI use this form to keep apart which option was chosen and what it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nni_manager.algorithms import parameter_expressions


class NodeType:
    """The keys with a meaning of their own in search spaces and wrapped parameters."""

    ROOT = "root"
    TYPE = "_type"
    VALUE = "_value"
    INDEX = "_index"
    NAME = "_name"


def split_index(params: Any) -> Any:
    """Returns parameters with every wrapper replaced by what it holds."""
    if not isinstance(params, dict):
        return params
    if NodeType.INDEX in params:
        return split_index(params[NodeType.VALUE])
    return {key: split_index(value) for key, value in params.items()}


def convert_dict2tuple(value: Any) -> Any:
    """Returns a value in which dicts are sorted tuples of items, so that it can be hashed."""
    if not isinstance(value, dict):
        return value
    for key, element in value.items():
        value[key] = convert_dict2tuple(element)
    return tuple(sorted(value.items()))


def json2space(x: Any, oldy: Any = None, name: str = NodeType.ROOT) -> list[str]:
    """Returns the names of the parameters in a search space, those nested in a choice before the choice's.

    Args:
        x: A search space.
        oldy: Wrapped parameters; only what is nested in the options chosen there is named.
        name: What the names start with.

    Raises:
        RuntimeError: A dict option has no `_name`.
    """
    if isinstance(x, list):
        inner = [json2space(element, _at(oldy, index), f"{name}[{index}]") for index, element in enumerate(x)]
        return [found for names in inner for found in names]
    if not isinstance(x, dict):
        return []
    if NodeType.TYPE not in x:
        inner = [json2space(element, _at(oldy, key), f"{name}[{key}]") for key, element in x.items()]
        return [found for names in inner for found in names]
    name = f"{name}-{x[NodeType.TYPE]}"
    names = []
    if x[NodeType.TYPE] == "choice":
        for index, option in enumerate(x[NodeType.VALUE]):
            if oldy is not None and oldy[NodeType.INDEX] != index:
                continue
            if isinstance(option, dict) and NodeType.NAME not in option:
                raise RuntimeError("'_name' key is not found in this nested search space.")
            names += json2space(option, _at(oldy, NodeType.VALUE), f"{name}[{index}]")
    return [*names, name]


def json2parameter(
    x: Any,
    is_rand: Mapping[str, bool],
    random_state: np.random.RandomState,
    oldy: Any = None,
    Rand: bool = False,  # noqa: N803
    name: str = NodeType.ROOT,
) -> Any:
    """Returns wrapped parameters, some drawn and some kept.

    Args:
        x: A search space.
        is_rand: By the names of `json2space`, which parameters are drawn.
        random_state: Where they are drawn from.
        oldy: The wrapped parameters that the others are kept from.
        Rand: Whether all are drawn.
        name: What the names start with.
    """
    if isinstance(x, list):
        return [
            json2parameter(element, is_rand, random_state, _at(oldy, index), Rand, f"{name}[{index}]")
            for index, element in enumerate(x)
        ]
    if not isinstance(x, dict):
        return x
    if NodeType.TYPE not in x:
        return {
            key: json2parameter(element, is_rand, random_state, _at(oldy, key), Rand, f"{name}[{key}]")
            for key, element in x.items()
        }
    type_, values = x[NodeType.TYPE], x[NodeType.VALUE]
    name = f"{name}-{type_}"
    drawn = Rand or bool(is_rand.get(name))
    if type_ != "choice":
        return getattr(parameter_expressions, type_)(*values, random_state) if drawn else oldy
    index = random_state.randint(len(values)) if drawn else oldy[NodeType.INDEX]
    kept = None if drawn else oldy[NodeType.VALUE]
    value = json2parameter(values[index], is_rand, random_state, kept, drawn, f"{name}[{index}]")
    return {NodeType.INDEX: int(index), NodeType.VALUE: value}


def _at(oldy: Any, key: Any) -> Any:
    return oldy[key] if oldy else None
