"""JSON Schema of search spaces for the built-in tuners."""

from __future__ import annotations

from nni_config.schema_values import Schema
from nni_config.search_space_types import PARAMETER_TYPES, ParameterType

_PARAMETERS: Schema = {"$ref": "#/$defs/parameters"}
_ENTRY: Schema = {"$ref": "#/$defs/parameterOrGroup"}
_HAS_NAME: Schema = {"type": "object", "required": ["_name"]}
_IS_PARAMETER: Schema = {"type": "object", "required": ["_type"]}
_RESERVED = ["_name", "_type", "_value"]


def search_space_definitions() -> dict[str, Schema]:
    """Returns the definitions; the search space itself is "parameters"."""
    return {
        "parameters": {
            "description": 'Names with {"_type", "_value"}, or with groups of such names.',
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"not": {"enum": _RESERVED}},
            "additionalProperties": _ENTRY,
        },
        "points": {
            "description": "One choice, of which each option is what a trial gets.",
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": {
                "type": "object",
                "required": ["_type", "_value"],
                "properties": {"_type": {"const": "choice"}, "_value": {"type": "array", "minItems": 1}},
            },
        },
        "parameterOrGroup": {
            "type": "object",
            "if": {"required": ["_type"]},
            "then": {"$ref": "#/$defs/parameter"},
            "else": _PARAMETERS,
        },
        "parameter": {
            "type": "object",
            "required": ["_type", "_value"],
            "properties": {
                "_type": {
                    "description": "How values are drawn.",
                    "enum": ["choice", *PARAMETER_TYPES],
                },
                "_value": {"description": "Options, or bounds.", "type": "array"},
            },
            "allOf": [
                _when("choice", {"$ref": "#/$defs/options"}),
                *(_when(name, _bounds(kind)) for name, kind in PARAMETER_TYPES.items()),
            ],
        },
        "options": {
            "type": "array",
            "minItems": 1,
            "if": {"contains": _HAS_NAME},
            "then": {"items": {"$ref": "#/$defs/nestedOption"}},
            "else": {"items": {"if": {"type": "object"}, "then": _without_parameters()}},
        },
        "nestedOption": {
            "type": "object",
            "required": ["_name"],
            "properties": {"_name": {"type": ["string", "number"]}},
            "propertyNames": {"not": {"enum": ["_type", "_value"]}},
            "additionalProperties": _ENTRY,
        },
    }


def _when(kind: str, value: Schema) -> Schema:
    return {
        "if": {"properties": {"_type": {"const": kind}}},
        "then": {"properties": {"_value": value}},
    }


def _bounds(kind: ParameterType) -> Schema:
    count = len(kind.names)
    return {
        "description": f"[{', '.join(kind.names)}]",
        "prefixItems": [_bound(kind, name) for name in kind.names],
        "minItems": count,
        "maxItems": count,
    }


def _bound(kind: ParameterType, name: str) -> Schema:
    above_zero = name in ("q", "sigma") or (name == "low" and kind.is_logarithmic)
    return {
        "title": name,
        "type": "integer" if kind.is_whole else "number",
        **({"exclusiveMinimum": 0} if above_zero else {}),
    }


def _without_parameters() -> Schema:
    return {"additionalProperties": {"not": _IS_PARAMETER}}
