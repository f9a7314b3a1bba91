from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {
    "nni-proto": ROOT / "proto" / "nni_proto",
    "nni-config": ROOT / "packages" / "nni-config" / "src" / "nni_config",
    "nni-client": ROOT / "packages" / "nni-client" / "src" / "nni_client",
    "nni-manager": ROOT / "packages" / "nni-manager" / "src" / "nni_manager",
}
# Editable installs have no list of modules, and google.* is shared by several distributions.
NAMED_APART = {
    "nni": "nni-trial",
    "nni_proto": "nni-proto",
    "nni_config": "nni-config",
    "nni_client": "nni-client",
    "nni_manager": "nni-manager",
    "google.rpc": "googleapis-common-protos",
    "google.protobuf": "protobuf",
}
DISTRIBUTIONS = packages_distributions()


def _imported_modules(folder: Path) -> set[str]:
    found = set()
    for path in folder.rglob("*.py"):
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
    return {name.lower() for name in DISTRIBUTIONS.get(module.split(".")[0], [])}


def _closure(name: str) -> set[str]:
    """Returns a distribution's own name, what it declares, and what grpcio-status and ours bring along."""
    found, waiting = set(), [name]
    while waiting:
        current = waiting.pop()
        if current in found:
            continue
        found.add(current)
        if current.startswith("nni-") or current == "grpcio-status":
            for requirement in requires(current) or []:
                if "extra ==" not in requirement:
                    waiting.append(re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower())
    return found


@pytest.mark.parametrize("name", SOURCES)
def test_a_package_imports_only_what_it_declares(name: str) -> None:
    declared = _closure(name)
    missing = {
        module
        for module in _imported_modules(SOURCES[name])
        if module.split(".")[0] not in sys.stdlib_module_names and not _distributions_of(module) & declared
    }
    assert not missing
