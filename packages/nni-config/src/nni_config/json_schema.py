"""JSON Schema of an experiment's configuration in YAML, for editors."""

from __future__ import annotations

from copy import deepcopy
from functools import partial
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from nni_config import fields, k8s_storage, shared_storage
from nni_config import schema_values as values
from nni_config.algorithm import AlgorithmConfig
from nni_config.algorithms import BUILT_IN_ALGORITHMS, AlgorithmKind
from nni_config.base import SHELL_FIELDS, ConfigBase
from nni_config.experiment import ExperimentConfig
from nni_config.field_texts import NOT_BLANK, ONE_OR_MORE, FieldText, field_texts, in_words_of_yaml, summary
from nni_config.fields import FieldKind, field_kinds, is_required
from nni_config.names import camel_case
from nni_config.platforms import load_every_class
from nni_config.registered_algorithms import registered_algorithms
from nni_config.schema_search_space import search_space_definitions
from nni_config.schema_values import Schema
from nni_config.training_service import TrainingServiceConfig, training_service_classes

DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""The version of JSON Schema."""

_STORAGES: dict[type[ConfigBase], tuple[dict[str, tuple[str, ...]], tuple[str, ...]]] = {
    shared_storage.SharedStorageConfig: (shared_storage.FIELDS_BY_TYPE, shared_storage.OPTIONAL_FIELDS),
    k8s_storage.K8sStorageConfig: (k8s_storage.FIELDS_BY_TYPE, ()),
}
"""Classes whose fields depend on storage_type: the fields of each type, and those that need not be set."""


def experiment_schema() -> Schema:
    """Returns the JSON Schema of a YAML file with an experiment's configuration.

    Classes of training services that were defined by the running program are in it.
    """
    definitions: dict[str, Schema] = {
        "tuner": _algorithm("tuner", is_needed=True),
        "assessor": _algorithm("assessor", is_needed=False),
        "advisor": _algorithm("tuner", is_needed=False),
        "argument": values.NO_PLACEHOLDERS,
        **search_space_definitions(),
    }
    load_every_class()
    services = training_service_classes()
    definitions[TrainingServiceConfig.__name__] = values.by_constant(
        "platform", {platform: _reference(each) for platform, each in services.items()}
    )
    waiting: list[type[ConfigBase]] = list(services.values())
    schema = _object(ExperimentConfig, waiting)
    while waiting:
        config_class = waiting.pop()
        if config_class.__name__ not in definitions:
            definitions[config_class.__name__] = _definition(config_class, waiting)
    del schema["required"]
    own_commands = [name for name, each in services.items() if not each._needs_command]
    return {
        "$schema": DIALECT,
        "title": "Experiment configuration",
        **schema,
        "required": ["trialConcurrency", "trainingService"],
        "allOf": [
            {"if": _CHOSEN_ADVISOR, "then": _ABSENT_TUNER, "else": _present("tuner")},
            _needs_command(own_commands),
            _needs_search_space(),
        ],
        "$defs": dict(sorted(definitions.items())),
    }


class _Generator(GenerateJsonSchema):
    """Knows the types of our fields, which pydantic sees as functions.

    Copies are returned, since pydantic adds to them.
    """

    def function_plain_schema(self, schema: core_schema.PlainValidatorFunctionSchema) -> JsonSchemaValue:
        function: Any = schema["function"]["function"]
        # A class within a class is one too, a partial one; _nested knows it better.
        return {} if isinstance(function, partial) else deepcopy(_BY_VALIDATOR.get(function, {}))

    def bool_schema(self, schema: core_schema.BoolSchema) -> JsonSchemaValue:
        return deepcopy(values.BOOLEAN)

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        """Allows everything where somebody's own class has a type that JSON has no word for."""
        return {}


_BY_VALIDATOR: dict[Any, Schema] = {
    fields._duration: values.DURATION,
    fields._failed_trial_result: values.FAILED_TRIAL_RESULT,
    fields._path: values.PATH,
    fields._memory_size: values.MEMORY_SIZE,
    fields._texts: values.TEXTS,
    fields._gpu_indices: values.GPU_INDICES,
    fields._object: {"type": "object"},
    fields._objects: {"type": "array", "items": {"type": "object"}},
}


def _reference(config_class: type[ConfigBase]) -> Schema:
    return {"$ref": f"#/$defs/{config_class.__name__}"}


