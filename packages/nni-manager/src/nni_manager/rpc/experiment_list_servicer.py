"""The calls of ExperimentService about all experiments of the folder."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from nni_config.experiment_summary import SUMMARY_NAME, ExperimentSummary
from nni_proto import resource_names
from nni_proto.v1 import experiment_pb2
from nni_proto.v1 import experiment_summary_pb2 as pb

from nni_manager.engine.statuses import TrialStatus
from nni_manager.experiments.interface import FolderCalls
from nni_manager.experiments.listing import ListedExperiment
from nni_manager.rpc import paging, requests
from nni_manager.rpc.times import optional_timestamp, timestamp
from nni_manager.rpc.trial_messages import status_to_message


class ExperimentListServicer:
    """Answers the calls; each method is one RPC."""

    def __init__(self, calls: FolderCalls) -> None:
        """Makes the servicer.

        Args:
            calls: Knows the folder.
        """
        self._calls = calls

    async def list_experiments(self, request: pb.ListExperimentsRequest) -> pb.ListExperimentsResponse:
        """Returns a page of the experiments, the newest first."""
        size = paging.page_size(request.page_size, 1000, 10_000)
        start = paging.page_position(request.page_token, "experiments", start=0)
        found = await self._calls.listed()
        page = paging.fitting(_to_message(experiment) for experiment in found[start : start + size])
        end = start + len(page)
        token = paging.page_token("experiments", end) if end < len(found) else ""
        return pb.ListExperimentsResponse(experiments=page, next_page_token=token)

    async def watch_experiments(
        self, request: pb.WatchExperimentsRequest
    ) -> AsyncGenerator[pb.WatchExperimentsResponse, None]:
        """Yields what changes in the list."""
        changes = self._calls.watch_list(request.after_revision)
        async with aclosing(changes) as steps:  # type: ignore[type-var]
            async for change in steps:
                left = [_to_message(experiment) for experiment in change.experiments]
                answer = pb.WatchExperimentsResponse(
                    removed=map(_name, change.removed), whole=change.is_whole
                )
                while True:
                    answer.experiments.extend(page := paging.fitting(left))
                    del left[: len(page)]
                    if not left:
                        break
                    yield answer
                    answer = pb.WatchExperimentsResponse(whole=change.is_whole)
                answer.revision = change.revision
                yield answer

    async def delete_experiment(self, request: pb.DeleteExperimentRequest) -> pb.DeleteExperimentResponse:
        """Removes an experiment that no manager runs."""
        await self._calls.delete(requests.experiment_id(request.name, "name"))
        return pb.DeleteExperimentResponse()


_name = resource_names.experiment_name


def _to_message(experiment: ListedExperiment) -> pb.ExperimentSummary:
    folder = experiment.folder
    message = pb.ExperimentSummary(
        name=_name(folder.experiment_id),
        running=folder.is_running,
        directory=str(folder.path),
        size=experiment.size,
        problem=experiment.problem,
        own=experiment.own,
    )
    if experiment.summary is not None:
        try:
            message.MergeFrom(_summary(experiment.summary, folder.is_interrupted))
        except (ValueError, OverflowError) as error:  # a status of a newer version, a time beyond all years
            message.problem = f"{folder.path / SUMMARY_NAME} cannot be understood: {error}"
    return message


def _summary(summary: ExperimentSummary, is_interrupted: bool) -> pb.ExperimentSummary:
    status = "STOPPED" if is_interrupted else summary.status
    return pb.ExperimentSummary(
        title=summary.name,
        status=experiment_pb2.Experiment.Status.Value(f"STATUS_{status}"),
        platforms=[platform for platform in summary.platform.split(",") if platform],
        algorithm=summary.algorithm,
        optimize_mode=summary.optimize_mode,
        create_time=timestamp(summary.created_at),
        start_time=optional_timestamp(summary.started_at),
        end_time=optional_timestamp(summary.ended_at),
        trial_counts=[
            experiment_pb2.TrialCount(status=status_to_message(TrialStatus(name)), count=count)
            for name, count in summary.trial_counts.items()
        ],
        best_objective=summary.best_objective,
    )
