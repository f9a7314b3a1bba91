from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[1]


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = {TOOLS}\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, str(folder)]
    environment = {"PYTHONPATH": str(TOOLS), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    "code",
    [
        "import pytest\ndef test(): pytest.skip('no browser')",
        "import pytest\npytest.skip('no browser', allow_module_level=True)",
        "import pytest\n@pytest.mark.skipif(True, reason='no browser')\ndef test(): pass",
    ],
)
def test_a_skip_fails_the_run_and_is_named(code: str, tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(code)
    result = _run(tmp_path, "-p", "workspace.no_skips")
    assert result.returncode == 1
    assert "skipped, which fails this run: " in result.stdout
    assert "no browser" in result.stdout
    assert _run(tmp_path).returncode in (0, 5)


def test_a_run_without_skips_passes(tmp_path: Path) -> None:
    code = "import pytest\ndef test(): pass\n@pytest.mark.xfail\ndef test_known(): assert False"
    (tmp_path / "test_one.py").write_text(code)
    assert _run(tmp_path, "-p", "workspace.no_skips").returncode == 0
