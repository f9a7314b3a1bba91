"""The calls of TrialRuntimeService that a job makes in which trials run."""

from __future__ import annotations

from nni_proto.v1 import trial_runtime_service_pb2 as pb

from nni_manager.experiments.errors import InvalidArgumentError
from nni_manager.experiments.job_calls import LONGEST_WAIT_SECONDS, JobCalls
from nni_manager.rpc import requests


class JobServicer:
    """Answers jobs; each method is one RPC."""

    def __init__(self, jobs: JobCalls) -> None:
        self._jobs = jobs

    async def append_job_events(self, request: pb.AppendJobEventsRequest) -> pb.AppendJobEventsResponse:
        """Takes what a job says."""
        experiment_id, job = requests.job_ids(request.job, "job")
        position = requests.not_negative(request.position, "position")
        known = self._jobs.append_job_events(experiment_id, job, position, request.data)
        return pb.AppendJobEventsResponse(position=known)

    async def read_job_orders(self, request: pb.ReadJobOrdersRequest) -> pb.ReadJobOrdersResponse:
        """Returns what a job is told, as soon as there is something."""
        experiment_id, job = requests.job_ids(request.job, "job")
        position = requests.not_negative(request.position, "position")
        if not 0 <= request.wait_seconds <= LONGEST_WAIT_SECONDS:
            raise InvalidArgumentError(
                f"wait_seconds: {request.wait_seconds} is not from 0 to {LONGEST_WAIT_SECONDS:g}"
            )
        data = await self._jobs.read_job_orders(experiment_id, job, position, request.wait_seconds)
        return pb.ReadJobOrdersResponse(data=data, position=position + len(data))
