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
        print(f"ERROR: {error}", file=sys.stderr)
        sys.exit(1)
