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


def _quickstart(clone: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    variables = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")
    }
    # What pip and npm have downloaded before is not downloaded again: it is ours that is tried.
    variables.setdefault("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip"))
    variables.setdefault("npm_config_cache", str(Path.home() / ".npm"))
    return subprocess.run(
        [str(clone / "tools" / "quickstart")],
        cwd=folder,
        env={**variables, "HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


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
        first = _quickstart(clone, home)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "port 8080 is taken" in first.stdout
    assert "20/20" in first.stdout
    second = _quickstart(clone, home)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "installing" not in second.stdout
