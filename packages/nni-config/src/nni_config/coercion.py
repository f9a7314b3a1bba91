"""What is accepted for a field beyond its exact type: dicts for nested classes, YAML's yes and no, numpy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from nni_config.fields import FieldKind
from nni_config.names import short
from nni_config.plain import plain_scalar
from nni_config.problems import InvalidConfigError, Problem, error_of
from nni_config.secrets import HIDDEN

if TYPE_CHECKING:
    from nni_config.base import ConfigBase

_PLACEHOLDER = re.compile(r"\s*\$\{[^{}]*\}\s*")
_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def coerced(kind: FieldKind, value: Any) -> Any:
    """Returns a value as its field's type, where that is what it obviously means.

    Raises:
        InvalidConfigError: A nested configuration is not valid.
        ValueError: The value is text that no file and no program can have.
    """
    value = plain_scalar(value)
    if isinstance(value, str) and is_placeholder(value) and not kind.is_text and not kind.is_path:
        raise ValueError(placeholder_message(value))
    if (kind.is_text or kind.is_path) and "\0" in str(value):
        shown = HIDDEN if kind.is_secret else short(value)
        raise ValueError(f"{shown} has a null character in it; allowed is text without")
    if kind.is_bool and isinstance(value, str):
        return _WORDS.get(value.lower(), value)
    if kind.is_text and isinstance(value, (int, float)) and not isinstance(value, bool):
        return getattr(value, "written", None) or str(value)
    if kind.config_class is not None:
        if kind.may_be_list and isinstance(value, (list, tuple)):
            return _nested_list(kind.config_class, value)
        if not kind.must_be_list:
            return nested(kind.config_class, value)
    return value


def is_placeholder(text: str) -> bool:
    """Returns whether a text is a placeholder and nothing else, as a template has it."""
    return _PLACEHOLDER.fullmatch(text) is not None


def placeholder_message(text: str) -> str:
    """Returns what is said about a placeholder that is not filled in."""
    return f"{short(text)} has a placeholder that is not filled in; write the value"


def nested(config_class: type[ConfigBase], value: Any) -> ConfigBase:
    """Returns a nested configuration made of what was given for it.

    Raises:
        InvalidConfigError: It is not valid.
    """
    if isinstance(value, config_class):
        return value
    if isinstance(value, dict):
        return config_class._from_mapping(value)
    config = config_class._from_object(value)
    if config is not None:
        return config
    raise InvalidConfigError([Problem((), config_class._refusal_of(value))])


def _nested_list(config_class: type[ConfigBase], values: list[Any] | tuple[Any, ...]) -> list[ConfigBase]:
    problems: list[Problem] = []
    result: list[ConfigBase] = []
    for index, value in enumerate(values):
        try:
            result.append(nested(config_class, value))
        except InvalidConfigError as error:
            problems += [problem.below(index) for problem in error.problems]
    if problems:
        raise error_of(problems)
    # The same list where nothing changed, so that changes made to it later are seen.
    same = isinstance(values, list) and all(new is old for new, old in zip(result, values, strict=True))
    return values if same else result  # type: ignore[return-value]


def problems_of(error: ValidationError) -> list[Problem]:
    """Returns what pydantic found as problems in our words."""
    problems: list[Problem] = []
    for details in error.errors(include_url=False):
        cause = details.get("ctx", {}).get("error")
        if isinstance(cause, InvalidConfigError):
            problems += [problem.below(*details["loc"]) for problem in cause.problems]
        else:
            problems.append(Problem(details["loc"], _message(dict(details), cause)))
    return problems


_TYPES = {
    "int_type": ("a whole number", "a whole number"),
    "int_from_float": ("a whole number", "a whole number"),
    "float_type": ("a number", "a number"),
    "string_type": ("text", "text; in YAML, put it in quotes"),
    "bool_type": ("true or false", "true and false"),
    "list_type": ("a list", "a list"),
    "dict_type": ("an object", "names with values"),
}

_BOUNDS = {
    "greater_than": ("gt", "too small", "above"),
    "greater_than_equal": ("ge", "too small", "from"),
    "less_than": ("lt", "too large", "below"),
    "less_than_equal": ("le", "too large", "up to"),
}


def _message(details: dict[str, Any], cause: Exception | None) -> str:
    """Returns one of pydantic's findings as: what is wrong; what is allowed."""
    kind, given = details["type"], short(details["input"])
    if cause is not None:
        return str(cause)
    if kind in _TYPES:
        expected, allowed = _TYPES[kind]
        return f"{given} is not {expected}; allowed is {allowed}"
    if kind in _BOUNDS:
        key, problem, word = _BOUNDS[kind]
        return f"{given} is {problem}; allowed is a number {word} {details['ctx'][key]}"
    if kind == "literal_error":
        return f"{given} is not allowed; allowed is {details['ctx']['expected']}"
    return f"{given}: {details['msg']}"
