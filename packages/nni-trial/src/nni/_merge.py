"""Puts the tuner's parameters over a script's defaults."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    Base = TypeVar("Base")


def merge_parameter(base_params: Base, override_params: dict[str, Any] | None) -> Base:
    """Puts parameters over defaults, `merge_parameter(defaults, nni.get_next_parameter())`.

    Args:
        base_params: The defaults, a dict or an object with attributes such as an argparse.Namespace. It is
            changed in place.
        override_params: The parameters; None changes nothing.

    Returns:
        `base_params`.

    Raises:
        ValueError: There is no default of this name, or its type is another one. An int may replace a float
            and becomes one, a bool may replace an int, and anything may replace None.
    """
    base: Any = base_params
    is_dict = isinstance(base, dict)
    for name, value in (override_params or {}).items():
        if name not in base if is_dict else not hasattr(base, name):
            known = base if is_dict else [known for known in dir(base) if not known.startswith("_")]
            raise ValueError(f"Key {name!r} not found in base parameters, which are {', '.join(known)}")
        default = base[name] if is_dict else getattr(base, name)
        if isinstance(default, float) and isinstance(value, int):
            value = float(value)
        if default is not None and not isinstance(value, type(default)):
            raise ValueError(
                f"{name}: the default {default!r} is a {type(default).__name__}, "
                f"but the parameter {value!r} is a {type(value).__name__}"
            )
        if is_dict:
            base[name] = value
        else:
            setattr(base, name, value)
    return base_params
