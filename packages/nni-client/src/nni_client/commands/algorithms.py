"""nnictl algo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nni_config.algorithm_descriptions import conflicts, is_built_in_name, read_descriptions
from nni_config.problems import InvalidConfigError
from nni_config.registered_algorithms import (
    AlgoMeta,
    comes_with_a_package,
    read_registry,
    registered_algorithms,
    write_algorithms,
)

from nni_client.algorithm_questions import ask
from nni_client.commands.output import print_json, print_table

_COLUMNS = ("Name", "Type", "source", "Class Name", "Module Name")


def register(meta_path: Path) -> None:
    """Registers the algorithms that a file describes, all or none.

    Raises:
        InvalidConfigError: The file is not valid, or a name belongs to another algorithm.
        RuntimeError: A class cannot be imported, or is no such algorithm.
        OSError: A file cannot be read or written.
    """
    new = read_descriptions(meta_path)
    existing = read_registry()
    taken = conflicts(new, registered_algorithms())
    if taken:
        raise InvalidConfigError(taken)
    described = [{"algoType": meta.algo_type, **meta.dump()} for meta in new]
    problems = ask({"register": described})["problems"]
    if problems:
        raise RuntimeError("\n".join(problems))
    names = {meta.name for meta in new}
    write_algorithms([*(meta for meta in existing if meta.name not in names), *new])
    for meta in new:
        print(f"{meta.name} registered sucessfully!")  # NNI's own spelling, which scripts look for


def unregister(name: str) -> None:
    """Forgets a registered algorithm.

    Raises:
        RuntimeError: It is not registered; the text says what it is.
    """
    existing = read_registry()
    rest = [meta for meta in existing if meta.name != name]
    if len(rest) < len(existing):
        write_algorithms(rest)
        print(f"{name} unregistered sucessfully!")
        return
    if is_built_in_name(name):
        raise RuntimeError(f"{name} is provided by nni; it cannot be unregistered")
    found = next((meta for meta in registered_algorithms() if meta.has_name(name)), None)
    if found is None:
        known = ", ".join(meta.name for meta in existing) or "none"
        raise RuntimeError(f"{name} is not found; registered algorithms: {known}")
    if comes_with_a_package(found):
        module = found.class_name.partition(".")[0]
        raise RuntimeError(f"{name} comes with an installed package; uninstall the package of {module}")
    raise RuntimeError(f"{name} is not found; did you mean {found.name}?")


def show(name: str) -> None:
    """Prints what is known of an algorithm, as JSON.

    Raises:
        RuntimeError: There is none of this name.
    """
    metas = _every()
    found = next((meta for meta in metas if meta.has_name(name)), None)
    if found is None:
        raise RuntimeError(f"{name} is not found; there are: {', '.join(meta.name for meta in metas)}")
    print_json(_described(found))


def show_all(as_json: bool) -> None:
    """Prints every algorithm: the built-in ones first."""
    metas = _every()
    if as_json:
        print_json([_described(meta) for meta in metas])
        return
    rows = []
    for meta in metas:
        module, _, class_name = meta.class_name.rpartition(".")
        rows.append((meta.name, meta.algo_type, _source(meta), class_name, module))
    print_table(_COLUMNS, rows)


def _every() -> list[AlgoMeta]:
    return [AlgoMeta.load(each) for each in ask({"list": True})["algorithms"]]


def _described(meta: AlgoMeta) -> dict[str, Any]:
    return {"algoType": meta.algo_type, **meta.dump()}


def _source(meta: AlgoMeta) -> str:
    return "nni" if meta.is_builtin else "user"
