"""A client and a trial in another language, which know the manager by its .proto files only."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NODE = Path(__file__).parent / "node"


@pytest.fixture(scope="session")
def node_modules() -> None:
    """Installs what the programs in node/ require, once per clone."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node.js and npm are not installed")
    if (NODE / "node_modules" / ".package-lock.json").exists():
        return
    command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
    result = subprocess.run(command, cwd=NODE, capture_output=True, text=True)
    if result.returncode != 0:
        pytest.skip(f"npm cannot install the libraries: {result.stderr.strip()[-500:]}")


@pytest.fixture
def manager(tmp_path, monkeypatch) -> Iterator[tuple[dict[str, Any], Path, subprocess.Popen[bytes]]]:
    runtime = tmp_path / "run"
    runtime.mkdir(0o700)
    monkeypatch.setenv("NNI_RUNTIME_DIR", str(runtime))
    reading, writing = os.pipe()
    folder = tmp_path / "experiments"
    command = [sys.executable, "-m", "nni_manager", "--experiments-directory", str(folder), "--port", "0"]
    process = subprocess.Popen(
        [*command, "--experiment-id", "node", "--ready-fd", str(writing)], pass_fds=[writing]
    )
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = json.load(pipe)
    yield told, folder, process
    if process.poll() is None:
        process.terminate()
    process.wait(60)


def test_a_node_client_runs_an_experiment_of_node_trials(node_modules, manager) -> None:
    told, folder, process = manager
    result = subprocess.run(
        ["node", "client.js", f"127.0.0.1:{told['port']}", str(folder)],
        cwd=NODE,
        env={**os.environ, "NNI_TEST_TOKEN": told["token"]},
        capture_output=True,
        text=True,
        timeout=100,
    )
    errors = "\n".join(path.read_text() for path in folder.glob("node/trials/*/stderr"))
    assert result.returncode == 0, result.stderr + errors
    found = json.loads(result.stdout)
    assert found["refused"] == {"code": 16, "hasDetails": True}
    assert found["seen"]["trials"] == ["STATUS_SUCCEEDED"] * 3 + ["STATUS_USER_CANCELED"], errors
    assert (found["seen"]["status"], found["stopped"]) == ("STATUS_DONE", "STATUS_DONE")
    assert found["seen"]["metricCount"] == 3 * 3 + 3
    assert len(found["trials"]) == 3
    for trial in found["trials"]:
        assert trial["value"] == trial["parameters"]["x"] and 0.1 <= trial["value"] <= 0.9
    outputs = [path.read_text() for path in folder.glob("node/trials/*/stdout")]
    assert outputs == ["stored 2, then 0\n"] * 4
    assert process.wait(60) == 0
