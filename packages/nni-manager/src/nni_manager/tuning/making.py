"""Makes the algorithm that a manager asks for."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from nni_proto import values
from nni_proto.v1 import algorithm_pb2

from nni_manager.tuning.errors import CannotMakeError
from nni_manager.tuning.instances import load_instance

_METHODS = {
    "tuner": ("generate_multiple_parameters", "receive_trial_result", "trial_end", "update_search_space"),
    "assessor": ("assess_trial", "trial_end"),
}
_SUCCESSIVE_HALVING = "nni_manager.algorithms.successive_halving.tuner"
_ADVISOR_METHODS = {
    "_get_one_trial_job",
    "_handle_trial_end",
    "_request_one_trial_job",
    "generate_new_bracket",
    "process_command",
}


def make_algorithm(request: algorithm_pb2.InitializeAlgorithm) -> Any:
    """Returns the algorithm.

    Raises:
        CannotMakeError: The configuration does not fit.
        Exception: The algorithm's own code failed.
    """
    is_tuner = request.kind == algorithm_pb2.InitializeAlgorithm.ALGORITHM_KIND_TUNER
    kind = "tuner" if is_tuner else "assessor"
    class_args = values.object_from_message(request.class_args)
    if request.instance_file:
        return _checked(load_instance(Path(request.instance_file)), kind, request.class_name)
    if not request.class_name:
        return _make_built_in(kind, request, class_args)
    if request.code_directory:
        sys.path.insert(0, request.code_directory)
    algorithm = _construct(_find_class(request.class_name, request.code_directory), class_args)
    return _checked(algorithm, kind, request.class_name)


def _checked(algorithm: Any, kind: str, class_name: str) -> Any:
    from nni_manager.algorithms.advisor.base import MsgDispatcherBase

    if isinstance(algorithm, MsgDispatcherBase):
        if kind == "tuner":
            return algorithm
        raise CannotMakeError(f"{class_name} is an advisor, which is set as tuner or advisor, not as {kind}")
    unheard = _methods_of_an_advisor(algorithm)
    if unheard:
        raise CannotMakeError(
            f"{class_name} has {', '.join(unheard)}, which nobody calls: Hyperband and BOHB are tuners "
            "here, no advisors as in NNI; override generate_parameters, receive_trial_result and trial_end"
        )
    missing = [name for name in _METHODS[kind] if not callable(getattr(algorithm, name, None))]
    if missing:
        base = f"nni.{kind}.{kind.capitalize()}"
        raise CannotMakeError(
            f"{class_name} is no {kind}: it has no method {missing[0]}; it should subclass {base}"
        )
    return algorithm


def _methods_of_an_advisor(algorithm: Any) -> list[str]:
    """Returns which methods of NNI's advisors of these names a subclass of Hyperband or BOHB has."""
    line = type(algorithm).__mro__
    if not any(it.__module__ == _SUCCESSIVE_HALVING for it in line):
        return []
    own = {name for it in line for name, value in vars(it).items() if callable(value)}
    return sorted(name for name in own if name.startswith("handle_") or name in _ADVISOR_METHODS)


def _make_built_in(kind: str, request: algorithm_pb2.InitializeAlgorithm, class_args: dict[str, Any]) -> Any:
    from nni_manager.algorithms.registry import check_algorithm, find_algorithm

    space = values.from_message(request.search_space) if request.HasField("search_space") else {}
    if request.optimize_mode:
        class_args = {"optimize_mode": request.optimize_mode, **class_args}
    problems = check_algorithm(kind, request.name, class_args, space)
    if problems:
        raise CannotMakeError("; ".join(problems))
    built_in = find_algorithm(kind, request.name)
    return built_in.load()(**built_in.fixed_arguments, **class_args)


def _find_class(path: str, code_directory: str) -> type[Any]:
    module_name, _, class_name = path.rpartition(".")
    if not module_name:
        raise CannotMakeError(f"the class name {path!r} should be 'module.Class'")
    module = _import(path, module_name, code_directory)
    found = getattr(module, class_name, None)
    if isinstance(found, type):
        return found
    classes = [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__
    ]
    raise CannotMakeError(
        f"the class {path} was not found: {module.__file__} has no class {class_name}; "
        f"its classes are {', '.join(classes) or 'none'}"
    )


def _import(path: str, module_name: str, code_directory: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        if module_name == missing or module_name.startswith(f"{missing}."):
            tried = code_directory or ", ".join(sys.path)
            raise CannotMakeError(
                f"the class {path} was not found: there is no module {missing} in {tried}"
            ) from error
        raise CannotMakeError(
            f"the class {path} cannot be imported: {error}; the interpreter is {sys.executable}"
        ) from error


def _construct(algorithm_class: type[Any], class_args: dict[str, Any]) -> Any:
    try:
        inspect.signature(algorithm_class).bind(**class_args)
    except TypeError as error:
        parameters = ", ".join(inspect.signature(algorithm_class).parameters) or "none"
        raise CannotMakeError(
            f"the class arguments do not fit {algorithm_class.__module__}.{algorithm_class.__qualname__}: "
            f"{error}; its arguments are {parameters}"
        ) from error
    except ValueError:
        pass  # A class written in C has no signature; its constructor will tell.
    return algorithm_class(**class_args)
