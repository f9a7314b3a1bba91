"""Keeps the TensorBoards of a manager: starts them, finds new logs for them, ends them."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import secrets
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nni_manager.tensor_board.board import Board, TensorBoardFailedError

_LOG = logging.getLogger(__name__)
_MOST = 8
_SECONDS_BETWEEN_LOOKS = 5.0
_LIBRARIES = ("tensorboard", "httpx")

FindRuns = Callable[[], Awaitable[Mapping[str, Path]]]
"""Returns the folders with logs that there are now, by the names of the runs."""


@dataclass(frozen=True, slots=True)
class KeptBoard:
    """A TensorBoard that was started and not deleted.

    Attributes:
        board_id: Its id.
        experiment_id: The experiment whose logs it shows.
        trial_ids: The trials whose logs it shows; empty for all.
        created_at: When it was started, in seconds since 1970.
        board: Its process.
        looking: Finds new logs for it.
    """

    board_id: str
    experiment_id: str
    trial_ids: tuple[str, ...]
    created_at: float
    board: Board
    looking: asyncio.Task[None]


class TensorBoards:
    """The TensorBoards of one manager."""

    def __init__(self, folder: Path) -> None:
        """Makes a keeper that has none.

        Args:
            folder: A private folder with a short path, for sockets.
        """
        self._folder = folder
        self._lock = asyncio.Lock()
        self._kept: dict[str, KeptBoard] = {}

    async def create(self, experiment_id: str, trial_ids: tuple[str, ...], find_runs: FindRuns) -> KeptBoard:
        """Starts one and returns it once it answers; the one that shows the same already is returned again.

        Raises:
            TensorBoardFailedError: It cannot be started; the text says why and what to do.
        """
        async with self._lock:
            for kept in self.of(experiment_id):
                if set(kept.trial_ids) == set(trial_ids) and not kept.board.problem:
                    return kept
            _check_installed()
            if len(self._kept) >= _MOST:
                raise TensorBoardFailedError(f"{_MOST} TensorBoards are there already; delete one first")
            runs = await find_runs()
            if not runs:
                raise TensorBoardFailedError(
                    "there are no logs yet: no trial has a folder tensorboard in its $NNI_OUTPUT_DIR"
                )
            board_id = secrets.token_hex(4)
            board = Board(self._folder / board_id)
            await board.start(runs)
            looking = asyncio.create_task(_look(board, find_runs))
            kept = KeptBoard(board_id, experiment_id, trial_ids, time.time(), board, looking)
            self._kept[board_id] = kept
            return kept

    def of(self, experiment_id: str) -> list[KeptBoard]:
        """Returns those of an experiment, the oldest first."""
        return [kept for kept in self._kept.values() if kept.experiment_id == experiment_id]

    def find(self, board_id: str) -> KeptBoard | None:
        """Returns one by its id, None when there is none."""
        return self._kept.get(board_id)

    async def delete(self, board_id: str) -> None:
        """Ends one and forgets it; nothing happens when there is none."""
        kept = self._kept.pop(board_id, None)
        if kept is not None:
            kept.looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await kept.looking
            await kept.board.end()

    async def close(self) -> None:
        """Ends all."""
        async with self._lock:
            await asyncio.gather(*(self.delete(board_id) for board_id in list(self._kept)))


def _check_installed() -> None:
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise TensorBoardFailedError(
            f"showing logs needs {' and '.join(missing)}, not installed for {sys.executable}; "
            'install with: pip install "nni-manager[tensorboard]"'
        )


async def _look(board: Board, find_runs: FindRuns) -> None:
    while not board.problem:
        await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
        try:
            runs = await find_runs()
            await asyncio.to_thread(board.link, runs)
        except Exception as error:
            _LOG.warning("new logs for TensorBoard cannot be found: %s", error)
