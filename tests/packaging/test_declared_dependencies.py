from __future__ import annotations

import ast
import re
import sys
from functools import cache
from importlib.metadata import distributions, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {
    "nni-proto": ROOT / "proto" / "nni_proto",
    "nni-config": ROOT / "packages" / "nni-config" / "src" / "nni_config",
    "nni-client": ROOT / "packages" / "nni-client" / "src" / "nni_client",
    "nni-manager": ROOT / "packages" / "nni-manager" / "src" / "nni_manager",
}
PARTS = {"testing", "algorithms", "aml", "analysis", "openpai", "shared_storage", "tensor_board"}
"""The folders whose modules may need what only an extra brings."""
# Editable installs have no list of modules, and google.* is shared by several distributions.
NAMED_APART = {
    "nni": "nni-trial",
    "nni_proto": "nni-proto",
    "nni_config": "nni-config",
    "nni_client": "nni-client",
    "nni_manager": "nni-manager",
    "google.rpc": "googleapis-common-protos",
    "google.protobuf": "protobuf",
    # Not among the tools: it would bring an older protobuf.
    "tensorboard": "tensorboard",
    # A part of pydantic that its own documentation tells people to import.
    "pydantic_core": "pydantic",
}


@cache
def _packages() -> dict[str, set[str]]:
    """Returns which distributions bring each package; Python 3.10's own function knows a part."""
    found: dict[str, set[str]] = {}
    for distribution in distributions():
        # Once for each: the metadata are read anew each time.
        normal = _normal(distribution.metadata["Name"])
        for name in {file.parts[0].removesuffix(".py") for file in distribution.files or []}:
            found.setdefault(name, set()).add(normal)
    return found


def _imported_modules(folder: Path, part: str) -> set[str]:
    """Returns what the modules of a part import: a name in PARTS, or "required" for all others.

    Templates are text that users get; they are no part of the package that runs.
    """
    found = set()
    for path in folder.rglob("*.py"):
        folders = set(path.relative_to(folder).parts)
        if "templates" in folders or (folders & PARTS or {"required"}) != {part}:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module)
    return found


def _distributions_of(module: str) -> set[str]:
    for prefix, distribution in NAMED_APART.items():
        if module == prefix or module.startswith(f"{prefix}."):
            return {distribution}
    return _packages().get(module.split(".")[0], set())


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _closure(name: str, part: str) -> set[str]:
    """Returns a distribution's own name, what it declares, and what grpcio-status and ours bring along.

    The extra of tests counts where those are, and all others in the other PARTS.
    """
    found: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current in found:
            continue
        found.add(current)
        if current.startswith("nni-") or current == "grpcio-status":
            for requirement in requires(current) or []:
                extra = re.search(r"extra == ['\"]([^'\"]+)", requirement)
                if extra is None or (part != "required" and (extra[1] == "testing") == (part == "testing")):
                    waiting.append(_normal(re.split(r"[^A-Za-z0-9._-]", requirement)[0]))
    return found


@pytest.mark.parametrize("part", ["required", *sorted(PARTS)])
@pytest.mark.parametrize("name", SOURCES)
def test_a_package_imports_only_what_it_declares(name: str, part: str) -> None:
    declared = _closure(name, part)
    missing = {
        module
        for module in _imported_modules(SOURCES[name], part)
        if module.split(".")[0] not in sys.stdlib_module_names and not _distributions_of(module) & declared
    }
    assert not missing
