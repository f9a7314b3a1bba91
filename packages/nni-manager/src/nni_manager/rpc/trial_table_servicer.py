"""The calls of ExperimentService that read the trials as a table: columns and curves."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from nni_proto import resource_names
from nni_proto.v1 import trial_table_pb2 as pb

from nni_manager.engine.statuses import TrialStatus
from nni_manager.experiments.errors import InvalidArgumentError
from nni_manager.experiments.interface import ExperimentCalls
from nni_manager.experiments.trial_table.query import StepRange, TrialQuery
from nni_manager.rpc import requests, trial_messages
from nni_manager.storage.values import DEFAULT_KEY

if TYPE_CHECKING:
    from nni_manager.experiments.trial_table.curves import Curve, Curves
    from nni_manager.experiments.trial_table.reading_columns import ReadColumns
    from nni_manager.experiments.trial_table.search_space import SpaceColumn

_MOST_COLUMNS = 200
_STATUSES = {status: trial_messages.status_to_message(status) for status in TrialStatus}


class TrialTableServicer:
    """Answers the calls about columns and curves; each method is one RPC."""

    def __init__(self, calls: ExperimentCalls) -> None:
        """Makes the servicer.

        Args:
            calls: What answers.
        """
        self._calls = calls

    async def list_columns(self, request: pb.ListColumnsRequest) -> pb.ListColumnsResponse:
        """Returns what trials can be listed, filtered and sorted by."""
        reader = await self._calls.reader(requests.experiment_id(request.parent, "parent"))
        return pb.ListColumnsResponse(columns=map(_column_message, await reader.columns()))

    async def read_columns(self, request: pb.ReadColumnsRequest) -> pb.ReadColumnsResponse:
        """Returns columns of many trials at once."""
        reader = await self._calls.reader(requests.experiment_id(request.parent, "parent"))
        if len(request.columns) > _MOST_COLUMNS:
            raise InvalidArgumentError(f"columns: {len(request.columns)} are too many; allowed are 200")
        names = list(request.columns)
        limit = _limit(request.max_trials, "max_trials", 20_000, 100_000)
        found = await reader.read_columns(TrialQuery(request.filter, request.order_by), names, limit)
        return await asyncio.to_thread(_columns_message, found)  # Of very many numbers.

    async def list_curves(self, request: pb.ListCurvesRequest) -> pb.ListCurvesResponse:
        """Returns the intermediate results of many trials, thinned out."""
        experiment_id = requests.experiment_id(request.parent, "parent")
        reader = await self._calls.reader(experiment_id)
        query = TrialQuery(request.filter, request.order_by, (), _trial_ids(request, experiment_id))
        key = request.key or DEFAULT_KEY
        max_curves = _limit(request.max_curves, "max_curves", 200, 1000)
        max_points = _limit(request.max_points, "max_points", 200, 10_000)
        step_range = _step_range(request.step_range) if request.HasField("step_range") else None

        found = await reader.curves(query, key, max_curves, max_points, step_range)
        return await asyncio.to_thread(_curves_message, found, experiment_id)


def _columns_message(found: ReadColumns) -> pb.ReadColumnsResponse:
    return pb.ReadColumnsResponse(
        trial_ids=found.trial_ids,
        sequence_numbers=found.sequence_numbers,
        statuses=map(_STATUSES.__getitem__, found.statuses),
        columns=[
            pb.ReadColumnsResponse.ColumnValues(
                name=column.name,
                numbers=column.numbers,
                texts=column.texts,
                text_indexes=column.text_indexes,
            )
            for column in found.columns
        ],
        total_size=found.total_size,
        revision=found.revision,
    )


def _column_message(column: SpaceColumn) -> pb.Column:
    return pb.Column(
        name=column.key.name,
        source=pb.Column.Source.Value(f"SOURCE_{column.key.source.value}"),
        kind=pb.Column.Kind.Value(f"KIND_{column.kind.value}"),
        logarithmic=column.logarithmic,
        low=column.low,
        high=column.high,
        options=[trial_messages.any_value(option) for option in column.options],
    )


def _curves_message(found: Curves, experiment_id: str) -> pb.ListCurvesResponse:
    return pb.ListCurvesResponse(
        curves=[_curve_message(curve, experiment_id) for curve in found.curves],
        total_size=found.total_size,
        keys=found.keys,
        revision=found.revision,
    )


def _curve_message(curve: Curve, experiment_id: str) -> pb.Curve:
    return pb.Curve(
        trial=resource_names.trial_name(experiment_id, curve.trial_id),
        sequence_number=curve.number,
        status=trial_messages.status_to_message(curve.status),
        indexes=curve.indexes,
        values=curve.values,
        point_count=curve.point_count,
    )


def _trial_ids(request: pb.ListCurvesRequest, experiment_id: str) -> list[str] | None:
    ids = []
    for place, name in enumerate(request.trials):
        owner, trial_id = requests.trial_ids(name, f"trials[{place}]")
        if owner != experiment_id:
            raise InvalidArgumentError(f"trials[{place}]: {name!r} is no trial of {request.parent}")
        ids.append(trial_id)
    return ids or None


def _step_range(message: pb.ListCurvesRequest.StepRange) -> StepRange:
    return StepRange(
        requests.not_negative(message.index, "step_range.index"),
        message.low if message.HasField("low") else -math.inf,
        message.high if message.HasField("high") else math.inf,
    )


def _limit(requested: int, field: str, default: int, highest: int) -> int:
    return min(requests.not_negative(requested, field) or default, highest)
