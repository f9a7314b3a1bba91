"""Microsoft's distribution named nni, installed into the same environment as ours."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

REPAIR = ("pip uninstall", "pip install --force-reinstall")


@pytest.fixture(scope="module")
def other_nni(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel that has the other distribution's name and brings a package `nni`."""
    path = tmp_path_factory.mktemp("other") / "nni-3.0-py3-none-any.whl"
    info = "nni-3.0.dist-info"
    files = {
        "nni/__init__.py": "__version__ = '3.0'\n",
        "nni/main.py": "",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: nni\nVersion: 3.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def _merge(python: Any, other_nni: Path, distributions: dict[str, Any]) -> Any:
    """Installs the other nni first and ours over it, which pip does without a word."""
    python.install_wheels(other_nni)
    python.install_wheels(*(built.wheel for built in distributions.values()))
    python.see_third_party_packages()
    return python


@pytest.fixture(scope="module")
def merged(other_nni: Path, distributions: dict[str, Any], fresh_python: Callable[[], Any]) -> Any:
    return _merge(fresh_python(), other_nni, distributions)


START = """
from nni.experiment import Experiment
experiment = Experiment("local")
experiment.config.search_space = {"x": {"_type": "choice", "_value": [1, 2]}}
experiment.config.trial_command = "true"
experiment.config.trial_concurrency = 1
experiment.config.tuner.name = "Random"
experiment.start(0)
experiment.stop()
"""


def test_experiment_refuses_and_names_both_commands(merged: Any) -> None:
    result = merged.run("-c", START)
    assert result.returncode == 1
    for command in REPAIR:
        assert command in result.stderr


def test_nnictl_refuses_and_names_both_commands(merged: Any) -> None:
    result = merged.script("nnictl", "experiment", "list")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    for command in REPAIR:
        assert command in result.stderr


def test_doctor_names_it_with_both_commands_among_all_else(merged: Any) -> None:
    result = merged.script("nnictl", "doctor")
    assert result.returncode == 1, result.stderr
    lines = result.stdout.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("FAILURE: other nni: "))
    for command in REPAIR:
        assert command in lines[place + 1]
    assert any(line.startswith("OK: bash: ") for line in lines)


def test_the_two_commands_repair_it(
    other_nni: Path, distributions: dict[str, Any], fresh_python: Callable[[], Any]
) -> None:
    python = _merge(fresh_python(), other_nni, distributions)
    python.pip("uninstall", "-y", "nni")
    python.install_wheels("--force-reinstall", distributions["nni-trial"].wheel)
    assert python.output("import nni; from nni.experiment import Experiment; print(nni.__version__)") > "4"
