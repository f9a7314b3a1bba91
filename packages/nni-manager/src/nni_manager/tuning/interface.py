"""What the manager expects of an algorithm that runs somewhere else.

Rules:

1. Calls are dealt with one at a time in the order told. For each, the answers are emitted first and
   TunerProcessed with the call's number last. (An assessor emits TrialJudgedBad and no TunerProcessed.)
2. Under each id that was asked for, ParametersProposed or ParametersRefused is emitted before the call is
   processed; under a refused id parameters may still be proposed later, whenever the algorithm likes. An
   advisor may also leave ids without an answer until later, and answers those that were asked for first
   before others. It emits TrialJudgedBad, too.
3. An exception of the algorithm is emitted once as AlgorithmFailed, the death of its process (a signal, an
   exit) as AlgorithmDied, and nothing follows. A slow algorithm is not a dead one.
4. `emit` is called in the event loop's thread and returns at once.
5. An algorithm can be made anew out of the history of its experiment; a rebuilt instance is always a new one.
   While it is rebuilt nothing is emitted. Afterwards it goes on as the one before would have: the calls of
   the history that are still open are told again, under the same numbers and ids. Those before them count as
   dealt with: TunerProcessed is emitted for the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from nni_manager.engine.effects import AssessorCall, TunerCall
from nni_manager.engine.events import (
    AlgorithmFailed,
    ParametersProposed,
    ParametersRefused,
    TrialJudgedBad,
    TunerProcessed,
)


@dataclass(frozen=True, slots=True)
class AlgorithmDied:
    """The process of the tuner or the assessor ended by itself. The engine is not told this.

    Attributes:
        algorithm: "tuner" or "assessor".
        cause: "signal 9" or "exit code 3".
        message: How it ended, in a sentence.
        last_lines: What its log ends with.
        has_worked: Whether it dealt with a call after it was made.
        at: When.
    """

    algorithm: str
    cause: str
    message: str
    last_lines: str
    has_worked: bool
    at: float


AlgorithmEvent = (
    ParametersProposed | ParametersRefused | TunerProcessed | AlgorithmFailed | AlgorithmDied | TrialJudgedBad
)
Emit = Callable[[AlgorithmEvent], None]


@dataclass(frozen=True, slots=True)
class AlgorithmSettings:
    """Which algorithm to make, and with what.

    Attributes:
        kind: "tuner" or "assessor".
        name: The name of a built-in or registered algorithm, None for a custom one.
        class_name: The class of a custom one, "module.Class".
        code_directory: The folder that class_name is imported from.
        class_args: Arguments for its constructor.
        search_space: The search space.
        optimize_mode: "maximize" or "minimize".
        log_directory: Its working directory, which also gets dispatcher.log.
        checkpoint_directory: Where it may keep files.
        environment: What is added to its environment.
        log_level: The level of its log: "debug", "info", "warning", "error" or "critical".
        instance_file: The file of a pickled instance, which is the algorithm then.
        endpoint: The "host:port" at which another process serves it, None for a process of ours.
        token: What is shown to the process at the endpoint.
        ca_file: The certificates (PEM) that verify that process, None for a connection without TLS.
    """

    kind: str
    name: str | None
    class_name: str | None
    code_directory: str | None
    class_args: dict[str, Any] | None
    search_space: Any
    optimize_mode: str
    log_directory: Path
    checkpoint_directory: Path
    environment: dict[str, str] = field(default_factory=dict)
    log_level: str = "info"
    instance_file: Path | None = None
    endpoint: str | None = None
    token: str | None = field(default=None, repr=False)
    ca_file: Path | None = None


HistoryEntry = TunerCall | AssessorCall | ParametersProposed | ParametersRefused
"""Something that an algorithm was told or answered before it is made anew."""


@dataclass(frozen=True, slots=True)
class History:
    """What happened between an experiment and its tuner, or its assessor, in the order recorded.

    Attributes:
        entries: What the algorithm was told and what it answered, up to the first call that is still open.
            A request is followed by its answers; one whose ids were all withdrawn has none. They may be
            iterated over again, in any thread, and may be read from the record meanwhile.
        open_calls: The calls from the first request on that was not answered wholly. They are told again,
            the requests with the ids that are still open.
        last_number: The number of the last call in both, 0 when there is none or they have no numbers.
        first_search_space: The search space that the entries begin with, None for that of the settings.
            Changes are entries; one with the number 0 has to be taken for the algorithm to start at all.
    """

    entries: Iterable[HistoryEntry] = ()
    open_calls: tuple[TunerCall | AssessorCall, ...] = ()
    last_number: int = 0
    first_search_space: Any = None

    @property
    def last_closed_number(self) -> int:
        """The number of the last call before the open ones, 0 when there is none."""
        numbers = [getattr(call, "number", 0) for call in self.open_calls]
        return min([self.last_number, *(number - 1 for number in numbers if number)])


NO_HISTORY = History()
"""That of an algorithm that is made for the first time."""


class RebuildWay(str, Enum):
    """How an algorithm took its history.

    TOLD: a built-in one took note of what happened. REPLAYED: everything was done again, and the answers were
    the same. IMPORTED: they were not, so that a fresh instance was given all results by `import_data`.
    """

    TOLD = "told"
    REPLAYED = "replayed"
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How an algorithm was made anew.

    Attributes:
        way: How it took its history.
        difference: Where a replay differed from what was recorded, "" when none did.
    """

    way: RebuildWay
    difference: str = ""


class AlgorithmError(Exception):
    """The algorithm cannot be made or changed; the text says why (class not found, arguments refused, ...).

    Attributes:
        message: The first line of why.
        traceback: The traceback, or the last lines of the algorithm's log.
    """

    def __init__(self, text: str, message: str = "", traceback: str = "") -> None:
        super().__init__(text)
        self.message = message or text
        self.traceback = traceback


class AlgorithmDeathError(AlgorithmError):
    """The algorithm's process ended by itself before it had done what was asked.

    Attributes:
        cause: "signal 9" or "exit code 3".
    """

    def __init__(self, text: str, message: str, traceback: str, cause: str) -> None:
        super().__init__(text, message, traceback)
        self.cause = cause


class Algorithm(Protocol):
    """A tuner or an assessor."""

    @property
    def hears_intermediate_results(self) -> bool:
        """Whether it is a tuner that is to be told intermediate results; known once `start` has returned."""

    async def start(self, history: History = NO_HISTORY) -> Rebuilt | None:
        """Makes the algorithm, gives it the search space, and lets it get to where its history ends.

        The open calls of the history are told again.

        Args:
            history: What happened before. It is passed on as fast as the algorithm takes it.

        Returns:
            How it took the history, None when there was none.

        Raises:
            AlgorithmError: It cannot be made.
            AlgorithmDeathError: Its process died meanwhile.
        """

    def tell(self, call: TunerCall | AssessorCall) -> None:
        """Tells the algorithm something soon."""

    async def change_search_space(self, number: int, search_space: Any) -> None:
        """Changes the search space, and returns once the algorithm has taken it.

        A change that was told under this number before, in the history or as an open call, is not told again.

        Raises:
            AlgorithmError: The algorithm cannot; it goes on with the old one.
            AlgorithmDeathError: Its process died meanwhile.
        """

    async def close(self, grace_seconds: float = 5.0) -> None:
        """Ends the algorithm: asks, waits, kills. Emits nothing any more."""
