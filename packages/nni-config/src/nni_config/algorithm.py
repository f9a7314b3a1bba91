"""The configuration of tuners and assessors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from nni_config.algorithms import AlgorithmKind, is_known, is_registered, refusal_of_name
from nni_config.base import ConfigBase
from nni_config.checks import check_directory
from nni_config.coercion import is_placeholder, placeholder_message
from nni_config.fields import JsonObject, PathLike
from nni_config.names import comparable, short
from nni_config.open_types import MaybeNone
from nni_config.problems import Report, Steps

_CLASS_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


class AlgorithmConfig(ConfigBase):
    """Chooses a tuner or an assessor: a built-in or registered one by its name, or one's own class.

    Attributes:
        name: The name of a built-in algorithm, or of a registered one. Rule: in any case; either this or
            class_name.
        class_name: The class of one's own. Rule: "module.Class".
        code_directory: The folder that class_name is imported from. Rule: an existing folder; only with
            class_name.
        class_args: The arguments of the algorithm. Rule: those that the algorithm has.
    """

    _place: ClassVar[str | None] = "tuner"

    name: str | None = None
    class_name: str | None = None
    code_directory: PathLike | None = None
    class_args: JsonObject | MaybeNone = None

    @classmethod
    def _from_mapping(cls, mapping: Mapping[Any, Any]) -> ConfigBase:
        names = {
            comparable(key) for key, value in mapping.items() if isinstance(key, str) and value is not None
        }
        if cls is AlgorithmConfig and "classname" in names:
            return CustomAlgorithmConfig._from_mapping(mapping)
        return super()._from_mapping(mapping)

    @classmethod
    def _refusal_of(cls, value: Any) -> str:
        allowed = (
            'allowed is AlgorithmConfig(name="TPE"), or CustomAlgorithmConfig(class_name="module.Class")'
        )
        if isinstance(value, (str, int, float, list, tuple, type)):
            return f"{short(value)} is not an algorithm; {allowed}"
        kind = type(value)
        return f"an instance of a class ({kind.__module__}.{kind.__qualname__}) is not accepted; {allowed}"

    def is_empty(self) -> bool:
        """Returns whether nothing was chosen, as in the template that Experiment("local") starts with."""
        return self.name is None and self.class_name is None and not self.class_args

    def is_own(self) -> bool:
        """Returns whether a class of the user's is chosen, by its path or by the name it is registered as."""
        return self.class_name is not None or (self.name is not None and is_registered(self.name))

    def _fill_in(self, parents: list[ConfigBase], report: Report) -> None:
        if self.class_name is not None and self.code_directory is None:
            self.code_directory = "."

    def placeholders(self) -> list[tuple[Steps, str]]:
        """Returns the arguments that are placeholders such as ${seed}, each with the way to it."""
        return list(_placeholders(self.class_args, ("class_args",)))

    def _check(self, parents: list[ConfigBase], report: Report) -> None:
        if self.class_name is None:
            if not self.is_own():
                for path, text in self.placeholders():
                    report.add(placeholder_message(text), *path)
            if not self.name:
                report.add(
                    'it is not set; allowed is the name of an algorithm, such as "TPE", or class_name', "name"
                )
            if self.code_directory is not None:
                report.add("it is set without class_name; allowed is both or neither", "code_directory")
            return
        if self.name is not None:
            report.add("it is set beside class_name; allowed is one of the two", "name")
        if not _CLASS_NAME.fullmatch(self.class_name):
            report.add(f'{short(self.class_name)} is not a class; allowed is "module.Class"', "class_name")
        check_directory(self, "code_directory", report)

    def check_name(self, kind: AlgorithmKind, report: Report) -> None:
        """Reports a name under which there is no algorithm of the kind."""
        is_checked = self.class_name is None and not report.has_problem("name")
        if self.name and is_checked and not is_known(self.name, kind):
            report.add(refusal_of_name(self.name, kind), "name")


class CustomAlgorithmConfig(AlgorithmConfig):
    """Chooses a tuner or an assessor of one's own.

    Attributes:
        class_name: The class. Rule: "module.Class"; needed.
        code_directory: The folder that it is imported from. Rule: an existing folder.
        class_args: The arguments of its constructor. Rule: those that it has.
    """

    code_directory: PathLike | None = "."


def _placeholders(value: Any, path: Steps) -> Iterator[tuple[Steps, str]]:
    if isinstance(value, str) and is_placeholder(value):
        yield path, value
    children: Any = value.items() if isinstance(value, dict) else ()
    for key, child in enumerate(value) if isinstance(value, list) else children:
        yield from _placeholders(child, (*path, key))


def canonical_algorithm(config: AlgorithmConfig) -> AlgorithmConfig:
    """Returns the same choice as the class that fits it, so that equal choices compare equal."""
    fitting = AlgorithmConfig if config.class_name is None else CustomAlgorithmConfig
    if type(config) is fitting:
        return config
    return fitting(**{name: getattr(config, name) for name in AlgorithmConfig.model_fields})
