"""Installs the Node packages that the tests with a Node client need."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from workspace.environments import ROOT
from workspace.launch import ToolError
from workspace.progress import run_quietly

_NPM = ("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error")


def install_node_packages() -> None:
    """Runs npm in every folder of tests/ that has a package.json and has changed since the last time.

    Raises:
        ToolError: There is no Node, or npm failed.
    """
    for manifest in sorted((ROOT / "tests").rglob("package.json")):
        if "node_modules" not in manifest.parts:
            _install(manifest)


def _install(manifest: Path) -> None:
    if shutil.which("npm") is None:
        raise ToolError(f"{manifest.relative_to(ROOT)} needs Node 18 or newer with npm on PATH")
    stamp = manifest.parent / "node_modules" / "installed"
    wanted = hashlib.sha256(manifest.read_bytes()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != wanted:
        run_quietly(f"installing {manifest.parent.relative_to(ROOT)}", _NPM, manifest.parent)
        stamp.write_text(wanted)
