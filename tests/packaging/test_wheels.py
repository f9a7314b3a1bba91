from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest

NAMES = ("nni-proto", "nni-trial", "nni-config", "nni-client", "nni-manager")
ROOT = Path(__file__).resolve().parents[2]


def _metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


@pytest.mark.parametrize("name", NAMES)
def test_the_wheel_is_pure(name: str, distributions: dict[str, Any]) -> None:
    assert distributions[name].wheel.name.endswith("-py3-none-any.whl")


@pytest.mark.parametrize("name", NAMES)
def test_the_wheel_holds_one_typed_package_and_no_tests(name: str, distributions: dict[str, Any]) -> None:
    with zipfile.ZipFile(distributions[name].wheel) as archive:
        files = archive.namelist()
    package = "nni" if name == "nni-trial" else name.replace("-", "_")
    dist_info = {file.split("/")[0] for file in files} - {package}
    assert len(dist_info) == 1
    assert dist_info.pop().endswith(".dist-info")
    assert f"{package}/py.typed" in files
    assert not [file for file in files if re.search(r"(^|/)(tests/|test_|conftest|__pycache__)", file)]


@pytest.mark.parametrize("name", NAMES)
def test_the_wheel_holds_every_file_of_the_package(name: str, distributions: dict[str, Any]) -> None:
    built = distributions[name]
    root = built.folder if name == "nni-proto" else built.folder / "src"
    package = "nni" if name == "nni-trial" else name.replace("-", "_")
    tracked = subprocess.run(
        ["git", "ls-files", "--", package], cwd=root, capture_output=True, text=True, check=True
    ).stdout.split()
    with zipfile.ZipFile(built.wheel) as archive:
        assert set(tracked) <= set(archive.namelist())


def test_the_wheel_and_the_source_archive_hold_the_finished_page(distributions: dict[str, Any]) -> None:
    built = distributions["nni-manager"]
    with zipfile.ZipFile(built.wheel) as archive:
        files = set(archive.namelist())
        index = archive.read("nni_manager/web/static/index.html").decode()
    named = re.findall(r'(?:src|href)="\./([^"]*)"', index)
    assert any(name.endswith(".js") for name in named) and any(name.endswith(".css") for name in named)
    for name in named:
        assert {f"nni_manager/web/static/{name}", f"nni_manager/web/static/{name}.gz"} <= files
    with tarfile.open(built.sdist) as archive:
        kept = {file.partition("/")[2] for file in archive.getnames()}
    assert {f"src/{file}" for file in files if "/web/static/" in file} <= kept
    assert not [file for file in kept if "node_modules" in file]


def test_the_source_archive_needs_no_node_to_be_installed(
    distributions: dict[str, Any], tmp_path: Path
) -> None:
    with tarfile.open(distributions["nni-manager"].sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", str(next(tmp_path.iterdir()))]
    result = subprocess.run(command, env={"PATH": ""}, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", NAMES)
def test_the_licence_is_said_and_included(name: str, distributions: dict[str, Any]) -> None:
    built = distributions[name]
    assert _metadata(built.wheel)["License-Expression"] == "MIT"
    licence = (ROOT / "LICENSE").read_text()
    assert (built.folder / "LICENSE").read_text() == licence
    with zipfile.ZipFile(built.wheel) as archive:
        path = next(file for file in archive.namelist() if file.endswith(".dist-info/licenses/LICENSE"))
        assert archive.read(path).decode() == licence


@pytest.mark.parametrize("name", NAMES)
def test_the_source_archive_holds_no_tests(name: str, distributions: dict[str, Any]) -> None:
    with tarfile.open(distributions[name].sdist) as archive:
        assert not [file for file in archive.getnames() if "/tests" in file]


@pytest.mark.parametrize("name", NAMES)
def test_requirements_are_ranges_and_ours_follow_the_major_version(
    name: str, distributions: dict[str, Any]
) -> None:
    for line in _metadata(distributions[name].wheel).get_all("Requires-Dist", []):
        requirement = line.split(";")[0]
        assert "==" not in requirement
        assert ">=" in requirement
        if requirement.startswith("nni-"):
            assert "<5" in requirement


@pytest.mark.parametrize("python", ["3.9", "3.13"])
@pytest.mark.parametrize("platform", ["manylinux_2_17_aarch64", "musllinux_1_2_x86_64", "win_amd64"])
def test_a_trial_machine_of_any_kind_can_install_the_wheel(
    platform: str, python: str, distributions: dict[str, Any], tmp_path: Path
) -> None:
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-index"]
    target = ["--only-binary=:all:", "--platform", platform, "--python-version", python, "--target", tmp_path]
    subprocess.run([*pip, *map(str, target), str(distributions["nni-trial"].wheel)], check=True)
    assert (tmp_path / "nni" / "__init__.py").exists()
