"""Each package's README says the same things, and its examples run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = [
    "proto",
    *sorted(str(path.parent.relative_to(ROOT)) for path in ROOT.glob("packages/*/pyproject.toml")),
]
BLOCK = re.compile(r"^```python\n# (\w+\.py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text_of(folder: str) -> str:
    return (ROOT / folder / "README.md").read_text("utf-8")


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_readme_is_its_packages_description(folder: str) -> None:
    project = (ROOT / folder / "pyproject.toml").read_text()
    assert project.count('\nreadme = "README.md"\n') == 1
    (name,) = re.findall(r'^name = "(.+)"$', project, re.MULTILINE)
    text = text_of(folder)
    assert text.startswith(f"# {name}\n\n")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings[:3] == ["Install", "Example", "Documentation"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_a_readme_links_to_exists(folder: str) -> None:
    links = re.findall(r"\]\(([^)#]+)", text_of(folder))
    assert len(links) >= 2
    assert [link for link in links if not (ROOT / folder / link).exists()] == []
    paths = re.findall(r"^pip install (.+)$", text_of(folder), re.MULTILINE)[0].split()
    assert f"./{folder}" in paths
    assert [path for path in paths if not (ROOT / path / "pyproject.toml").exists()] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_examples_of_a_readme_run(folder: str, tmp_path) -> None:
    text = text_of(folder)
    scripts = BLOCK.findall(text)
    assert len(scripts) == text.count("```python") >= 1
    code = tmp_path / "code"
    code.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NNI_")}
    environment |= {"HOME": str(tmp_path), "NNI_RUNTIME_DIR": str(tmp_path / "run")}
    for name, script in scripts:
        (code / name).write_text(script)
        done = subprocess.run(
            [sys.executable, name], cwd=code, env=environment, capture_output=True, text=True, timeout=100
        )
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr


def test_the_readme_leads_to_every_page_and_example() -> None:
    links = set(re.findall(r"\]\(([^)#]+)", (ROOT / "README.md").read_text("utf-8")))
    assert [link for link in links if not (ROOT / link).exists()] == []
    pages = {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}
    examples = {f"examples/{folder.name}" for folder in (ROOT / "examples").iterdir() if folder.is_dir()}
    assert (pages | examples) - links == set()
