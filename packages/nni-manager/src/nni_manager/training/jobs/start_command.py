"""The command with which a job begins: it finds a Python, and has it run nni.job_start."""

from __future__ import annotations

import importlib.util
import json
import secrets
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.shipping.archive import Archive

NO_PYTHON = 97
"""The exit code of a job in whose container there is no Python that will do."""

NO_PYTHON_TEXT = (
    "its container has no Python 3.8 or later, with which trials are run; use an image that has python3"
)

_FIND_PYTHON = """\
for python in {candidates}; do
  if "$python" -S -c 'import sys; sys.exit(sys.version_info < (3, 8))' > /dev/null 2>&1; then
    exec "$python" -c {program} {brought} {request}
  fi
done
echo "nni: "{text} >&2
exit {code}
"""
_CANDIDATES = ("python3", "python", "python3.12", "python3.11", "python3.10", "python3.9", "python3.8")


def start_command(
    *, brought: str, folder: str, archives: Mapping[str, Archive], spool_arguments: Sequence[str]
) -> str:
    """Returns what a job runs, for /bin/bash.

    Args:
        brought: The folder in the job with the archives, each under the name of its file; shell variables in
            it are replaced.
        folder: What the job makes for itself.
        archives: What is unpacked to folders of these names in that; "sdk" is among them.
        spool_arguments: The command line of nni.spool.

    Raises:
        TrainingServiceError: The trial SDK is not installed beside the manager.
    """
    names = sorted(archives, key=lambda name: name != "sdk")
    request: dict[str, Any] = {
        "folder": folder,
        "order": secrets.token_hex(8),
        "archives": [_described(name, archives[name]) for name in names],
        "spool": list(spool_arguments),
    }
    return _FIND_PYTHON.format(
        candidates=" ".join(_CANDIDATES),
        program=shlex.quote(f"{_program()}\nmain(*sys.argv[1:])"),
        brought=f'"{brought}"',
        request=shlex.quote(json.dumps(request)),
        text=shlex.quote(NO_PYTHON_TEXT),
        code=NO_PYTHON,
    )


def _described(name: str, archive: Archive) -> dict[str, Any]:
    return {
        "name": name,
        "file": archive.path.name,
        "size": archive.packed_byte_count,
        "sha256": archive.sha256,
    }


def _program() -> str:
    found = importlib.util.find_spec("nni.job_start")
    if found is None or found.origin is None:
        raise TrainingServiceError("the trial SDK is not installed beside the manager: pip install nni-trial")
    return Path(found.origin).read_text("ascii")
