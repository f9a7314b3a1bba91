"""The configuration of tuners and assessors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic import PrivateAttr

from nni_config.algorithm_instances import AlgorithmInstance, file_of, is_algorithm, is_file_name
from nni_config.algorithms import AlgorithmKind, is_known, is_registered, refusal_of_name
from nni_config.base import ConfigBase
from nni_config.checks import check_directory, check_endpoint, check_file, check_not_blank
from nni_config.coercion import is_placeholder, placeholder_message
from nni_config.fields import JsonObject, PathLike, SecretText
from nni_config.names import comparable, short
from nni_config.open_types import MaybeNone
from nni_config.problems import Report, Steps

_CLASS_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


class AlgorithmConfig(ConfigBase):
    """Chooses a tuner or an assessor: by its name, by one's own class, or by where it is served.

    In Python an instance may be assigned as well: `config.tuner = MyTuner()`.

    Attributes:
        name: The name of a built-in algorithm, or of a registered one. Rule: in any case; one of this,
            class_name and endpoint.
        class_name: The class of one's own. Rule: "module.Class".
        code_directory: The folder that class_name is imported from. Rule: an existing folder; only with
            class_name.
        class_args: The arguments of the algorithm. Rule: those that the algorithm has.
        instance_file: The file in the experiment's folder that holds the pickled instance, if one was
            assigned. Rule: only with class_name; written when the experiment starts.
        endpoint: Where another process serves the algorithm, in any language. Rule: "host:port".
        token: What the manager shows to the process at the endpoint. Rule: only with endpoint.
        ca_file: The certificates (PEM) that verify the process at the endpoint; set, the connection is TLS.
            Rule: an existing file; only with endpoint.
    """

    _place: ClassVar[str | None] = "tuner"
    _instance: AlgorithmInstance | None = PrivateAttr(default=None)

    name: str | None = None
    class_name: str | None = None
    code_directory: PathLike | None = None
    class_args: JsonObject | MaybeNone = None
    instance_file: str | None = None
    endpoint: str | None = None
    token: SecretText | None = None
    ca_file: PathLike | None = None

    @classmethod
    def _from_mapping(cls, mapping: Mapping[Any, Any]) -> ConfigBase:
        names = {
            comparable(key) for key, value in mapping.items() if isinstance(key, str) and value is not None
        }
        if cls is AlgorithmConfig and "classname" in names:
            if "instancefile" in names and "codedirectory" not in names:
                mapping = {**mapping, "code_directory": None}  # the instance knows where its modules are
            return CustomAlgorithmConfig._from_mapping(mapping)
        return super()._from_mapping(mapping)

    @classmethod
    def _from_object(cls, value: Any) -> ConfigBase | None:
        if not is_algorithm(value):
            return None
        instance = AlgorithmInstance(value)
        config = CustomAlgorithmConfig(class_name=instance.class_name, code_directory=None)
        config._instance = instance
        return config

    @classmethod
    def _refusal_of(cls, value: Any) -> str:
        allowed = (
            'allowed is AlgorithmConfig(name="TPE"), CustomAlgorithmConfig(class_name="module.Class"), or an '
            "instance of a subclass of nni.tuner.Tuner or nni.assessor.Assessor"
        )
        if isinstance(value, (str, int, float, list, tuple, type)):
            return f"{short(value)} is not an algorithm; {allowed}"
        kind = type(value)
        what = f"an instance of {kind.__module__}.{kind.__qualname__} is no algorithm"
        return f"{what}, it has not the methods of a tuner or of an assessor; {allowed}"

    @property
    def instance(self) -> AlgorithmInstance | None:
        """The instance that was assigned; None for any other choice, and in a configuration from a record."""
        return self._instance

    def is_empty(self) -> bool:
        """Returns whether nothing was chosen, as in the template that Experiment("local") starts with."""
        return self.name is None and self.class_name is None and self.endpoint is None and not self.class_args

    def is_own(self) -> bool:
        """Returns whether it is the user's: a class, an endpoint, or a name that one is registered as."""
        has_name = self.name is not None and is_registered(self.name)
        return self.class_name is not None or self.endpoint is not None or has_name

    def name_instance_file(self, kind: AlgorithmKind) -> None:
        """Names the file that the instance, if there is one, will be pickled to."""
        if self._instance is not None:
            self.instance_file = file_of(kind)

    def _secret_use(self, name: str) -> bool | None:
        return None if self.endpoint is None else False

    def _fill_in(self, parents: list[ConfigBase], report: Report) -> None:
        if self._instance is not None or self.instance_file is not None:
            self.code_directory = None  # the pickled instance knows where its modules are
        elif self.class_name is not None and self.code_directory is None:
            self.code_directory = "."

    def placeholders(self) -> list[tuple[Steps, str]]:
        """Returns the arguments that are placeholders such as ${seed}, each with the way to it."""
        return list(_placeholders(self.class_args, ("class_args",)))

    def _check(self, parents: list[ConfigBase], report: Report) -> None:
        self._check_served(report)
        if self.class_name is None:
            self._check_without_class(report)
            return
        for other in ("name", "endpoint"):
            if getattr(self, other) is not None:
                report.add("it is set beside class_name; allowed is one of the two", other)
        if self._instance is not None or self.instance_file is not None:
            self._check_instance(report)
        elif not _CLASS_NAME.fullmatch(self.class_name):
            report.add(f'{short(self.class_name)} is not a class; allowed is "module.Class"', "class_name")
        check_directory(self, "code_directory", report)

    def _check_without_class(self, report: Report) -> None:
        if not self.is_own():
            for path, text in self.placeholders():
                report.add(placeholder_message(text), *path)
        if not self.name and self.endpoint is None:
            report.add(
                'it is not set; allowed is the name of an algorithm, such as "TPE", or class_name', "name"
            )
        for field in ("code_directory", "instance_file"):
            if getattr(self, field) is not None:
                report.add("it is set without class_name; allowed is both or neither", field)

    def _check_instance(self, report: Report) -> None:
        if self.class_args:
            report.add(
                "it is set, and an instance was made with its arguments already; allowed is one of the two",
                "class_args",
            )
        if self.instance_file is not None and not is_file_name(self.instance_file):
            report.add(f"{short(self.instance_file)} is not a name such as tuner.pickle", "instance_file")

    def _check_served(self, report: Report) -> None:
        if self.endpoint is None:
            for field in ("token", "ca_file"):
                if getattr(self, field) is not None:
                    report.add("it is set without endpoint; allowed is both or neither", field)
            return
        if self.name is not None:
            report.add("it is set beside name; allowed is one of the two", "endpoint")
        check_endpoint(self, "endpoint", report)
        check_not_blank(self, report, "token")
        check_file(self, "ca_file", report)

    def check_kind(self, kind: AlgorithmKind, report: Report) -> None:
        """Reports a name under which there is no algorithm of the kind, and an instance of another kind."""
        is_checked = self.class_name is None and not report.has_problem("name")
        if self.name and is_checked and not is_known(self.name, kind):
            report.add(refusal_of_name(self.name, kind), "name")
        missing = None if self._instance is None else self._instance.missing_method(kind)
        if missing is not None:
            base = f"nni.{kind}.{kind.capitalize()}"
            report.add(
                f"an instance of {self.class_name} is no {kind}: it has no method {missing}; allowed is an "
                f"instance of a subclass of {base}"
            )


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
