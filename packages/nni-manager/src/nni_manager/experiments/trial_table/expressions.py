"""What a filter and an order say, as trees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Name:
    """A column as written.

    Attributes:
        text: Its name.
        position: Where it stands, from 1.
        is_bare: Whether it has no quotation marks.
    """

    text: str
    position: int
    is_bare: bool = True


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as written.

    Attributes:
        text: The text without its quotation marks.
        number: The number that it is, None when it is text.
        position: Where it stands, from 1.
    """

    text: str
    number: float | None
    position: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Holds for a trial whose value stands in a relation: =, !=, <, <=, >, >= or ~ (contains)."""

    name: Name
    operator: str
    value: Literal


@dataclass(frozen=True, slots=True)
class Membership:
    """Holds for a trial whose value is one of a list, or is there and is none of it."""

    name: Name
    values: tuple[Literal, ...]
    is_negated: bool


@dataclass(frozen=True, slots=True)
class Presence:
    """Holds for a trial that has a value."""

    name: Name


@dataclass(frozen=True, slots=True)
class Negation:
    """Holds where something does not."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class Conjunction:
    """Holds where all of some hold."""

    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Disjunction:
    """Holds where one or more of some hold."""

    operands: tuple[Expression, ...]


Expression: TypeAlias = "Comparison | Membership | Presence | Negation | Conjunction | Disjunction"
"""A filter."""


@dataclass(frozen=True, slots=True)
class OrderTerm:
    """A column to sort by."""

    name: Name
    is_descending: bool
