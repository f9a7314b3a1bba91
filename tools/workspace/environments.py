"""Makes the virtual environments that the tools run in, and leaves them alone while nothing changed."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from workspace.launch import MINIMUM, ToolError
from workspace.progress import run_quietly

ROOT = Path(__file__).resolve().parents[2]
DISTRIBUTIONS = (
    "proto",
    "packages/nni-trial",
    "packages/nni-config",
    "packages/nni-client",
    "packages/nni-manager",
)
"""The folders of our distributions, in the order in which they need each other."""

VENV = ROOT / ".venv"
PROTOCOL_VENV = ROOT / ".venv-protocol"

EDITABLE = tuple(argument for folder in DISTRIBUTIONS for argument in ("-e", f"./{folder}"))
"""The arguments of pip that install all of ours from this tree."""

_PIP_WITH_GROUPS = "pip>=25.1"


def interpreter(venv: Path) -> Path:
    """Returns the path of an environment's Python."""
    return venv / "bin" / "python"


def prepare_packages() -> Path:
    """Installs the packages, and what the example needs, into .venv; returns its Python."""
    prepare(VENV, "packages", [*EDITABLE, "scikit-learn>=1.3"])
    return interpreter(VENV)


def prepare_development() -> None:
    """Installs the packages and the tools of development into .venv."""
    prepare(VENV, "development", [*EDITABLE, "--group", "dev"])


def prepare(venv: Path, purpose: str, arguments: Sequence[str], python: str = sys.executable) -> bool:
    """Makes an environment and installs into it, unless that was done and nothing has changed since.

    Args:
        venv: The environment's folder.
        purpose: What is installed, in one word; each purpose is remembered apart.
        arguments: What pip is to install, relative to the workspace's root.
        python: The interpreter a new environment is made with.

    Returns:
        Whether anything had to be done.

    Raises:
        ToolError: There is no venv module, the environment has too old a Python, or pip failed.
    """
    _make(venv, python)
    stamp = venv / f"installed-{purpose}"
    wanted = _fingerprint(venv, arguments)
    if stamp.is_file() and stamp.read_text() == wanted:
        return False
    pip = [str(interpreter(venv)), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    name = venv.relative_to(ROOT) if venv.is_relative_to(ROOT) else venv
    run_quietly(f"updating pip in {name}", [*pip, "--upgrade", _PIP_WITH_GROUPS], ROOT)
    run_quietly(f"installing into {name} ({purpose})", [*pip, *arguments], ROOT)
    stamp.write_text(wanted)
    return True


def _make(venv: Path, python: str) -> None:
    if interpreter(venv).exists():
        _check_version(venv)
        return
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise ToolError(
            f"{python} cannot make virtual environments: its venv module is missing or incomplete. "
            "On Debian and Ubuntu `apt-get install python3-venv` brings it."
        )
    run_quietly(f"making {venv.name}", [python, "-m", "venv", "--clear", str(venv)], ROOT)


def _check_version(venv: Path) -> None:
    code = "import sys; print(*sys.version_info[:2])"
    found = subprocess.run(
        [str(interpreter(venv)), "-c", code], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if found.returncode != 0:
        raise ToolError(f"the Python in {venv} does not start; remove that folder and run this again")
    version = tuple(map(int, found.stdout.split()))
    if version < MINIMUM:
        raise ToolError(
            f"{venv} has Python {version[0]}.{version[1]}, and {MINIMUM[0]}.{MINIMUM[1]} or newer is needed; "
            "remove that folder and run this again"
        )


def _fingerprint(venv: Path, arguments: Sequence[str]) -> str:
    """Names all that decides what an installation holds: a moved tree has to be installed again."""
    digest = hashlib.sha256(repr((str(ROOT), str(venv), list(arguments))).encode())
    for project in (ROOT, *(ROOT / folder for folder in DISTRIBUTIONS)):
        digest.update((project / "pyproject.toml").read_bytes())
    return digest.hexdigest()
