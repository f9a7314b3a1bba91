"""The calls of ExperimentService about TensorBoards."""

from __future__ import annotations

import re

from nni_proto.resource_names import experiment_name, trial_name
from nni_proto.v1 import tensor_board_pb2 as pb

from nni_manager.experiments.errors import InvalidArgumentError, WrongExperimentStatusError
from nni_manager.experiments.interface import ExperimentCalls
from nni_manager.experiments.tensor_board_runs import find_runs
from nni_manager.rpc import requests
from nni_manager.rpc.times import timestamp
from nni_manager.tensor_board.board import TensorBoardFailedError
from nni_manager.tensor_board.boards import KeptBoard, TensorBoards

_NAME = re.compile(r"(experiments/[^/]+)/tensorBoards/([0-9a-f]{1,64})")


class TensorBoardServicer:
    """Answers the calls about TensorBoards; each method is one RPC."""

    def __init__(self, calls: ExperimentCalls, boards: TensorBoards) -> None:
        """Makes the servicer.

        Args:
            calls: Read the trials.
            boards: The TensorBoards of this manager.
        """
        self._calls = calls
        self._boards = boards

    async def create_tensor_board(self, request: pb.CreateTensorBoardRequest) -> pb.CreateTensorBoardResponse:
        """Starts a TensorBoard for the logs of trials."""
        experiment_id = requests.experiment_id(request.parent, "parent")
        trial_ids = tuple(_trial_id(name, experiment_id) for name in request.trials)
        reader = await self._calls.reader(experiment_id)
        try:
            kept = await self._boards.create(experiment_id, trial_ids, lambda: find_runs(reader, trial_ids))
        except TensorBoardFailedError as error:
            raise WrongExperimentStatusError(str(error)) from error
        return pb.CreateTensorBoardResponse(tensor_board=_message(kept))

    async def list_tensor_boards(self, request: pb.ListTensorBoardsRequest) -> pb.ListTensorBoardsResponse:
        """Returns the TensorBoards of an experiment."""
        experiment_id = requests.experiment_id(request.parent, "parent")
        await self._calls.reader(experiment_id)
        return pb.ListTensorBoardsResponse(tensor_boards=map(_message, self._boards.of(experiment_id)))

    async def delete_tensor_board(self, request: pb.DeleteTensorBoardRequest) -> pb.DeleteTensorBoardResponse:
        """Ends a TensorBoard, or forgets one that has ended."""
        found = _NAME.fullmatch(request.name)
        if found is None:
            text = (
                f"name: {request.name!r} is not the name of a TensorBoard: experiments/ID/tensorBoards/ID is"
            )
            raise InvalidArgumentError(text)
        experiment_id, board_id = requests.experiment_id(found[1], "name"), found[2]
        kept = self._boards.find(board_id)
        if kept is not None and kept.experiment_id == experiment_id:
            await self._boards.delete(board_id)
        return pb.DeleteTensorBoardResponse()


def _trial_id(name: str, experiment_id: str) -> str:
    owner, trial_id = requests.trial_ids(name, "trials")
    if owner != experiment_id:
        raise InvalidArgumentError(f"trials: {name!r} is not a trial of experiment {experiment_id!r}")
    return trial_id


def _message(kept: KeptBoard) -> pb.TensorBoard:
    return pb.TensorBoard(
        name=f"{experiment_name(kept.experiment_id)}/tensorBoards/{kept.board_id}",
        trials=[trial_name(kept.experiment_id, trial_id) for trial_id in kept.trial_ids],
        path=f"tensorboard/{kept.board_id}/",
        create_time=timestamp(kept.created_at),
        problem=kept.board.problem,
    )
