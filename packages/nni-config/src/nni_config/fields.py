"""The types of fields, and what is accepted for them."""

from __future__ import annotations

import math
import types
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel, Field, PlainValidator

from nni_config.durations import parse_duration
from nni_config.names import short
from nni_config.plain import plain_scalar
from nni_config.problems import Problem, error_of
from nni_config.secrets import HIDDEN, Secret
from nni_config.units import parse_memory_size

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

INT32_MAX = 2**31 - 1


def required() -> Any:
    """Returns the default of a field that must be set before the configuration is used."""
    return Field(default=None, json_schema_extra={"required": True})


def is_required(field: FieldInfo) -> bool:
    """Returns whether a field must be set before the configuration is used."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("required"))


def filled_in() -> Any:
    """Returns the default of a field that the canonical form always has, though nobody need set it."""
    return Field(default=None)


def _duration(value: Any) -> Any:
    parse_duration(value)
    return value


def _path(value: Any) -> Any:
    if not isinstance(value, (str, Path)) or value == "":
        raise ValueError(f"{short(value)} is not a path; allowed is text or a pathlib.Path")
    return value


def _secret(value: Any) -> Secret:
    if not isinstance(value, str):
        raise ValueError(f"it is not text; allowed is text; in YAML, put it in quotes (shown as {HIDDEN})")
    return Secret(value)


def _memory_size(value: Any) -> Any:
    allowed = (
        'allowed is a number of mebibytes above 0, or text with a unit of tb, gb, mb, kb or b such as "8gb"'
    )
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"{short(value)} is not a size of memory; {allowed}")
    try:
        megabytes = parse_memory_size(value)
    except ValueError as error:
        raise ValueError(f"{error}; {allowed}") from None
    if not 0 < megabytes <= INT32_MAX:
        raise ValueError(f"{short(value)} is {'too large' if megabytes > 0 else 'not above 0'}; {allowed}")
    return value


def _texts(value: Any) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, (list, tuple)) or not all(
        isinstance(text, str) and text.strip() for text in texts
    ):
        raise ValueError(
            f"{short(value)} is not a list of texts; allowed is a list such as ['*.pt', 'plots/**']"
        )
    return list(texts)


def _failed_trial_result(value: Any) -> Any:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number and value not in ("ignore", "worst"):
        raise ValueError(f'{short(value)} is not allowed; allowed is "ignore", "worst" or a number')
    return value


def _object(value: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{short(value)} is not an object; allowed is a name with a value for each argument")
    return value


def _objects(value: Any) -> list[dict[str, Any]]:
    allowed = "allowed is a list of objects, each of names with values"
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{short(value)} is not a list; {allowed}")
    problems = [
        Problem((index,), f"{short(element)} is not an object; {allowed}")
        for index, element in enumerate(value)
        if not isinstance(element, dict)
    ]
    if problems:
        raise error_of(problems)
    return value if isinstance(value, list) else list(value)


def _gpu_indices(value: Any) -> list[int]:
    allowed = 'allowed are numbers from 0, each once, such as 0, "0,1" or [0, 1]'
    indices: list[Any]
    if isinstance(value, str):
        try:
            indices = [int(part) for part in value.split(",")]
        except ValueError:
            raise ValueError(f"{short(value)} is not a list of GPUs; {allowed}") from None
    else:
        indices = [plain_scalar(index) for index in value] if isinstance(value, (list, tuple)) else [value]
    if not all(isinstance(index, int) and not isinstance(index, bool) for index in indices):
        raise ValueError(f"{short(value)} is not a list of GPUs; {allowed}")
    if any(index < 0 or index > INT32_MAX for index in indices):
        raise ValueError(f"Negative detected in GPU indices {short(value)}, or a number too large; {allowed}")
    if len(set(indices)) != len(indices):
        raise ValueError(f"Duplication detected in GPU indices {short(value)}; {allowed}")
    return [int(index) for index in indices]


PositiveInt = Annotated[int, Field(gt=0, le=INT32_MAX)]
"""A whole number from 1."""

NonNegativeInt = Annotated[int, Field(ge=0, le=INT32_MAX)]
"""A whole number from 0."""

Port = Annotated[int, Field(ge=1, le=65535)]
"""A port's number."""

PathLike = Annotated[str | Path, PlainValidator(_path)]
"""A path as written; the canonical form is absolute text."""

Duration = Annotated[str | int | float, PlainValidator(_duration)]
"""A duration as written: a number of seconds, or text such as "1.5h"."""

MemorySize = Annotated[str | int | float, PlainValidator(_memory_size)]
"""A size of memory as written: a number of mebibytes, or text such as "8gb"."""

Texts = Annotated[list[str], PlainValidator(_texts)]
"""A list of texts that are not blank; a single one is accepted."""

FailedTrialResult = Annotated[str | int | float, PlainValidator(_failed_trial_result)]
"""What counts as the result of a failed trial: "ignore", "worst" or a number."""

if TYPE_CHECKING:
    SecretText: TypeAlias = str
else:
    SecretText = Annotated[Secret, PlainValidator(_secret)]
    """Text that is not shown, and not in the JSON form unless asked for."""

GpuIndices = Annotated[list[int], PlainValidator(_gpu_indices)]
"""Numbers of GPUs; "0,1" and a single number are accepted."""

JsonObject = Annotated[dict[str, Any], PlainValidator(_object)]
"""A dict of JSON values. It stays the same object, so changes made to it later are seen."""

JsonObjects = Annotated[list[dict[str, Any]], PlainValidator(_objects)]
"""A list of dicts of JSON values. It stays the same list, so changes made to it later are seen."""


@dataclass(frozen=True, slots=True)
class FieldKind:
    """What a field's annotation says about the values that it takes.

    Attributes:
        is_text: It takes text and no numbers.
        is_secret: What it takes is never shown.
        is_bool: It takes true and false only.
        is_path: It takes paths.
        config_class: The configuration class nested in it.
        may_be_list: It takes a list.
        must_be_list: It takes nothing but a list.
    """

    is_text: bool
    is_secret: bool
    is_bool: bool
    is_path: bool
    config_class: type[Any] | None
    may_be_list: bool
    must_be_list: bool


@cache
def field_kinds(model: type[BaseModel]) -> dict[str, FieldKind]:
    """Returns the kinds of a configuration class's fields."""
    return {name: _kind(field.annotation) for name, field in model.model_fields.items()}


def _kind(annotation: Any) -> FieldKind:
    leaves = [leaf for leaf in _leaves(annotation) if leaf is not types.NoneType]
    config_classes = [leaf for leaf in leaves if isinstance(leaf, type) and issubclass(leaf, BaseModel)]
    return FieldKind(
        is_text=leaves in ([str], [Secret]),
        is_secret=leaves == [Secret],
        is_bool=leaves == [bool],
        is_path=Path in leaves,
        config_class=config_classes[0] if config_classes else None,
        may_be_list=list in leaves,
        must_be_list=leaves[:1] == [list] and len(leaves) == 2,
    )


def _leaves(annotation: Any) -> list[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _leaves(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [leaf for part in get_args(annotation) for leaf in _leaves(part)]
    if origin is list:
        return [list, *(leaf for part in get_args(annotation) for leaf in _leaves(part))]
    return [origin or annotation]
