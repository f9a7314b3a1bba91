"""Results as messages."""

from __future__ import annotations

import time

from nni_proto import resource_names
from nni_proto.v1 import metric_pb2

from nni_manager.engine.events import Report, time_or
from nni_manager.engine.statuses import MetricKind
from nni_manager.experiments.errors import InvalidArgumentError
from nni_manager.rpc import requests
from nni_manager.rpc.times import seconds_since_1970, timestamp
from nni_manager.rpc.trial_messages import any_value
from nni_manager.storage.interface import StoredMetric


def metric_to_message(experiment_id: str, metric: StoredMetric) -> metric_pb2.Metric:
    """Returns a stored result as a message."""
    record = metric.record
    return metric_pb2.Metric(
        trial=resource_names.trial_name(experiment_id, record.trial_id),
        kind=metric_pb2.MetricKind.Value(f"METRIC_KIND_{record.kind.value}"),
        index=record.index,
        value=any_value(record.value),
        report_time=timestamp(record.reported_at),
        attempt=record.attempt,
        late=record.late,
        revision=metric.revision,
    )


def kind_from_message(kind: int, field: str) -> MetricKind:
    """Returns the protocol's kind of a result as ours.

    Raises:
        InvalidArgumentError: It is unspecified or unknown.
    """
    try:
        return MetricKind(metric_pb2.MetricKind.Name(kind).removeprefix("METRIC_KIND_"))  # type: ignore[arg-type]
    except ValueError as error:
        raise InvalidArgumentError(f"{field}: {kind} is not a kind of results") from error


def report_from_message(message: metric_pb2.MetricReport, field: str) -> Report:
    """Returns a report; one without a time, or with an impossible one, gets the present one.

    Raises:
        InvalidArgumentError: A field of it is missing or out of range.
    """
    if not message.reporter:
        raise InvalidArgumentError(f"{field}.reporter: required")
    return Report(
        kind=kind_from_message(message.kind, f"{field}.kind"),
        reporter=message.reporter,
        number=requests.not_negative(message.number, f"{field}.number"),
        value=requests.value(message.value, f"{field}.value"),
        reported_at=_report_time(message, time.time()),
    )


def _report_time(message: metric_pb2.MetricReport, received_at: float) -> float:
    if not message.HasField("report_time"):
        return received_at
    try:
        return time_or(seconds_since_1970(message.report_time), received_at)
    except ValueError:
        return received_at
