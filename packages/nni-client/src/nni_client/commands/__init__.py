"""The nnictl command."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs nnictl; a mistake of the user's ends as one line on stderr and exit code 1."""
    from nni_client.commands.app import app
    from nni_client.foreign import refuse_foreign_nni

    try:
        refuse_foreign_nni()
        app(prog_name="nnictl")
    except KeyboardInterrupt:
        sys.exit(130)
    except (RuntimeError, ValueError, OSError) as error:
        print(f"ERROR: {_in_words(error)}", file=sys.stderr)
        sys.exit(1)


def _in_words(error: Exception) -> str:
    """Returns what went wrong; of a file first its name, as every other message about a file has it."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)
