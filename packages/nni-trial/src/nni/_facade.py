"""Modules that NNI users import, and that live in other packages now: each passes names on when asked."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, Callable, Tuple

    Hooks = Tuple[Callable[[str], Any], Callable[[], list[str]]]


def forward(facade: str, *targets: str, own: tuple[str, ...] = ()) -> Hooks:
    """Returns the `__getattr__` and `__dir__` of a module that shows the names of others.

    Args:
        facade: The module's name.
        targets: Whose names it shows. A name that several have is the first one's.
        own: The public names that the module defines itself.

    Returns:
        The two functions. They raise ImportError, saying what to install, if a target's package is missing.

    Raises:
        ImportError: All names come from one package, and it is missing.
    """
    if len(targets) == 1 and not own and find_spec(targets[0].partition(".")[0]) is None:
        raise _missing(facade, targets[0])

    def public() -> list[str]:
        return sorted({*own, *(name for target in targets for name in _names(_load(facade, target)))})

    def get(name: str) -> Any:
        if name == "__all__":
            return public()
        if not name.startswith("__"):
            for target in targets:
                module = _load(facade, target)
                if hasattr(module, name):
                    return getattr(module, name)
            raise AttributeError(
                f"module {facade!r} has no attribute {name!r}; this version has {', '.join(public())}"
            )
        raise AttributeError(f"module {facade!r} has no attribute {name!r}")

    def names() -> list[str]:
        return sorted({*vars(sys.modules[facade]), *public()})

    return get, names


def _names(module: ModuleType) -> list[str]:
    """Returns a module's public names: its __all__, else what it defines itself."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def _load(facade: str, target: str) -> ModuleType:
    try:
        return import_module(target)
    except ModuleNotFoundError as error:
        if error.name == target.partition(".")[0]:
            raise _missing(facade, target) from error
        if error.name is not None and f"{target}.".startswith(f"{error.name}."):
            raise _missing(facade, target, "newer than the one installed", "--upgrade ") from error
        raise


def _missing(
    facade: str, target: str, which: str = "which is not installed", option: str = ""
) -> ImportError:
    distribution = target.partition(".")[0].replace("_", "-")
    return ImportError(
        f"{facade} needs the package {distribution}, {which} for {sys.executable}; "
        f"from a clone as its README says, else: pip install {option}{distribution}",
        name=facade,
    )
