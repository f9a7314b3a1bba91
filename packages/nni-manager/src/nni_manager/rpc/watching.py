"""The steps of a watch as messages that fit."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

from nni_proto.v1 import experiment_service_pb2 as pb

from nni_manager.experiments.views import Change
from nni_manager.rpc.experiment_messages import ExperimentMessages
from nni_manager.rpc.metric_messages import metric_to_message
from nni_manager.rpc.paging import fitting
from nni_manager.rpc.trial_messages import trial_to_message


async def responses(
    changes: AsyncIterator[Change], experiment_id: str, after_revision: int, messages: ExperimentMessages
) -> AsyncGenerator[pb.WatchExperimentResponse, None]:
    """Yields the messages of a watch.

    A step too large for one message becomes several. Only the last one carries the step's revision; the
    others carry the revision before it, so that whoever watches again after any of them misses nothing.

    Args:
        changes: The steps.
        experiment_id: The experiment.
        after_revision: The revision that the watch began after.
        messages: Makes messages of experiments.
    """
    revision = after_revision
    async with aclosing(changes) as steps:  # type: ignore[type-var]
        async for change in steps:
            parts = list(_parts(change, experiment_id))
            for part in parts[:-1]:
                part.revision = revision
                yield part
            revision = parts[-1].revision = change.revision
            if change.experiment is not None:
                experiment = messages.to_message(change.experiment, with_packages=False)
                parts[-1].experiment.CopyFrom(experiment)
            yield parts[-1]


def _parts(change: Change, experiment_id: str) -> Iterator[pb.WatchExperimentResponse]:
    trials: list[Any] = [trial_to_message(experiment_id, view) for view in change.trials]
    metrics: list[Any] = [metric_to_message(experiment_id, metric) for metric in change.metrics]
    while trials or metrics:
        some_trials, some_metrics = fitting(trials), fitting(metrics)
        del trials[: len(some_trials)], metrics[: len(some_metrics)]
        yield pb.WatchExperimentResponse(trials=some_trials, metrics=some_metrics)
    if not change.trials and not change.metrics:
        yield pb.WatchExperimentResponse()
