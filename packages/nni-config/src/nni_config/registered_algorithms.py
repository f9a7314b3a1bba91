"""Tuners and assessors that users add by name: registered ones, and those that installed packages bring.

`nnictl algo register` writes registered ones to registered_algorithms.yml in the configuration's folder.
A package brings one as an entry point: its name in the group nni.tuners or nni.assessors leads to the
class, and the same name in the group nni.class_args_validators to what checks the arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from nni_config.algorithms import AlgorithmKind
from nni_config.config_directory import config_directory, write_registry

FILE_NAME = "registered_algorithms.yml"
"""The file in the configuration's folder."""

_SECTIONS: Mapping[str, AlgorithmKind] = {"tuners": "tuner", "assessors": "assessor"}
_GROUPS: Mapping[AlgorithmKind, str] = {"tuner": "nni.tuners", "assessor": "nni.assessors"}
_VALIDATORS = "nni.class_args_validators"


class AlgoMeta(NamedTuple):
    """What is known of an algorithm that is chosen by its name; NNI's name and fields.

    Attributes:
        name: Its name. Case does not matter where it is chosen.
        alias: Another name.
        class_name: Its class, "module.Class".
        accept_class_args: Whether it takes arguments; for information.
        class_args: Arguments that it gets besides the user's own, which win.
        validator_class_name: The class that checks the arguments, "module.Class".
        algo_type: "tuner" or "assessor".
        is_advisor: Whether it is an advisor.
        is_builtin: Whether it is built in.
        nni_version: The version of NNI that it was made for; for information.
    """

    name: str
    alias: str | None
    class_name: str
    accept_class_args: bool
    class_args: dict[str, Any] | None
    validator_class_name: str | None
    algo_type: str
    is_advisor: bool
    is_builtin: bool
    nni_version: str | None

    @staticmethod
    def load(meta: Mapping[str, Any], algo_type: str | None = None) -> AlgoMeta:
        """Returns what a dict with the keys of YAML says.

        Args:
            meta: Keys such as builtinName and className.
            algo_type: "tuner" or "assessor"; None for what algoType says.

        Raises:
            KeyError: A key that is needed is missing.
        """
        kind = meta["algoType"] if algo_type is None else algo_type
        return AlgoMeta(
            name=meta["builtinName"],
            alias=meta.get("alias"),
            class_name=meta["className"],
            accept_class_args=meta.get("acceptClassArgs", True),
            class_args=meta.get("classArgs"),
            validator_class_name=meta.get("classArgsValidator"),
            algo_type="tuner" if kind == "advisor" else kind,
            is_advisor=meta.get("isAdvisor", kind == "advisor"),
            is_builtin=meta.get("source") == "nni",
            nni_version=meta.get("nniVersion"),
        )

    def dump(self) -> dict[str, Any]:
        """Returns a dict with the keys of YAML; what is not set is left out."""
        values = {
            "builtinName": self.name,
            "alias": self.alias,
            "className": self.class_name,
            "acceptClassArgs": None if self.accept_class_args else False,
            "classArgs": self.class_args,
            "classArgsValidator": self.validator_class_name,
            "isAdvisor": True if self.is_advisor else None,
            "source": "nni" if self.is_builtin else "user",
            "nniVersion": self.nni_version,
        }
        return {key: value for key, value in values.items() if value is not None}

    def has_name(self, name: str) -> bool:
        """Returns whether a name is its own or its alias, in any case."""
        return name.lower() in (known.lower() for known in (self.name, self.alias) if known is not None)


class RegistryError(ValueError):
    """The file of registered algorithms does not hold what it should; the text says what and where."""


def find_registered(name: str, kind: str) -> AlgoMeta | None:
    """Returns the algorithm that users have added under a name or alias, in any case, or None.

    Raises:
        RegistryError: The file of registered algorithms is broken.
    """
    return next((it for it in registered_algorithms(kind) if it.has_name(name)), None)


def registered_algorithms(kind: str | None = None) -> list[AlgoMeta]:
    """Returns the algorithms that users have added. A registered one hides a package's of the same name.

    Args:
        kind: "tuner" or "assessor"; None for both.

    Raises:
        RegistryError: The file of registered algorithms is broken.
    """
    written = read_registry()
    brought = [it for it in _brought() if not any(other.has_name(it.name) for other in written)]
    return [it for it in [*written, *brought] if kind in (None, it.algo_type)]


def comes_with_a_package(meta: AlgoMeta) -> bool:
    """Returns whether an algorithm is there because of an installed package, not because of the file."""
    return meta in _brought()


def registry_file() -> Path:
    """Returns the file of registered algorithms; it need not be there."""
    return config_directory() / FILE_NAME


def read_registry() -> list[AlgoMeta]:
    """Returns what the file of registered algorithms holds.

    Raises:
        RegistryError: The file is broken.
    """
    path = registry_file()
    if not path.exists():
        return []
    from nni_config.yaml_file import read_yaml

    try:
        document = read_yaml(path)
    except OSError as error:
        raise RegistryError(f"{path} cannot be read: {error.strerror or error}") from error
    if document.problems:
        raise RegistryError("\n".join(map(str, document.problems)))
    if document.value is None:
        return []
    allowed = "allowed are lists named tuners and assessors, as nnictl algo register writes them"
    if not isinstance(document.value, dict) or document.value.keys() - _SECTIONS.keys():
        raise RegistryError(f"{path}: it is not a file of registered algorithms; {allowed}")
    found = []
    for section, kind in _SECTIONS.items():
        entries = document.value.get(section) or []
        if not isinstance(entries, list):
            raise RegistryError(f"{path}: {section} is no list; {allowed}")
        for entry in entries:
            try:
                found.append(AlgoMeta.load(entry, kind))
            except (KeyError, AttributeError, TypeError) as error:
                text = f"{path}: {section}: {entry!r} is no algorithm ({error!r}); {allowed}"
                raise RegistryError(text) from error
    return found


def write_algorithms(metas: list[AlgoMeta]) -> Path:
    """Writes the file of registered algorithms, and returns its path.

    Raises:
        OSError: It cannot be written.
    """
    import yaml

    content = {
        section: [meta.dump() for meta in metas if meta.algo_type == kind]
        for section, kind in _SECTIONS.items()
    }
    return write_registry(FILE_NAME, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


@cache
def _brought() -> tuple[AlgoMeta, ...]:
    """Returns what installed packages bring; they are looked at once, as Python itself does with modules."""
    from importlib.metadata import entry_points

    validators = {point.name: point.value.replace(":", ".") for point in entry_points(group=_VALIDATORS)}
    return tuple(
        AlgoMeta(
            name=point.name,
            alias=None,
            class_name=point.value.replace(":", "."),
            accept_class_args=True,
            class_args=None,
            validator_class_name=validators.get(point.name),
            algo_type=kind,
            is_advisor=False,
            is_builtin=False,
            nni_version=None,
        )
        for kind, group in _GROUPS.items()
        for point in entry_points(group=group)
    )
