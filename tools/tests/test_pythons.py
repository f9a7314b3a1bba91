from __future__ import annotations

from pathlib import Path

import pytest
from workspace import pythons


def _python(path: Path, script: str = "exit 0") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_pythons_on_path_and_of_pyenv_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    _python(tmp_path / "bin" / "python3.10", "exit 1")
    managed = _python(tmp_path / "pyenv" / "versions" / "3.10.13" / "bin" / "python3.10")
    on_path = _python(tmp_path / "bin" / "python3.12")
    _python(tmp_path / "pyenv" / "versions" / "3.8.18" / "bin" / "python3.8")
    assert pythons.find_pythons() == {"3.10": managed, "3.12": on_path}
