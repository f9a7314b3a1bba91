"""What the README promises to someone who has just cloned the repository."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _environment(home: Path) -> dict[str, str]:
    variables = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")
    }
    # What pip and npm have downloaded before is not downloaded again: it is ours that is tried.
    variables.setdefault("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip"))
    variables.setdefault("npm_config_cache", str(Path.home() / ".npm"))
    return {**variables, "HOME": str(home), "PYTHONUNBUFFERED": "1"}


def _run(home: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        cwd=home,
        env=_environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _quickstart_until_it_searches(clone: Path, home: Path) -> tuple[str, int]:
    """Runs it until the example has begun, stops that from a shell; returns what it printed and its end."""
    printed = ""
    with subprocess.Popen(
        [clone / "tools" / "quickstart"],
        cwd=home,
        env=_environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            printed += line
            if line.startswith("Experiment ID: "):
                done = _run(home, clone / ".venv" / "bin" / "nnictl", "stop", line.split()[-1])
                assert done.returncode == 0, done.stdout
        return printed, process.wait()


@contextmanager
def _taken(port: int) -> Iterator[None]:
    try:
        server = socket.create_server(("127.0.0.1", port))
    except OSError:
        # Somebody else has it, which serves as well.
        yield
        return
    with server:
        yield


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_quickstart_runs_the_example_even_if_its_port_is_taken_and_is_quick_the_second_time(
    tmp_path: Path,
) -> None:
    clone, home = tmp_path / "clone", tmp_path / "home"
    home.mkdir()
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    with _taken(8080):
        first = _run(home, clone / "tools" / "quickstart")
    assert first.returncode == 0, first.stdout
    assert "port 8080 is taken" in first.stdout
    assert "20/20" in first.stdout
    printed, code = _quickstart_until_it_searches(clone, home)
    assert code == 0, printed
    assert "Experiment ID: " in printed and "STOPPED" in printed
    assert "installing" not in printed and "making" not in printed
