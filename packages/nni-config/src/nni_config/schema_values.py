"""JSON Schema of the values that single fields take in YAML."""

from __future__ import annotations

import re
from typing import Any

from nni_config.durations import LONGEST
from nni_config.fields import INT32_MAX

Schema = dict[str, Any]

_NO_PLACEHOLDER = r"(?![\s\S]*\$\{)"
_NOT_ONLY_PLACEHOLDER = r"(?!\s*\$\{[^{}]*\}\s*$)"
_NOT_BLANK = r"(?=[\s\S]*\S)"
_AMOUNT = r"^\s*(?=[+.\d]*[1-9])\+?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*"
"""A number above 0."""


def any_case(words: list[str] | tuple[str, ...]) -> str:
    """Returns a pattern of words in upper and lower case, which JSON Schema has no flag for."""
    alternatives = ("".join(map(_any_case_of, word)) for word in words)
    return f"^({'|'.join(alternatives)})$"


def _any_case_of(character: str) -> str:
    return f"[{character.upper()}{character.lower()}]" if character.isalpha() else re.escape(character)


BOOLEAN: Schema = {
    "anyOf": [
        {"type": "boolean"},
        {"type": "string", "pattern": any_case(("true", "false", "yes", "no", "on", "off"))},
    ]
}
"""YAML 1.2 has yes and no as text; the fields take them all the same."""

FALSE: Schema = {"anyOf": [{"const": False}, {"type": "string", "pattern": any_case(("false", "no", "off"))}]}

PATH: Schema = {"type": "string", "minLength": 1, "pattern": rf"^{_NO_PLACEHOLDER}[^\u0000]*$"}

DURATION: Schema = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST},
        {"type": "string", "pattern": rf"{_AMOUNT}[dhmsDHMS]\s*$"},
    ]
}

MEMORY_SIZE: Schema = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0, "maximum": INT32_MAX},
        {"type": "string", "pattern": rf"{_AMOUNT}([tgmkTGMK]?[bB])\s*$"},
    ]
}

FAILED_TRIAL_RESULT: Schema = {"anyOf": [{"type": "number"}, {"enum": ["ignore", "worst"]}]}

_TEXT: Schema = {"type": "string", "pattern": r"\S"}

TEXTS: Schema = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]}

_GPU: Schema = {"type": "integer", "minimum": 0, "maximum": INT32_MAX}

GPU_INDICES: Schema = {
    "anyOf": [
        _GPU,
        {"type": "string", "pattern": r"^(?!.*\b(\d+)\b.*\b\1\b)\s*\d+\s*(,\s*\d+\s*)*$"},
        {"type": "array", "items": _GPU, "uniqueItems": True},
    ]
}

NO_PLACEHOLDERS: Schema = {
    "anyOf": [
        {"type": ["null", "boolean", "number"]},
        {"type": "string", "pattern": rf"^{_NOT_ONLY_PLACEHOLDER}"},
        {"type": "array", "items": {"$ref": "#/$defs/argument"}},
        {"type": "object", "additionalProperties": {"$ref": "#/$defs/argument"}},
    ]
}
"""An argument of a built-in algorithm; the definition is called argument."""


def text(is_command: bool, is_blank_allowed: bool) -> Schema:
    """Returns the schema of text. Numbers are taken as text, too."""
    pattern = ("" if is_command else _NO_PLACEHOLDER) + ("" if is_blank_allowed else _NOT_BLANK)
    return {"type": ["string", "number"], "pattern": rf"^{pattern}[^\u0000]*$"}


def secret(is_blank_allowed: bool) -> Schema:
    """Returns the schema of text that is never shown. It may well have the characters of a placeholder."""
    pattern = _NOT_ONLY_PLACEHOLDER + ("" if is_blank_allowed else _NOT_BLANK)
    return {"type": ["string", "number"], "pattern": rf"^{pattern}[^\u0000]*$", "writeOnly": True}


def by_constant(key: str, schemas: dict[str, Schema]) -> Schema:
    """Returns the schema of objects of several kinds, told apart by the value of a key.

    Unlike with oneOf, what is wrong with one kind is told where it is.
    """
    return {
        "type": "object",
        "required": [key],
        "properties": {key: {"enum": list(schemas)}},
        "allOf": [
            {"if": {"properties": {key: {"const": kind}}, "required": [key]}, "then": schema}
            for kind, schema in schemas.items()
        ],
    }


def nullable(schema: Schema) -> Schema:
    """Returns the schema of the same values and null, which means that a field is not set."""
    alternatives = schema["anyOf"] if schema.keys() == {"anyOf"} else [schema]
    return {"anyOf": [*alternatives, {"type": "null"}]}
