"""The scripts of docs/experiment_life.md run as the page says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from nni_manager.engine.statuses import TrialStatus

PAGE = Path(__file__).resolve().parents[2] / "docs" / "experiment_life.md"
BLOCK = re.compile(r"^```python\n# (\w+\.py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_scripts_of_the_page_run_one_after_the_other(stage):
    text = PAGE.read_text("utf-8")
    scripts = dict(BLOCK.findall(text))
    assert len(scripts) == text.count("```python") == 4
    for name, script in scripts.items():
        stage.write(name, script)
    for name in scripts:
        done = subprocess.run(
            [sys.executable, name],
            cwd=stage.folder,
            env={**stage.environment, "PYTHONWARNINGS": ""},
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
    assert re.search(r"^DONE ", done.stdout, re.MULTILINE)
    assert stage.is_quiet(), stage.processes()


def test_every_end_of_a_trial_is_on_the_page():
    documented = re.findall(r"^\| `(\w+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert sorted(documented) == sorted(status.value for status in TrialStatus if status.is_final)
