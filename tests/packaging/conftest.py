"""Built distributions, and fresh environments to install them into."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {
    "nni-proto": ROOT / "proto",
    "nni-trial": ROOT / "packages" / "nni-trial",
    "nni-config": ROOT / "packages" / "nni-config",
    "nni-client": ROOT / "packages" / "nni-client",
    "nni-manager": ROOT / "packages" / "nni-manager",
}


@dataclass(frozen=True)
class Distribution:
    """One of our distributions: its name, its folder in this tree, and what was built from it."""

    name: str
    folder: Path
    wheel: Path
    sdist: Path


class FreshPython:
    """The Python of an environment that holds nothing but what a test installs."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False)
        self.folder = folder
        self.path = folder / "bin" / "python"
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        self.site_packages = folder / "lib" / version / "site-packages"

    def pip(self, command: str, *arguments: str | Path) -> None:
        """Runs a pip command for this environment."""
        pip = [sys.executable, "-m", "pip", "--python", str(self.path), command, "-q", "--no-input"]
        # The home of who runs the tests: what pip has downloaded before lies there.
        home = {"HOME": str(Path.home())}
        result = self._run([*pip, "--disable-pip-version-check", *map(str, arguments)], home)
        assert result.returncode == 0, result.stdout + result.stderr

    def install(self, *arguments: str | Path) -> None:
        """Runs pip install for this environment."""
        self.pip("install", *arguments)

    def install_wheels(self, *wheels: str | Path) -> None:
        """Installs exactly these files, without a registry."""
        self.install("--no-index", "--no-deps", *wheels)

    def see_third_party_packages(self) -> None:
        """Lets this environment import what the running one has, after its own. Editable ones stay out."""
        (self.site_packages / "third_party.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs this Python in an empty folder."""
        return self._run([str(self.path), *arguments])

    def script(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs an installed command in an empty folder."""
        return self._run([str(self.folder / "bin" / name), *arguments])

    def output(self, code: str) -> str:
        """Returns what a piece of code printed; fails the test if it failed."""
        result = self.run("-c", code)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    def distributions(self) -> set[str]:
        """Returns the names of what is installed in this environment alone."""
        code = (
            "from importlib.metadata import distributions\n"
            f"print(*(d.metadata['Name'] for d in distributions(path=[{str(self.site_packages)!r}])))"
        )
        return set(self.output(code).split())

    def _run(
        self, command: list[str], home: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        variables |= {"HOME": str(work), "NNI_RUNTIME_DIR": str(work / "run"), **(home or {})}
        return subprocess.run(
            command, cwd=work, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Distribution]:
    """Builds the source archive of each distribution, and its wheel from that."""
    output = tmp_path_factory.mktemp("dist")

    def build(name: str) -> Distribution:
        folder, target = FOLDERS[name], output / name
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), str(folder)]
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
        return Distribution(name, folder, next(target.glob("*.whl")), next(target.glob("*.tar.gz")))

    with ThreadPoolExecutor(2) as pool:
        return {built.name: built for built in pool.map(build, FOLDERS)}


@pytest.fixture(scope="session")
def fresh_python(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], FreshPython]:
    """Makes an environment without any package, not even pip."""
    return lambda: FreshPython(tmp_path_factory.mktemp("environment"))
