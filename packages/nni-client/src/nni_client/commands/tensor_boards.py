"""Starts, lists and stops the TensorBoards of an experiment that runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from nni_config.local_state import ManagerRecord
from nni_proto.resource_names import experiment_name, parse_trial_name, trial_name
from nni_proto.v1.experiment_service_pb2 import CreateSignInCodeRequest
from nni_proto.v1.tensor_board_pb2 import (
    CreateTensorBoardRequest,
    DeleteTensorBoardRequest,
    ListTensorBoardsRequest,
    TensorBoard,
)

from nni_client.announcement import page_address
from nni_client.commands.selection import connection_to, select
from nni_client.methods import (
    CREATE_SIGN_IN_CODE,
    CREATE_TENSOR_BOARD,
    DELETE_TENSOR_BOARD,
    LIST_TENSOR_BOARDS,
)


def start(experiment_id: str | None, trial_ids: Sequence[str]) -> None:
    """Starts a TensorBoard and prints its address.

    Args:
        experiment_id: The experiment; None for the only one that runs.
        trial_ids: The trials whose logs it shows; empty for all that have logs.

    Raises:
        RuntimeError: No such experiment runs, there are no logs yet, or TensorBoard cannot be started.
    """
    record = select(experiment_id)
    name = experiment_name(record.experiment_id)
    request = CreateTensorBoardRequest(
        parent=name, trials=[trial_name(record.experiment_id, trial_id) for trial_id in trial_ids]
    )
    connection = connection_to(record)
    board = connection.call(CREATE_TENSOR_BOARD, request).tensor_board
    link = connection.call(CREATE_SIGN_IN_CODE, CreateSignInCodeRequest(name=name)).url
    print(f"TensorBoard: {page_address(link)}{board.path}")
    print(f"A browser that is not signed in opens this first: {link}")


def show_all(experiment_id: str | None, trial_ids: Sequence[str]) -> None:
    """Prints the TensorBoards of an experiment; with trials, only those that show one of them.

    Raises:
        RuntimeError: No such experiment runs.
    """
    record = select(experiment_id)
    boards = _boards(record, trial_ids)
    if not boards:
        print("There are no TensorBoards.")
    for board in boards:
        state = board.problem.partition("\n")[0] or "runs"
        print(f"{board.path}  {_trials(board)}  {state}")


def stop_all(experiment_id: str | None, trial_ids: Sequence[str]) -> None:
    """Ends the TensorBoards of an experiment; with trials, only those that show one of them.

    Raises:
        RuntimeError: No such experiment runs.
    """
    record = select(experiment_id)
    boards = _boards(record, trial_ids)
    for board in boards:
        connection_to(record).call(DELETE_TENSOR_BOARD, DeleteTensorBoardRequest(name=board.name))
    print(f"Stopped {len(boards)} of the TensorBoards." if boards else "There are no TensorBoards.")


def _boards(record: ManagerRecord, trial_ids: Collection[str]) -> list[TensorBoard]:
    request = ListTensorBoardsRequest(parent=experiment_name(record.experiment_id))
    boards = connection_to(record).call(LIST_TENSOR_BOARDS, request).tensor_boards
    return [board for board in boards if not trial_ids or set(trial_ids) & set(_shown(board))]


def _shown(board: TensorBoard) -> list[str]:
    return [parse_trial_name(name)[1] for name in board.trials]


def _trials(board: TensorBoard) -> str:
    return ", ".join(_shown(board)) or "all trials"
