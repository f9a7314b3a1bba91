"""Generates the Python stubs in proto/ from the .proto files, or checks that they are in step.

    .venv-protocol/bin/python tools/generate_protos.py           writes the stubs
    .venv-protocol/bin/python tools/generate_protos.py --check   exits with 1 and names the files that differ

It needs the dependency group "protocol" (the pinned, old generator), which cannot share an
environment with a newer protobuf: tools/test makes .venv-protocol for it.
"""

from __future__ import annotations

import argparse
import filecmp
import sys
import sysconfig
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

PROTO_ROOT = Path(__file__).resolve().parent.parent / "proto"


def generate(output: Path) -> None:
    """Writes the stubs of every .proto file below `output`.

    Args:
        output: The folder that gets nni_proto/v1/*_pb2*.py[i].

    Raises:
        SystemExit: protoc refused a file; it has printed why.
    """
    sources = sorted(
        path.relative_to(PROTO_ROOT).as_posix() for path in PROTO_ROOT.glob("nni_proto/v1/*.proto")
    )
    services = [name for name in sources if name.endswith("_service.proto")]
    includes = [f"-I{PROTO_ROOT}", f"-I{files('grpc_tools') / '_proto'}"]
    scripts = Path(sysconfig.get_path("scripts"))
    plugins = [f"--plugin={name}={scripts / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")]
    for arguments in (
        [f"--python_out={output}", f"--mypy_out={output}", *sources],
        [f"--grpc_python_out={output}", f"--mypy_grpc_out={output}", *services],
    ):
        if protoc.main(["protoc", *includes, *plugins, *arguments]) != 0:
            raise SystemExit(1)


def differing_files() -> list[str]:
    """Returns the generated files that are missing, stale or left over, relative to proto/."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        fresh = {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*_pb2*.py*")}
        committed = {
            path.relative_to(PROTO_ROOT).as_posix() for path in PROTO_ROOT.glob("nni_proto/v1/*_pb2*.py*")
        }
        changed = {
            name
            for name in fresh & committed
            if not filecmp.cmp(Path(folder, name), PROTO_ROOT / name, shallow=False)
        }
        return sorted((fresh ^ committed) | changed)


def main() -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--check", action="store_true", help="change nothing, fail when a file is out of step"
    )
    if not parser.parse_args().check:
        generate(PROTO_ROOT)
        return 0
    stale = differing_files()
    for name in stale:
        print(
            f"proto/{name} is out of step with its .proto file; run tools/generate_protos.py", file=sys.stderr
        )
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