def _definition(config_class: type[ConfigBase], waiting: list[type[ConfigBase]]) -> Schema:
    schema = _object(config_class, waiting)
    if config_class in _STORAGES:
        by_type, optional = _STORAGES[config_class]
        variants = {kind: _variant(schema, kind, by_type, optional) for kind in by_type}
        return values.by_constant("storageType", variants)
    return schema


def class_schema(config_class: type[ConfigBase]) -> Schema:
    """Returns the JSON Schema of a class alone: what stands in its own fields."""
    return _object(config_class, [])


def _object(config_class: type[ConfigBase], waiting: list[type[ConfigBase]]) -> Schema:
    """Returns the schema of a class; classes nested in it are added to those waiting."""
    generated = config_class.model_json_schema(schema_generator=_Generator)
    texts = field_texts(config_class)
    properties: dict[str, Schema] = {}
    needed = []
    for name, kind in field_kinds(config_class).items():
        found = generated["properties"].get(name, {})
        properties[camel_case(name)] = _property(config_class, name, found, texts.get(name, FieldText("")))
        must_be_set = is_required(config_class.model_fields[name]) and name not in config_class._instead
        if must_be_set or _is_platform(config_class, name):
            needed.append(camel_case(name))
        nested_class = kind.config_class
        if nested_class is not None and nested_class not in (AlgorithmConfig, TrainingServiceConfig):
            waiting.append(nested_class)
    schema = {
        "description": in_words_of_yaml(summary(config_class)),
        "type": "object",
        "properties": properties,
        "required": needed,
        "additionalProperties": False,
    }
    if config_class._instead:
        # Not anyOf: of that an editor says only that none of its schemas fits.
        schema["allOf"] = [
            {"if": {"required": [camel_case(other)]}, "else": {"required": [camel_case(name)]}}
            for name, other in config_class._instead.items()
        ]
    return schema


def _property(config_class: type[ConfigBase], name: str, found: Schema, said: FieldText) -> Schema:
    field = config_class.model_fields[name]
    kind = field_kinds(config_class)[name]
    schema = {key: value for key, value in found.items() if key not in ("title", "default", "required")}
    schema = _without_null(schema)
    if _is_platform(config_class, name):
        schema = {"const": field.default}
    elif kind.config_class is not None:
        schema = _nested(kind.config_class, name, kind, ONE_OR_MORE in said.rules)
    elif kind.is_secret:
        schema = values.secret(NOT_BLANK not in said.rules)
    elif kind.is_text and schema == {"type": "string"}:
        schema = values.text(name in SHELL_FIELDS, NOT_BLANK not in said.rules)
    elif (config_class, name) == (ExperimentConfig, "use_annotation"):
        schema = values.FALSE
    if not is_required(field) and schema and not _is_platform(config_class, name):
        schema = values.nullable(schema)
    shown = {} if field.default is None or _is_platform(config_class, name) else {"default": field.default}
    return {**({"description": said.sentences()} if said.meaning else {}), **schema, **shown}


def _nested(config_class: type[ConfigBase], name: str, kind: FieldKind, is_needed: bool) -> Schema:
    one = {"$ref": f"#/$defs/{name}"} if config_class is AlgorithmConfig else _reference(config_class)
    if not kind.may_be_list:
        return one
    several = {"type": "array", "items": one, **({"minItems": 1} if is_needed else {})}
    return several if kind.must_be_list else {"if": {"type": "array"}, "then": several, "else": one}


def _without_null(schema: Schema) -> Schema:
    alternatives = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    if not alternatives:
        return schema
    return alternatives[0] if len(alternatives) == 1 else {**schema, "anyOf": alternatives}


def _is_platform(config_class: type[ConfigBase], name: str) -> bool:
    return name == "platform" and issubclass(config_class, TrainingServiceConfig)


def _variant(
    schema: Schema, kind: str, by_type: dict[str, tuple[str, ...]], optional: tuple[str, ...]
) -> Schema:
    others = {camel_case(name) for each, names in by_type.items() if each != kind for name in names}
    needed = [name for name in by_type[kind] if name not in optional]
    properties = {key: value for key, value in schema["properties"].items() if key not in others}
    properties["storageType"] = {"const": kind}
    if by_type is k8s_storage.FIELDS_BY_TYPE:
        # What the class of the kind adds.
        properties["storage"] = values.nullable({"const": kind})
    for name in needed:
        properties[camel_case(name)] = _without_null(properties[camel_case(name)])
    required = [*schema["required"], *(camel_case(name) for name in needed)]
    return {**schema, "properties": properties, "required": required}


