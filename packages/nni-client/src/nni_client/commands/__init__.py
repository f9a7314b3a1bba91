"""The nnictl command."""

from __future__ import annotations

import io
import os
import sys

INTERRUPTED = 130
"""The exit code after Ctrl-C."""


def main() -> None:
    """Runs nnictl; a mistake of the user's ends as one line on stderr and exit code 1."""
    for stream in (sys.stdout, sys.stderr):
        # Names and parameters may have letters that the terminal's encoding lacks.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(_flushed(_run()))


def _run() -> int:
    from nni_client.commands.app import app
    from nni_client.foreign import refuse_foreign_nni

    try:
        if sys.argv[1:2] != ["doctor"]:  # which tells it among all else that is wrong
            refuse_foreign_nni()
        app(prog_name="nnictl")
    except SystemExit as end:
        return _exit_code(end)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return 1
    except (RuntimeError, ValueError, OSError) as error:
        print(f"ERROR: {_in_words(error)}", file=sys.stderr)
        return 1
    return 0


def _exit_code(end: SystemExit) -> int:
    if isinstance(end.code, str):
        print(end.code, file=sys.stderr)
        return 1
    return end.code or 0


def _flushed(exit_code: int) -> int:
    """Writes what is not written yet; a reader that has gone, such as `head`, is told nothing."""
    if sys.stdout is None:
        return exit_code
    try:
        sys.stdout.flush()
        return exit_code
    except BrokenPipeError:
        pass
    except OSError as error:
        print(f"ERROR: {_in_words(error)}", file=sys.stderr)
    # Else the interpreter tries once more at its end, and complains.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return exit_code or 1


def _in_words(error: Exception) -> str:
    """Returns what went wrong; of a file first its name, as every other message about a file has it."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)
