"""Microsoft's distribution named nni, installed into the same environment as ours."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

REPAIR = ("pip uninstall", "pip install --force-reinstall")


@pytest.fixture
def other_nni(tmp_path: Path) -> Path:
    """A wheel that has the other distribution's name and brings a package `nni`."""
    path = tmp_path / "nni-3.0-py3-none-any.whl"
    info = "nni-3.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("nni/__init__.py", "__version__ = '3.0'\n")
        archive.writestr("nni/main.py", "")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: nni\nVersion: 3.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(
            f"{info}/RECORD",
            f"nni/__init__.py,,\nnni/main.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n",
        )
    return path


@pytest.fixture
def merged(other_nni: Path, distributions: dict[str, Any], fresh_python: Callable[[], Any]) -> Any:
    python = fresh_python()
    python.install_wheels(other_nni)
    python.install_wheels(*(built.wheel for built in distributions.values()))
    python.see_third_party_packages()
    return python


def test_experiment_refuses_and_names_both_commands(merged: Any) -> None:
    result = merged.run("-c", "from nni.experiment import Experiment; Experiment('local')")
    assert result.returncode == 1
    for command in REPAIR:
        assert command in result.stderr


@pytest.mark.parametrize("arguments", [("experiment", "list"), ("doctor",)])
def test_nnictl_refuses_and_names_both_commands(arguments: tuple[str, ...], merged: Any) -> None:
    result = merged.script("nnictl", *arguments)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    for command in REPAIR:
        assert command in result.stdout + result.stderr


def test_the_two_commands_repair_it(merged: Any, distributions: dict[str, Any]) -> None:
    merged.pip("uninstall", "-y", "nni")
    merged.install("--no-index", "--no-deps", "--force-reinstall", distributions["nni-trial"].wheel)
    assert merged.output("import nni, nni.experiment; print(nni.__version__)").startswith("4.")
