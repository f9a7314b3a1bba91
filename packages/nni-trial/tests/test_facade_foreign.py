from __future__ import annotations

import sys
from pathlib import Path

import pytest
from nni._foreign import microsoft_nni_problem


def install(folder: Path, name: str, version: str, files: list[str] | None) -> None:
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if files is not None:
        (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))
        for file in files:  # newer Pythons list only those that are there
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).touch()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    return tmp_path


def test_ours_alone_is_no_problem(site: Path) -> None:
    install(site, "nni-trial", "4.0.0", ["nni/__init__.py"])
    assert microsoft_nni_problem() is None


@pytest.mark.parametrize(
    "files", [["nni/__init__.py", "nni/main.py"], None], ids=["wheel", "no list of files"]
)
def test_the_other_one_is_named_with_the_repair(files: list[str] | None, site: Path) -> None:
    install(site, "nni-trial", "4.0.0", ["nni/__init__.py"])
    install(site, "nni", "3.0", files)
    problem = microsoft_nni_problem()
    assert problem is not None
    first, *commands = problem.splitlines()
    assert "Microsoft's nni 3.0 is installed beside nni-trial" in first
    assert [command.strip() for command in commands] == [
        f"{sys.executable} -m pip uninstall --yes nni",
        f"{sys.executable} -m pip install --force-reinstall --no-deps nni-trial",
    ]


def test_a_distribution_of_that_name_without_the_folder_is_no_problem(site: Path) -> None:
    install(site, "nni", "0.1", ["something_else/__init__.py"])
    assert microsoft_nni_problem() is None
