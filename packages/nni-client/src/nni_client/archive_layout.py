"""What is in the archive of an experiment, a zip file.

`nni_archive.json` says what it is. `experiment/` has the experiment's folder, and `code/` the trials' code
if that was saved. What belongs to one machine or is secret is not in it.
"""

from __future__ import annotations

import json
import posixpath
import struct
from dataclasses import asdict, dataclass
from typing import Any

from nni_config.experiment_ids import EXPERIMENT_ID_PATTERN

MANIFEST = "nni_archive.json"
"""The entry that says what the archive is."""

EXPERIMENT = "experiment"
"""The folder with the experiment's folder."""

CODE = "code"
"""The folder with the trials' code."""

RECORD = "db/experiment.sqlite"
"""The record, within the experiment's folder; the only file of its folder."""

NEVER_SAVED = frozenset({"secret", "manager.json", "manager-ca.pem", "sdk"})
"""What lies in the experiment's folder and is of one machine, or secret."""

MANIFEST_BYTES = 64 * 1024
"""The most that a manifest may have."""

_FORMAT = 1
_TIME_FIELD = 0x4E4E


class ArchiveError(RuntimeError):
    """An archive cannot be written or loaded; the text says why."""


@dataclass(frozen=True)
class Manifest:
    """What an archive says of itself.

    Attributes:
        experiment_id: The experiment.
        has_code: Whether the trials' code is in it.
        was_running: Whether a manager ran the experiment when it was saved.
        saved_at: When it was saved, in seconds since 1970.
        version: The version of the program that saved it.
    """

    experiment_id: str
    has_code: bool
    was_running: bool
    saved_at: float
    version: str

    def to_json(self) -> str:
        """Returns the text of the entry."""
        return json.dumps({"format": _FORMAT, **asdict(self)}, indent=1) + "\n"


_TYPES: dict[str, type | tuple[type, ...]] = {
    "experiment_id": str,
    "has_code": bool,
    "was_running": bool,
    "saved_at": (int, float),
    "version": str,
}


def parse_manifest(text: bytes) -> Manifest:
    """Returns the manifest of a text.

    Raises:
        ArchiveError: It is none, or of a newer program.
    """
    values: Any
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict) or not isinstance(values.get("format"), int):
        raise ArchiveError(f"its {MANIFEST} is malformed")
    if values["format"] > _FORMAT:
        raise ArchiveError(
            f"it was saved by a newer program, version {values.get('version')}; load it with that"
        )
    known: dict[str, Any] = {name: values.get(name) for name in _TYPES}
    if not all(isinstance(known[name], kind) for name, kind in _TYPES.items()):
        raise ArchiveError(f"its {MANIFEST} is malformed")
    manifest = Manifest(**known)
    if not EXPERIMENT_ID_PATTERN.fullmatch(manifest.experiment_id):
        raise ArchiveError(f"its {MANIFEST} names the experiment {manifest.experiment_id!r}, which is no id")
    return manifest


def time_field(modified: int) -> bytes:
    """Returns what keeps the time of a file's last change in its entry: zip's own times are of two seconds.

    Args:
        modified: The time, in nanoseconds since 1970.
    """
    return struct.pack("<HHq", _TIME_FIELD, 8, modified)


def time_in(extra: bytes) -> int | None:
    """Returns the time of a file's last change, in nanoseconds since 1970, None when its entry has none.

    Args:
        extra: The additional fields of its entry.
    """
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        if kind == _TIME_FIELD and size == 8 and len(extra) >= 12:
            return int(struct.unpack("<q", extra[4:12])[0])
        extra = extra[4 + size :]
    return None


def stays_inside(link: str, target: str) -> bool:
    """Returns whether a link in a folder points into that folder, whatever other links there are in it.

    Args:
        link: The link's path within the folder. No part of it is a link but the last.
        target: What it points to.
    """
    if not target or target.startswith("/") or "\\" in target or "\0" in target:
        return False
    parts = [part for part in target.split("/") if part not in ("", ".")]
    ups = next((index for index, part in enumerate(parts) if part != ".."), len(parts))
    # Behind the name of a folder, which may be a link to anywhere within, ".." could lead out.
    depth = len(posixpath.dirname(link).split("/")) if "/" in link else 0
    return ".." not in parts[ups:] and ups <= depth