def _algorithm(kind: AlgorithmKind, is_needed: bool) -> Schema:
    """Returns the schema of a choice; one that is not needed may be empty, as a template has it."""
    schema = class_schema(AlgorithmConfig)
    names = [name for each in BUILT_IN_ALGORITHMS if each.kind == kind for name in (each.name, *each.aliases)]
    added = _added_names(kind)
    name = values.nullable(_name_of(names + added)) if names + added else {"type": "null"}
    properties = schema["properties"]
    said = {key: value for key, value in properties["name"].items() if key == "description"}
    properties["name"] = {**said, **name}
    properties["className"]["anyOf"][0]["pattern"] = r"^[^\s.\d][^\s.]*(\.[^\s.\d][^\s.]*)+$"
    mode = {"optimize_mode": {"description": "Which results are better.", "enum": ["maximize", "minimize"]}}
    arguments = {"properties": mode, "additionalProperties": {"$ref": "#/$defs/argument"}}
    by_name = _nulls("className", "codeDirectory", "instanceFile", "endpoint", "token", "caFile")
    built_in = {
        **_present("name"),
        "properties": {"name": _not_null_and_none_of(added), **by_name, "classArgs": arguments},
    }
    registered = {"required": ["name"], "properties": {"name": _name_of(added), **by_name}}
    nothing = _nulls("name", "className", "endpoint")
    empty = {"properties": {**nothing, "classArgs": _EMPTY}}
    own = _present("className", _nulls("name", "endpoint", "token", "caFile"))
    served = _present("endpoint", _nulls("name", "className", "codeDirectory", "instanceFile"))
    choices = [built_in, *([registered] if added else []), own, served, *([] if is_needed else [empty])]
    return {**schema, "oneOf": choices}


def _nulls(*names: str) -> Schema:
    return {name: {"type": "null"} for name in names}


def _added_names(kind: AlgorithmKind) -> list[str]:
    """Returns the names and aliases of algorithms that users have added."""
    return [name for each in registered_algorithms(kind) for name in (each.name, each.alias) if name]


def _name_of(names: list[str]) -> Schema:
    return {"anyOf": [{"enum": names}, {"type": "string", "pattern": values.any_case(names)}]}


def _not_null_and_none_of(names: list[str]) -> Schema:
    return {"not": {"anyOf": [{"type": "null"}, _name_of(names)]} if names else {"type": "null"}}


_EMPTY: Schema = {"anyOf": [{"type": "null"}, {"type": "object", "maxProperties": 0}]}


def _present(name: str, others: Schema | None = None) -> Schema:
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}, **(others or {})}}


_ABSENT_TUNER: Schema = {"properties": {"tuner": {"type": "null"}}}
_CHOICES = [_present("name"), _present("className"), _present("endpoint")]
_CHOSEN_ADVISOR: Schema = {
    "required": ["advisor"],
    "properties": {"advisor": {"type": "object", "anyOf": _CHOICES}},
}


def _needs_command(own_commands: list[str]) -> Schema:
    """Returns that each trial has a command: the experiment's, the training service's, or the roles'."""
    own: Schema = {"anyOf": [_present("trialCommand"), {"properties": {"platform": {"enum": own_commands}}}]}
    services = {"if": {"type": "array"}, "then": {"items": own}, "else": own}
    return {"if": {"properties": {"trainingService": services}}, "else": _present("trialCommand")}


def _needs_search_space() -> Schema:
    """Returns that there is a search space, and how it looks, where a built-in algorithm searches it."""
    built_in = _not_null_and_none_of(_added_names("tuner"))
    takers = [
        name for each in BUILT_IN_ALGORITHMS if each.takes_points for name in (each.name, *each.aliases)
    ]
    parameters = {"searchSpace": values.nullable({"$ref": "#/$defs/parameters"})}
    points = {
        "searchSpace": values.nullable({"$ref": "#/$defs/points"}),
        "initialParameters": {"anyOf": [{"type": "null"}, {"type": "array", "maxItems": 0}]},
    }
    return {
        "if": _chosen_by_name(built_in),
        "then": {
            "if": _chosen_by_name(_name_of(takers)),
            "then": {"properties": points},
            "else": {"properties": parameters},
            "anyOf": [_present("searchSpace"), _present("searchSpaceFile")],
        },
    }


def _chosen_by_name(name: Schema) -> Schema:
    """Returns that the algorithm that proposes parameters has such a name."""
    algorithm = {"type": "object", "required": ["name"], "properties": {"name": name}}
    return {"anyOf": [{"required": [key], "properties": {key: algorithm}} for key in ("tuner", "advisor")]}
