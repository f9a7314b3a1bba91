"""TrialRuntimeService: what a running trial calls."""

from __future__ import annotations

from nni_proto.v1 import trial_runtime_service_pb2 as pb

from nni_manager.experiments.interface import ExperimentCalls
from nni_manager.rpc import requests
from nni_manager.rpc.metric_messages import report_from_message
from nni_manager.rpc.trial_messages import any_value


class TrialRuntimeServicer:
    """Answers the calls of TrialRuntimeService; each method is one RPC."""

    def __init__(self, calls: ExperimentCalls) -> None:
        self._calls = calls

    async def get_parameters(self, request: pb.GetParametersRequest) -> pb.GetParametersResponse:
        """Returns the trial's parameters."""
        view = await self._calls.trial(*requests.trial_ids(request.trial, "trial"))
        record = view.stored.record
        return pb.GetParametersResponse(
            parameters=any_value(record.parameters),
            sequence_number=record.sequence_number,
            parameter_id=record.parameter_id,
        )

    async def report_metrics(self, request: pb.ReportMetricsRequest) -> pb.ReportMetricsResponse:
        """Stores results."""
        experiment_id, trial_id = requests.trial_ids(request.trial, "trial")
        attempt = requests.not_negative(request.attempt, "attempt")
        reports = [
            report_from_message(report, f"reports[{index}]") for index, report in enumerate(request.reports)
        ]
        stored = await self._calls.report_metrics(experiment_id, trial_id, attempt, reports)
        return pb.ReportMetricsResponse(stored_count=stored)
