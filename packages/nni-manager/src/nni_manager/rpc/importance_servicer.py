"""GetParameterImportance of ExperimentService."""

from __future__ import annotations

from nni_proto.v1 import trial_table_pb2 as pb

from nni_manager.experiments.importance import ImportanceMeter, importance_question
from nni_manager.experiments.interface import ExperimentCalls
from nni_manager.rpc import requests


class ImportanceServicer:
    """Answers GetParameterImportance."""

    def __init__(self, calls: ExperimentCalls) -> None:
        """Makes the servicer.

        Args:
            calls: What answers.
        """
        self._calls = calls
        self._meter = ImportanceMeter()

    async def get_parameter_importance(
        self, request: pb.GetParameterImportanceRequest
    ) -> pb.GetParameterImportanceResponse:
        """Returns how much each parameter matters for a result."""
        reader = await self._calls.reader(requests.experiment_id(request.parent, "parent"))
        asked = await reader.ask(
            lambda storage: importance_question(reader.table_of(storage), request.metric, request.filter)
        )
        measured = await self._meter.answer(asked)
        return pb.GetParameterImportanceResponse(
            importances=[
                pb.GetParameterImportanceResponse.ParameterImportance(
                    parameter=each.parameter,
                    importance=each.importance,
                    standard_deviation=each.standard_deviation,
                    rank_correlation=each.rank_correlation,
                )
                for each in measured.importances
            ],
            method=(
                "permutation importance of a random forest of ranks, which explains "
                f"{measured.explained:.0%} of the variance of trials that it has not seen"
            ),
            trial_count=asked.trial_count,
            revision=asked.revision,
        )
