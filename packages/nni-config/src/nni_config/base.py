"""The base class of every configuration class."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from traceback import extract_tb
from typing import Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core.core_schema import (
    CoreSchema,
    ValidatorFunctionWrapHandler,
    no_info_plain_validator_function,
)
from typing_extensions import Self

from nni_config.coercion import coerced, is_placeholder, nested, placeholder_message, problems_of
from nni_config.fields import field_kinds, is_required, required
from nni_config.names import camel_case, closest, short
from nni_config.origin import Origin
from nni_config.paths import absolute_path, current_base_path
from nni_config.plain import NotPlainError, plain_value
from nni_config.problems import InvalidConfigError, Problem, Report, UnknownFieldError, error_of
from nni_config.secrets import Secret
from nni_config.unknown_fields import resolved_fields, unknown_field

_is_building: ContextVar[bool] = ContextVar("nni_config_is_building", default=False)


class ConfigBase(BaseModel):
    """Base of the configuration classes; subclass it for a class of your own.

    A configuration can be built empty and filled in any order. The names of arguments ignore case and
    underscores. Assigning checks the one value; what is missing and what contradicts is found by `validate`.
    None means that a field is not set.

    A subclass may override `_canonicalize` and `_validate_canonical`.
    """

    model_config = ConfigDict(strict=True, validate_assignment=True, extra="forbid", defer_build=True)

    _place: ClassVar[str | None] = None
    """Where fields of this class stand in an experiment's configuration; used to guess what was meant."""

    _instead: ClassVar[dict[str, str]] = {}
    """Fields that must be set unless another one is, each with the other."""

    _base_path: Path = PrivateAttr(default_factory=current_base_path)
    _origin: Origin | None = PrivateAttr(default=None)

    def __init__(self, **fields: Any) -> None:
        """Makes a configuration of some fields.

        Raises:
            InvalidConfigError: Values are not allowed. An AttributeError too if a field does not exist.
        """
        values, problems = resolved_fields(type(self), fields)
        try:
            super().__init__(**values)
        except ValidationError as error:
            problems += problems_of(error)
        if problems:
            raise error_of(problems)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Reads a configuration from a YAML file. Its relative paths are relative to the file's folder.

        Raises:
            InvalidConfigError: The file is not valid; every problem is named with its line.
            OSError: The file cannot be read.
        """
        from nni_config.loading import load_config

        return load_config(cls, Path(path))

    def json(self, *, secrets: bool = False) -> dict[str, Any]:  # type: ignore[override]
        """Returns the canonical form as a dict with camelCase keys; fields that are not set are left out.

        Args:
            secrets: Whether passwords, tokens and keys are in it too.

        Raises:
            InvalidConfigError: The configuration is not valid.
        """
        return self.canonical_copy().to_dict(secrets)

    def validate(self) -> None:  # type: ignore[override]
        """Checks the whole configuration.

        Raises:
            InvalidConfigError: It is not valid; every problem is named.
        """
        self.canonical_copy()

    def canonical_copy(self) -> Self:
        """Returns a checked deep copy with defaults filled in and paths absolute.

        Raises:
            InvalidConfigError: The configuration is not valid; every problem is named.
        """
        report = Report()
        copy = self._make_canonical_copy(report)
        if report.problems:
            raise error_of([copy._located(problem) for problem in report.problems])
        return copy

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # A field without a default must be set before use, but need not be given to the constructor.
        for name in inspect.get_annotations(cls):
            if not name.startswith("_") and name not in cls.__dict__:
                setattr(cls, name, required())

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        # Classes written for NNI are decorated with @dataclass, which fails on a class that is built later.
        if not cls.__module__.startswith("nni_config."):
            cls.model_rebuild(raise_errors=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        # A class within a class is not built into it: it has its own checks, and building takes time.
        if _is_building.get():
            return no_info_plain_validator_function(partial(nested, cls))
        token = _is_building.set(True)
        try:
            return handler(source)
        finally:
            _is_building.reset(token)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and name not in type(self).model_fields:
            raise UnknownFieldError([unknown_field(type(self), name)])
        try:
            super().__setattr__(name, value)
        except ValidationError as error:
            raise error_of(problems_of(error)) from None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            return super().__getattr__(name)  # type: ignore[misc]
        message = f"{type(self).__name__} does not have field {name}"
        guess = closest(name, type(self).model_fields)
        raise AttributeError(f"{message}; did you mean {guess}?" if guess else message)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ConfigBase) or type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in type(self).model_fields)

    def _canonicalize(self, parents: list[ConfigBase]) -> None:
        """Hook for subclasses: fill in defaults. `parents[0]` is the configuration around this one.

        Raises:
            ValueError: Something is wrong with the configuration.
        """

    def _validate_canonical(self) -> None:
        """Hook for subclasses: check the canonical form.

        Raises:
            ValueError: Something is wrong with the configuration.
        """

    @classmethod
    def _from_mapping(cls, mapping: Mapping[Any, Any]) -> ConfigBase:
        """Returns the configuration that a dict means where this class is expected."""
        values, problems = resolved_fields(cls, mapping)
        if not problems:
            return cls(**values)
        try:
            cls(**values)
        except InvalidConfigError as error:
            problems += error.problems
        raise error_of(problems)

    def _secret_use(self, name: str) -> bool | None:
        """Returns what a field for a secret is good for: None for nothing, False if it need not be set.

        True says that it may be what a configuration lacks with which something is wrong.
        """
        return True

    @classmethod
    def _from_object(cls, value: Any) -> ConfigBase | None:
        """Returns the configuration that an object of another class means, None if it means none."""
        return None

    @classmethod
    def _refusal_of(cls, value: Any) -> str:
        """Returns why something that is no dict is not accepted where this class is expected."""
        return f"{short(value)} is not allowed; allowed is a {cls.__name__}, or names with values"

    @classmethod
    def _explanation_of_unknown(cls, name: str) -> str | None:
        """Returns what is to be said about a field that this class does not have, if it is a known case."""
        return None

    def _fill_in(self, parents: list[ConfigBase], report: Report) -> None:
        """Fills in defaults, before paths are made absolute."""

    def _check(self, parents: list[ConfigBase], report: Report) -> None:
        """Reports what is missing and what contradicts in the canonical form."""

    def _children(self) -> Iterator[tuple[tuple[str | int, ...], ConfigBase]]:
        for name in type(self).model_fields:
            value = getattr(self, name)
            for index, element in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(element, ConfigBase):
                    yield ((name, index) if isinstance(value, list) else (name,)), element

    def _make_canonical_copy(self, report: Report) -> Self:
        copy = self._checked_copy(report)
        wrong = report.already_wrong.union(problem.path for problem in report.problems)
        copy._make_canonical([], replace(report, already_wrong=wrong))
        return copy

    def _checked_copy(self, report: Report) -> Self:
        """Returns a deep copy; values changed in place since they were assigned are checked again."""
        copy = self.model_copy()
        for name in type(self).model_fields:
            value = getattr(self, name)
            try:
                setattr(copy, name, _copied(value, report.at(name)))
            except InvalidConfigError as error:
                report.add_all(error.problems)
                setattr(copy, name, None)
            except NotPlainError as error:
                report.add(error.message, name, *error.path)
                setattr(copy, name, None)
        return copy

    def _make_canonical(self, parents: list[ConfigBase], report: Report) -> None:
        self._fill_in_defaults()
        self._check_placeholders(report)
        self._fill_in(parents, report)
        for name, kind in field_kinds(type(self)).items():
            if kind.is_path and getattr(self, name) is not None:
                try:
                    setattr(self, name, absolute_path(getattr(self, name), self._base_path))
                except ValueError as error:
                    report.add(str(error), name)
        self._run_hook(report, self._canonicalize, parents)
        for path, child in self._children():
            child._make_canonical([self, *parents], report.at(*path))
        self._check(parents, report)
        self._check_required(report)
        self._run_hook(report, self._validate_canonical)

    def _fill_in_defaults(self) -> None:
        """Gives fields that are not set their defaults, also those that were set to None."""
        for name, field in type(self).model_fields.items():
            if getattr(self, name) is None and field.default is not None:
                setattr(self, name, field.get_default(call_default_factory=True))

    def _run_hook(self, report: Report, hook: Any, *arguments: Any) -> None:
        try:
            hook(*arguments)
        except InvalidConfigError as error:
            report.add_all(error.problems)
        except ValueError as error:
            report.add(str(error))
        except AssertionError as error:
            place = extract_tb(error.__traceback__)[-1]
            report.add(str(error) or f"it is refused in {place.filename}:{place.lineno}: {place.line}")

    def _located(self, problem: Problem) -> Problem:
        """Returns a problem with its file and line, if this was read from a file."""
        return problem if self._origin is None else self._origin.located(problem)

    def _check_required(self, report: Report) -> None:
        for name, field in type(self).model_fields.items():
            is_set = any(getattr(self, each) is not None for each in (name, self._instead.get(name, name)))
            if is_required(field) and not is_set and not report.has_problem(name):
                report.add(f"it is not set; {type(self).__name__} needs it", name)

    def _check_placeholders(self, report: Report) -> None:
        for name, kind in field_kinds(type(self)).items():
            value = getattr(self, name)
            if not isinstance(value, str) or name in SHELL_FIELDS or not (kind.is_text or kind.is_path):
                continue
            # A password may well have these characters in it.
            if is_placeholder(value) if kind.is_secret else "${" in value:
                report.add(placeholder_message(value), name)

    def to_dict(self, secrets: bool = False) -> dict[str, Any]:
        """Returns the fields that are set as a dict with camelCase keys, as they are and unchecked.

        Args:
            secrets: Whether passwords, tokens and keys are in it too.
        """
        shown = [name for name, kind in field_kinds(type(self)).items() if secrets or not kind.is_secret]
        values = {name: getattr(self, name) for name in shown}
        return {
            camel_case(name): _dumped(value, secrets) for name, value in values.items() if value is not None
        }

    @field_validator("*", mode="wrap")
    @classmethod
    def _check_value(cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        if value is None:
            return None
        kind = field_kinds(cls)[info.field_name or ""]
        given = coerced(kind, value)
        checked = handler(given)
        # The same list of configurations, so that changes made to it later are seen.
        return given if kind.config_class is not None and isinstance(given, list) else checked


SHELL_FIELDS = ("trial_command", "command")
"""Fields in which ${...} is the shell's."""


def _copied(value: Any, report: Report) -> Any:
    if isinstance(value, ConfigBase):
        return value._checked_copy(report)
    if isinstance(value, list) and any(isinstance(element, ConfigBase) for element in value):
        return [
            element._checked_copy(report.at(index)) if isinstance(element, ConfigBase) else element
            for index, element in enumerate(value)
        ]
    return plain_value(value)


def _dumped(value: Any, secrets: bool) -> Any:
    if isinstance(value, ConfigBase):
        return value.to_dict(secrets)
    if isinstance(value, list) and any(isinstance(element, ConfigBase) for element in value):
        return [_dumped(element, secrets) for element in value]
    return str(value) if isinstance(value, (Path, Secret)) else value
