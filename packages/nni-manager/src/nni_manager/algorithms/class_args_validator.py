"""Checks the arguments of registered algorithms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class ClassArgsValidator:
    """Base class of what checks the class arguments of a registered algorithm before the start.

    The helpers return objects with a `validate(value)` method, which the `schema` library takes as they are.
    """

    def validate_class_args(self, **kwargs: Any) -> None:
        """Checks the arguments.

        Args:
            **kwargs: The arguments.

        Raises:
            Exception: They are not right; the text says what is wrong.
        """

    def choices(self, key: str, *args: Any) -> ArgumentCheck:
        """Returns a check that an argument is one of the given values."""
        return ArgumentCheck(key, lambda value: value in args, f"one of {', '.join(map(repr, args))}")

    def range(self, key: str, keyType: type, start: Any, end: Any) -> ArgumentCheck:  # noqa: N803
        """Returns a check that an argument is of a type and from `start` to `end`, both included."""

        def is_right(value: Any) -> bool:
            return isinstance(value, keyType) and not isinstance(value, bool) and bool(start <= value <= end)

        return ArgumentCheck(key, is_right, f"{keyType.__name__} from {start} to {end}")

    def path(self, key: str) -> ArgumentCheck:
        """Returns a check that an argument is the path of something that exists."""

        def is_right(value: Any) -> bool:
            return isinstance(value, str) and Path(value).exists()

        return ArgumentCheck(key, is_right, "an existing path")


@dataclass(frozen=True)
class ArgumentCheck:
    """A check of one argument.

    Attributes:
        key: The argument's name.
        is_right: Whether a value is right.
        expected: What is right, in words.
    """

    key: str
    is_right: Callable[[Any], bool] = field(repr=False)
    expected: str

    def validate(self, value: Any) -> Any:
        """Returns the value.

        Raises:
            ValueError: It is not right.
        """
        if not self.is_right(value):
            raise ValueError(f"{self.key} is {value!r}; it should be {self.expected}")
        return value
