"""A search whose trials write down themselves what they do, to be compared with what its manager stored."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nni_config import ExperimentConfig
from nni_proto import values
from nni_proto.v1 import metric_pb2

from nni_manager.testing.manager_process import ManagerStarter, StartedManager, manager_starter

EXPERIMENT_ID = "mine"
"""The id of the search."""

RESUME = ("--resume", f"--experiment-id={EXPERIMENT_ID}")
"""What the command line of a manager has that goes on with it."""

NOTES = """\
import os, signal, sys, time
from pathlib import Path
import nni
notes = Path(__file__).parent
stopping = []
signal.signal(signal.SIGINT, lambda *_: stopping.append(True))
def note(name, *words):
    with open(notes / name, "a") as file:
        file.write(" ".join(map(str, words)) + "\\n")
def begin():
    parameters = nni.get_next_parameter()
    if parameters is not None:
        note("started", nni.get_trial_id(), os.environ["NNI_TRIAL_ATTEMPT"], os.getpid())
    return parameters
def report(kind, value):
    note("reported", nni.get_trial_id(), kind, repr(value))
    getattr(nni, f"report_{kind}_result")(value)
"""
"""The beginning of a trial's script: it notes every start and every result before it is reported."""


class NotedSearch:
    """A search on this machine, run by one manager after the other.

    Attributes:
        starter: Starts its managers.
        folder: Where the code of its trials and their notes are.
        config: Its configuration.
    """

    def __init__(self, starter: ManagerStarter, folder: Path, script: str) -> None:
        """Writes the script of its trials, to which NOTES is added."""
        self.starter = starter
        self.folder = folder
        folder.mkdir()
        (folder / "trial.py").write_text(NOTES + script)
        self.config = ExperimentConfig(
            "local",
            search_space={"x": {"_type": "uniform", "_value": [0, 1]}},
            trial_command="python3 trial.py",
            trial_code_directory=folder,
            trial_concurrency=2,
            trial_stop_grace_period="1s",
        )
        self.config.tuner.name = "Random"

    def start(self, **environment: str) -> StartedManager:
        """Starts the first manager, without the experiment."""
        return self.starter.start(f"--experiment-id={EXPERIMENT_ID}", **environment)

    def run(self) -> StartedManager:
        """Starts the first manager and the experiment."""
        manager = self.start()
        manager.create_and_start(self.config.canonical_copy())
        return manager

    def reopen(self, **environment: str) -> StartedManager:
        """Starts the next manager, which does not go on yet."""
        return self.starter.start(*RESUME, **environment)

    def resume(self, config: ExperimentConfig | None = None) -> StartedManager:
        """Starts the next manager, which goes on."""
        manager = self.reopen()
        manager.resume(None if config is None else config.canonical_copy())
        return manager

    def notes(self, name: str) -> list[list[str]]:
        """Returns the notes of a name, in words."""
        path = self.folder / name
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def until_started(self, count: int) -> None:
        """Waits until so many trials have started."""
        until(lambda: len(self.notes("started")) >= count)

    def until_reported(self, kind: str, count: int) -> None:
        """Waits until the trials have reported so many results of a kind."""
        until(lambda: sum(line[1] == kind for line in self.notes("reported")) >= count)

    def check(self, manager: StartedManager, trial_count: int) -> None:
        """Fails unless every trial ran once, and everything that the trials reported is stored once."""
        trials = {trial.name.rpartition("/")[2]: trial for trial in manager.trials()}
        started = Counter((trial_id, attempt) for trial_id, attempt, _ in self.notes("started"))
        assert started == Counter({(trial_id, "0"): 1 for trial_id in trials}), (started, list(trials))
        assert sorted(trial.sequence_number for trial in trials.values()) == list(range(trial_count))
        self.check_results(manager)

    def check_results(self, manager: StartedManager) -> None:
        """Fails unless everything that the trials reported is stored once."""
        stored: Counter[tuple[str, ...]] = Counter()
        for metric in manager.metrics():
            kind = metric_pb2.MetricKind.Name(metric.kind).removeprefix("METRIC_KIND_").lower()
            value = repr(values.from_message(metric.value))
            stored[metric.trial.rpartition("/")[2], kind, value] += 1
        reported = Counter(tuple(line) for line in self.notes("reported"))
        assert stored == reported, (stored - reported, reported - stored)

    def processes(self) -> dict[int, str]:
        """Returns what runs of it, managers included, with the command lines."""
        mark = f"NNI_RUNTIME_DIR={self.starter.environment['NNI_RUNTIME_DIR']}".encode()
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (path / "environ").read_bytes().split(b"\0"):
                    command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found[int(path.name)] = command
        return found


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Waits until something is so, and fails if it does not come to be."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.02)


@contextmanager
def noted_search(folder: Path, script: str) -> Iterator[NotedSearch]:
    """Yields a search, and ends what is left of it.

    Args:
        folder: Where its experiments and its code go.
        script: The script of its trials behind NOTES.
    """
    with manager_starter(folder) as starter:
        search = NotedSearch(starter, folder / "code", script)
        try:
            yield search
        finally:
            for pid in search.processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
