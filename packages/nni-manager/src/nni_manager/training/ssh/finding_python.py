"""Finds a Python interpreter on a machine, by a script for `/bin/sh`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nni_manager.training.ssh.shell import quoted, quoted_path

OLDEST = (3, 8)

_MODULES = "argparse fcntl hashlib json math select socket subprocess tarfile zlib"

# Python 2 understands it too, to tell its version.
_TELL = f"""\
import sys
missing = []
for name in "{_MODULES}".split():
    try:
        __import__(name)
    except ImportError:
        missing.append(name)
version = "%d.%d.%d" % sys.version_info[:3]
print("\\t".join(["python", version, ",".join(missing), sys.executable]))
sys.exit(sys.version_info[:2] < {OLDEST} or bool(missing))
"""

_COMMON = (
    "python3",
    "python",
    *(f"python3.{minor}" for minor in range(14, 7, -1)),
    "/usr/bin/python3",
    "/usr/local/bin/python3",
    "/opt/conda/bin/python3",
    "~/miniconda3/bin/python3",
    "~/anaconda3/bin/python3",
    "~/miniforge3/bin/python3",
)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python interpreter that was found.

    Attributes:
        path: Its path.
        version: Its version, such as "3.8.18".
        missing: What of the standard library it lacks of what is needed.
    """

    path: str
    version: str
    missing: tuple[str, ...]

    @property
    def is_old(self) -> bool:
        """Whether it is too old."""
        major, minor = self.version.split(".")[:2]
        return (int(major), int(minor)) < OLDEST


def script(python_path: str | None) -> str:
    """Returns a script that prints a line for each interpreter, up to the first that is good enough.

    Args:
        python_path: The interpreter, or the folder it is in; None for the usual places.
    """
    if python_path is None:
        places = " ".join(name if "/" not in name else quoted_path(name) for name in _COMMON)
        # A login shell may know others, by what its start-up files add to PATH.
        places += """ "$(bash -lc 'command -v python3' 2>/dev/null </dev/null | tail -n 1)" """
    else:
        base = quoted_path(python_path.rstrip("/") or "/")
        places = base + "".join(f" {base}/{name}" for name in ("python3", "python", "bin/python3"))
    return f"""
for place in {places}; do
  [ -d "$place" ] && continue
  found=$(command -v -- "$place" 2>/dev/null) || continue
  "$found" -c {quoted(_TELL)} 2>/dev/null </dev/null && break
done
"""


def interpreters(lines: Sequence[str]) -> list[Interpreter]:
    """Returns what a script printed; other lines are left out."""
    found = []
    for line in lines:
        fields = line.split("\t")
        if len(fields) == 4 and fields[0] == "python":
            found.append(Interpreter(fields[3], fields[1], tuple(filter(None, fields[2].split(",")))))
    return found


def problem(found: Sequence[Interpreter], python_path: str | None) -> str:
    """Returns why none of some interpreters will do, "" if the last one does."""
    needed = ".".join(map(str, OLDEST))
    if not found:
        where = "in the usual places" if python_path is None else f"at python_path, {python_path}"
        return f"no Python {where}; {needed} or later is needed; install it or set python_path"
    last = found[-1]
    if not last.is_old and not last.missing:
        return ""
    known = {interpreter.path: interpreter for interpreter in found}.values()
    if incomplete := [interpreter for interpreter in known if not interpreter.is_old]:
        return "; ".join(
            f"Python {each.version} ({each.path}) lacks {', '.join(each.missing)} of the standard library"
            for each in incomplete
        )
    listed = ", ".join(f"{each.version} ({each.path})" for each in known)
    return f"Python is too old: {listed}; {needed} or later is needed; install it or set python_path"
