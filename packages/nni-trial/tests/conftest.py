"""A trial's folder and environment without a manager, and the Python versions that run trials."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nni
import pytest
from nni import _reports
from nni import trial as trial_module


class Trial:
    """A trial as the courier prepares it, with the SDK found by a bare link."""

    def __init__(self, folder: Path, parameters: Any) -> None:
        self.folder = folder
        self.output = folder / "output"
        self.system = self.output / ".nni" / "0"
        self.system.mkdir(parents=True)
        self.report_file = self.system / "reports.jsonl"
        self.log = self.output / "trial.log"
        # Unlike any other trial's: what stops a trial on this machine finds its processes by their ids.
        self.experiment_id, self.trial_id = f"sdk{os.getpid()}", f"t{secrets.token_hex(4)}"
        record = {
            "experiment_id": self.experiment_id,
            "trial_id": self.trial_id,
            "attempt": 0,
            "sequence_number": 7,
            "parameter_id": 3,
            "parameter_source": "algorithm",
            "parameters": parameters,
        }
        (self.system / "parameters.json").write_text(json.dumps(record), encoding="utf-8")
        sdk = folder / "sdk"
        sdk.mkdir()
        (sdk / "nni").symlink_to(Path(nni.__file__).parent)
        self.environment = {
            "NNI_PLATFORM": "local",
            "NNI_EXP_ID": self.experiment_id,
            "NNI_TRIAL_JOB_ID": self.trial_id,
            "NNI_TRIAL_SEQ_ID": "7",
            "NNI_OUTPUT_DIR": str(self.output),
            "NNI_SYS_DIR": str(self.system),
            "PYTHONPATH": str(sdk),
            "PYTHONDONTWRITEBYTECODE": "1",
            "NNI_TRIAL_COMMAND_CHANNEL": "import://this_sdk_does_not_use_it",
        }

    def run(
        self, code: str, *, python: str = sys.executable, options: tuple[str, ...] = (), **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs a script in the trial; a failure shows what it printed."""
        script = self.folder / "script.py"
        script.write_text(textwrap.dedent(code), encoding="utf-8")
        result = subprocess.run(
            [python, *options, str(script)],
            env={"PATH": os.environ["PATH"], **self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result

    def reports(self) -> list[dict[str, Any]]:
        """Returns what was reported, line by line; empty lines mean nothing."""
        text = self.report_file.read_text(encoding="ascii") if self.report_file.exists() else ""
        assert text == "" or text.endswith("\n")
        return [json.loads(line) for line in text.splitlines() if line]

    def values(self, kind: str = "i") -> list[Any]:
        """Returns the reported values of one kind, "i" or "f"."""
        return [report["v"] for report in self.reports() if report["k"] == kind]


@pytest.fixture
def make_trial(tmp_path: Path) -> Callable[..., Trial]:
    """Makes a trial with parameters of its own."""

    def make(parameters: Any = None) -> Trial:
        return Trial(tmp_path / "trial", {"lr": 0.1, "layers": 3} if parameters is None else parameters)

    return make


@pytest.fixture
def trial(make_trial: Callable[..., Trial]) -> Trial:
    """A trial for scripts in a process of their own."""
    return make_trial()


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process, fresh and outside any trial."""
    for name in [name for name in os.environ if name.startswith("NNI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(_reports, "_idle", [])
    monkeypatch.setattr(trial_module, "_record", None)
    for name in ("_asked_by", "_final_reported_by", "_refused_by"):
        monkeypatch.setattr(trial_module, name, 0)
    monkeypatch.setattr(trial_module, "_intermediate_index", 0)


@pytest.fixture
def inside(trial: Trial, outside: None, monkeypatch: pytest.MonkeyPatch) -> Trial:
    """This process as a process of a trial."""
    for name, value in trial.environment.items():
        if name.startswith("NNI_"):
            monkeypatch.setenv(name, value)
    return trial


@pytest.fixture(scope="session")
def find_python() -> Callable[[str], str]:
    """Finds the interpreter of a Python version such as "3.8", or skips the test."""

    def find(version: str) -> str:
        root = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
        candidates = [str(path) for path in sorted(root.glob(f"versions/{version}.*/bin/python"))]
        candidates += filter(None, [shutil.which(f"python{version}")])
        for candidate in candidates:
            if subprocess.run([candidate, "-c", ""], check=False, capture_output=True).returncode == 0:
                return candidate
        pytest.skip(f"there is no Python {version} here")

    return find
