"""The script that a job begins with: what nobody is to see of it in the studio is in a file of its own.

Whoever may look into a workspace sees the command and the variables of its jobs. This file lies in the
workspace's storage, which is for those alone who may read the trials' files anyway, and it is removed by the
job and, once the job is over, in the storage.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping

START, ARCHIVES = "start", "archives"
"""The names of a job's inputs: this script, and the folder with what all jobs need."""

COMMAND = "exec /bin/bash " + " ".join(f'"${{{{inputs.{name}}}}}"' for name in (START, ARCHIVES))
"""What the studio shows as the command of a job. Azure ML puts the paths of the inputs there."""

FOLDER = "$NNI_ARCHIVES"
"""The folder with what all jobs need, as a command names it."""


def start_script(command: str, secrets: Mapping[str, str]) -> bytes:
    """Returns the script.

    Args:
        command: What the job runs, for /bin/bash.
        secrets: Variables that the studio is not to show.
    """
    lines = [
        'export NNI_ARCHIVES="$1"',
        'rm -f "$0" 2> /dev/null',
        *(f"export {name}={shlex.quote(value)}" for name, value in secrets.items()),
        f"exec /bin/bash -c {shlex.quote(command)}",
    ]
    return ("\n".join(lines) + "\n").encode()
