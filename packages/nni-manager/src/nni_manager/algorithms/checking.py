"""Answers questions about algorithms, in a process that may import what users wrote.

    python -m nni_manager.algorithms.checking

It reads one JSON object from standard input and writes one to standard output:

- {"list": true} is answered with {"algorithms": [...]}, as `AlgoMeta.dump` has them, with algoType.
- {"register": [...]}, descriptions with algoType, is answered with {"problems": [...]}: why they do not work.
- {"use": {"tuner": {"name", "class_args"}, ...}, "search_space": ...} is answered with {"problems": {...},
  "notices": {...}}, both by "tuner" and "assessor"; a notice is "" where there is nothing to know.
- {"validate": description, "kind": ..., "arguments": {...}} is answered with {"problems": [...]}.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from nni_manager.algorithms.advisor.base import MsgDispatcherBase
from nni_manager.algorithms.package_utils import AlgoMeta, get_all_algo_meta, load_class
from nni_manager.algorithms.registry import algorithm_notice, check_algorithm

_METHODS = {
    "tuner": ("generate_multiple_parameters", "receive_trial_result", "update_search_space"),
    "assessor": ("assess_trial",),
}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Returns the answer to a question; see the module."""
    if "list" in request:
        return {"algorithms": [{"algoType": it.algo_type, **it.dump()} for it in get_all_algo_meta()]}
    if "register" in request:
        metas = [AlgoMeta.load(entry) for entry in request["register"]]
        return {"problems": [f"{meta.name}: {text}" for meta in metas for text in class_problems(meta)]}
    if "use" in request:
        space = request.get("search_space")
        found = {
            kind: check_algorithm(kind, given["name"], given.get("class_args"), space)
            for kind, given in request["use"].items()
        }
        notices = {kind: algorithm_notice(kind, given["name"]) for kind, given in request["use"].items()}
        return {"problems": found, "notices": notices}
    meta = AlgoMeta.load(request["validate"], request["kind"])
    return {"problems": validator_problems(meta, request["arguments"])}


def class_problems(meta: AlgoMeta) -> list[str]:
    """Returns why an algorithm that is to be registered does not work; its modules are imported."""
    try:
        algorithm_class = load_class(meta.class_name)
    except Exception as error:
        return [_not_imported(meta.class_name, error)]
    problem = _class_problem(meta, algorithm_class)
    problems = [f"{meta.class_name} {problem}"] if problem else []
    if meta.validator_class_name is not None:
        try:
            validator_class = load_class(meta.validator_class_name)
        except Exception as error:
            return [*problems, _not_imported(meta.validator_class_name, error)]
        if not hasattr(validator_class, "validate_class_args"):
            what = "it has no method validate_class_args; it should subclass nni.ClassArgsValidator"
            problems.append(f"{meta.validator_class_name} is no validator: {what}")
    return problems


def _class_problem(meta: AlgoMeta, algorithm_class: type[Any]) -> str:
    if issubclass(algorithm_class, MsgDispatcherBase):
        return "" if meta.algo_type == "tuner" else "is an advisor; allowed are algoType advisor and tuner"
    if meta.is_advisor:
        base = "nni.runtime.msg_dispatcher_base.MsgDispatcherBase"
        return f"is no advisor: it should subclass {base}"
    missing = [name for name in _METHODS[meta.algo_type] if not hasattr(algorithm_class, name)]
    if not missing:
        return ""
    base = f"nni.{meta.algo_type}.{meta.algo_type.capitalize()}"
    return f"is no {meta.algo_type}: it has no method {missing[0]}; it should subclass {base}"


def validator_problems(meta: AlgoMeta, arguments: dict[str, Any]) -> list[str]:
    """Returns what an algorithm's validator says of arguments; it is imported."""
    place = f"{meta.algo_type} {meta.name}"
    try:
        validator = load_class(str(meta.validator_class_name))()
    except Exception as error:
        return [f"{place}: {_not_imported(str(meta.validator_class_name), error)}"]
    try:
        validator.validate_class_args(**arguments)
    except Exception as error:
        return [f"{place}: {error if str(error) else type(error).__name__}"]
    return []


def _not_imported(class_name: str, error: Exception) -> str:
    what = str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
    return f"the class {class_name} cannot be used: {what}; it must be installed for {sys.executable}"


def main() -> None:
    """Reads one question and answers it."""
    request = json.load(sys.stdin)
    # What users' modules print when they are imported does not belong into the answer.
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with output:
        json.dump(answer(request), output)


if __name__ == "__main__":
    main()
