"""Gets a job's container ready and runs `nni.spool` in it.

The text of this file is part of the job's command, with a call of `main` behind it: nothing of ours is in the
container yet. So it needs the standard library alone, and no other file until the SDK is unpacked. It holds
nothing of what platforms replace in commands, such as a dollar sign before a brace.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from typing import Any, Dict

ARRIVE_SECONDS = 120.0
"""How long files may take until a mounted storage shows them whole."""


def main(brought: str, text: str) -> None:
    """Unpacks what was brought, and runs the job's trials.

    Args:
        brought: The folder with the archives.
        text: A JSON object: "folder": what is made for this job; "order": what tells this order of a job from
            others; "archives": for each its "file", "name" of the folder to unpack to, "size" and "sha256",
            the SDK's first; "spool": arguments of nni.spool.
    """
    request: Dict[str, Any] = json.loads(text)
    folder = request["folder"]
    try:
        _make(folder, request["order"])
        for archive in request["archives"]:
            _unpack(os.path.join(brought, archive["file"]), os.path.join(folder, archive["name"]), archive)
    except Exception as error:
        sys.exit("nni: the job cannot begin: %s" % (error or type(error).__name__))
    os.environ["PYTHONPATH"] = os.pathsep.join(
        path for path in (sys.path[0], os.environ.get("PYTHONPATH", "")) if path
    )
    from nni import spool

    try:
        code = spool.main(request["spool"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(code)


def _make(folder: str, order: str) -> None:
    """Makes the job's folder. One that its platform starts again finds what was left of it, no other does."""
    os.makedirs(os.path.dirname(folder), mode=0o700, exist_ok=True)
    note = os.path.join(folder, "order")
    if os.path.lexists(folder):
        if os.path.islink(folder) or os.stat(folder).st_uid != os.geteuid():
            raise OSError("%s belongs to somebody else" % folder)
        try:
            with open(note) as file:
                if file.read() == order:
                    return
        except FileNotFoundError:
            pass
        shutil.rmtree(folder)
    os.mkdir(folder, 0o700)
    with open(note, "w") as file:
        file.write(order)


def _unpack(path: str, folder: str, archive: Dict[str, Any]) -> None:
    deadline = time.monotonic() + ARRIVE_SECONDS
    while not os.path.exists(path) or os.path.getsize(path) < archive["size"]:
        if time.monotonic() > deadline:
            raise OSError("%s is not there, or not whole; is the storage mounted in the job?" % path)
        time.sleep(0.2)
    if archive["name"] != "sdk":
        from nni.unpack import unpack

        unpack(path, folder, archive["sha256"], keep=True)
        return
    if not os.path.isdir(folder):
        import tarfile

        unfinished = folder + ".unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        with tarfile.open(path) as tar:
            # Made by us, and without links; Python 3.12 warns where nothing is said.
            options: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            tar.extractall(unfinished, **options)
        os.rename(unfinished, folder)
    sys.path.insert(0, folder)
