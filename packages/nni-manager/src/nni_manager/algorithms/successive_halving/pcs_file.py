"""Search spaces in the .pcs format of ConfigSpace ("new", of 2016)."""

from __future__ import annotations

import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nni_manager.algorithms.typehint import SearchSpace

_OPTIONS = {"CategoricalHyperparameter": "choices", "OrdinalHyperparameter": "sequence", "Constant": "value"}


def read_pcs(path: str) -> SearchSpace:
    """Returns the search space in a .pcs file.

    Categorical and ordinal parameters and constants become choices, integers randint, or qloguniform in
    steps of 1, and real numbers uniform or loguniform.

    Args:
        path: The file.

    Raises:
        ValueError: It cannot be read, or has conditions or forbidden clauses; the text says what is wrong.
    """
    if not Path(path).is_file():
        raise ValueError(f"config_space is {path!r}; it should be the path of a .pcs file")
    if find_spec("ConfigSpace") is None:
        raise ValueError(
            f"config_space needs ConfigSpace, not installed for {sys.executable}; "
            'install with: pip install "nni-manager[BOHB]"'
        )
    space = _read(path)
    if not len(space):
        raise ValueError(f"config_space: {path} has no parameters in the format of .pcs files")
    for what, found in (("conditions", space.conditions), ("forbidden clauses", space.forbidden_clauses)):
        if found:
            raise ValueError(
                f"config_space: {path} has {what}, as {found[0]}, which are not supported; "
                "in a search space, options with parameters of their own are nested choices"
            )
    return {name: _definition(parameter) for name, parameter in space.items()}


def _read(path: str) -> Any:
    with warnings.catch_warnings():
        # The format is kept by ConfigSpace, and is not developed further.
        warnings.simplefilter("ignore", DeprecationWarning)
        from ConfigSpace.read_and_write import pcs_new

        try:
            with Path(path).open(encoding="utf-8") as file:
                return pcs_new.read(file)
        except Exception as error:
            raise ValueError(f"config_space: {path} cannot be read: {error}") from error


def _definition(parameter: Any) -> dict[str, Any]:
    kind = type(parameter).__name__
    if kind in _OPTIONS:
        options = getattr(parameter, _OPTIONS[kind])
        texts = [str(option) for option in (options if isinstance(options, tuple) else (options,))]
        return {"_type": "choice", "_value": texts}
    low, high = parameter.lower, parameter.upper
    if kind == "UniformFloatHyperparameter":
        return {"_type": "loguniform" if parameter.log else "uniform", "_value": [float(low), float(high)]}
    if parameter.log:
        return {"_type": "qloguniform", "_value": [int(low), int(high), 1]}
    return {"_type": "randint", "_value": [int(low), int(high) + 1]}
