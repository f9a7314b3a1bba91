"""Commands that mean the same whatever the user's own shell is, and whatever its start-up files print."""

from __future__ import annotations

import re
import secrets

_PLAIN = frozenset(
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-+=:;,./@#^~&|<>()[]{}*?"
)
_NOISE_KEPT = 2000


def wrapped(command: str) -> tuple[str, Beginning, Beginning]:
    """Returns what to run, and what finds the beginning of the command's stdout and of its stderr.

    The user's shell, which gets it, may be csh or fish: they read quotes, backslashes and exclamation marks
    in ways of their own, so only what every shell leaves alone inside single quotes is there. The process id
    is written first; before it may be what .bashrc printed.

    Args:
        command: A command for `/bin/sh`.
    """
    mark = secrets.token_hex(8)
    script = f"echo {mark} $$; echo {mark} $$ >&2; {command}"
    encoded = "".join(
        chr(byte) if byte in _PLAIN else f"\\{byte:03o}" for byte in script.encode("utf-8", "surrogateescape")
    )
    line = f'exec /bin/sh -c \'eval "$(printf "{encoded}")"\''
    return line, Beginning(mark), Beginning(mark)


def quoted(text: str) -> str:
    """Returns a text as one word of `/bin/sh`."""
    return "'" + text.replace("'", "'\\''") + "'"


def quoted_path(path: str) -> str:
    """Returns a path as one word of `/bin/sh`; one that starts with "~/" is in the user's home."""
    if path == "~":
        return '"$HOME"'
    if path.startswith("~/"):
        return '"$HOME"/' + quoted(path[2:])
    return quoted(path if path.startswith("/") else f"./{path}")


class Beginning:
    """Finds where a command's output begins.

    Attributes:
        process_id: The process id of the command, None until its output has begun.
    """

    def __init__(self, mark: str) -> None:
        """Looks for a mark."""
        self._mark = re.compile(mark.encode() + rb" (\d+)\n")
        self._seen = b""
        self.process_id: int | None = None

    @property
    def noise(self) -> str:
        """What came before, as far as it is kept: its end, or all if the output never began."""
        return self._seen.decode("utf-8", "replace").strip()

    def take(self, data: bytes) -> bytes:
        """Returns what of the data is the command's own."""
        if self.process_id is not None:
            return data
        self._seen += data
        found = self._mark.search(self._seen)
        if found is None:
            self._seen = self._seen[-_NOISE_KEPT:]
            return b""
        rest = self._seen[found.end() :]
        self._seen = self._seen[: found.start()][-_NOISE_KEPT:]
        self.process_id = int(found[1])
        return rest
