"""`python -m nni_manager.testing.fake_manager`: a manager process whose application service is a fake."""

from __future__ import annotations

import sys

from nni_manager.server.manager import run
from nni_manager.server.problems import StartProblem
from nni_manager.server.ready_pipe import ReadyPipe, pipe_in_arguments
from nni_manager.testing.fake_experiments import FakeExperiments


def main() -> int:
    """Runs the manager with one trial, "trial", and returns its exit code."""
    pipe = ReadyPipe(pipe_in_arguments(sys.argv[1:]))
    try:
        return run(sys.argv[1:], pipe, lambda _surroundings: FakeExperiments())
    except StartProblem as problem:
        pipe.failed(str(problem))
        return 1


if __name__ == "__main__":
    sys.exit(main())
