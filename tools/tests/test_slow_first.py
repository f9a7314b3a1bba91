from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[1]

FILES = {
    "test_a.py": "def test_1(): pass\ndef test_2(): pass\n",
    "test_b.py": "import pytest\ndef test_1(): pass\n@pytest.mark.slow\ndef test_2(): pass\n",
    "test_c.py": "import pytest\n@pytest.mark.slow\n@pytest.mark.timeout(900)\ndef test_1(): pass\n",
    "test_d.py": "import pytest\n@pytest.mark.timeout(900)\ndef test_1(): pass\n",
}


def test_files_with_slow_tests_come_first_and_the_longest_before_them(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "workspace.slow_first"]
    done = subprocess.run(
        [*command, "--collect-only", str(tmp_path)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(TOOLS), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    found = [line for line in done.stdout.splitlines() if "::" in line]
    assert found == [
        "test_c.py::test_1",
        "test_b.py::test_1",
        "test_b.py::test_2",
        "test_a.py::test_1",
        "test_a.py::test_2",
        "test_d.py::test_1",
    ]
