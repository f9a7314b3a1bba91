"""What the manager expects of an algorithm that runs somewhere else.

Rules:

1. Calls are dealt with one at a time in the order told. For each, the answers are emitted first and
   TunerProcessed with the call's number last. (An assessor emits TrialJudgedBad and no TunerProcessed.)
2. Under each id that was asked for, ParametersProposed or ParametersRefused is emitted before the call is
   processed; under a refused id parameters may still be proposed later, whenever the algorithm likes.
3. An exception of the algorithm, or the death of its process, is emitted once as AlgorithmFailed, and
   nothing follows. A slow algorithm is not a dead one.
4. `emit` is called in the event loop's thread and returns at once.
5. An algorithm can be made anew out of the history of its experiment; a rebuilt instance is always a new one.
   While it is rebuilt nothing is emitted. Afterwards it goes on as the one before would have: what it was
   asked for and has not answered is asked again by `tell`, under the same ids.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
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

AlgorithmEvent = ParametersProposed | ParametersRefused | TunerProcessed | AlgorithmFailed | TrialJudgedBad
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


HistoryEntry = TunerCall | AssessorCall | ParametersProposed | ParametersRefused
"""Something that an algorithm was told or answered before it is made anew."""


@dataclass(frozen=True, slots=True)
class History:
    """What happened between an experiment and its tuner, or its assessor, in the order recorded.

    Attributes:
        entries: What the algorithm was told and what it answered, up to the first call that is still open.
            A request is followed by its answers; one whose ids were all withdrawn has none.
        open_calls: The calls from the first request on that was not answered wholly. They are told again,
            the requests with the ids that are still open.
        last_number: The number of the last call in both, 0 when there is none.
    """

    entries: tuple[HistoryEntry, ...] = ()
    open_calls: tuple[TunerCall | AssessorCall, ...] = ()
    last_number: int = 0


class AlgorithmError(Exception):
    """The algorithm cannot be made; the text says why (class not found, arguments refused, ...)."""


class Algorithm(Protocol):
    """A tuner or an assessor."""

    async def start(self) -> None:
        """Makes the algorithm and gives it the search space.

        Raises:
            AlgorithmError: It cannot be made.
        """

    def tell(self, call: TunerCall | AssessorCall) -> None:
        """Tells the algorithm something soon."""

    async def change_search_space(self, number: int, search_space: Any) -> None:
        """Changes the search space, and returns once the algorithm has taken it.

        Raises:
            AlgorithmError: The algorithm cannot; it goes on with the old one.
        """

    async def close(self, grace_seconds: float = 5.0) -> None:
        """Ends the algorithm: asks, waits, kills. Emits nothing any more."""
