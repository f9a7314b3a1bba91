"""`python -m nni_manager`: runs one experiment.

What is imported up here needs the standard library only, so that a failure to import anything else reaches
whoever waits at the ready pipe.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

from nni_manager.server.problems import StartProblem
from nni_manager.server.ready_pipe import ReadyPipe, pipe_in_arguments


def main(words: Sequence[str]) -> int:
    """Runs the manager and returns its exit code: 0 after a clean stop, 1 after a failure."""
    pipe = ReadyPipe(pipe_in_arguments(words))
    try:
        from nni_manager.server.manager import run

        return run(words, pipe)
    except StartProblem as problem:
        print(problem, file=sys.stderr)
        pipe.failed(str(problem))
    except BaseException as error:
        traceback.print_exc()
        pipe.failed(f"the manager failed to start: {type(error).__name__}: {error}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
