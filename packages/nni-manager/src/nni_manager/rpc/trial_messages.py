"""Trials as messages."""

from __future__ import annotations

import json
from typing import Any

from nni_proto import resource_names, values
from nni_proto.v1 import trial_pb2, value_pb2

from nni_manager.engine.records import EndReason
from nni_manager.engine.statuses import TrialStatus
from nni_manager.experiments.errors import InvalidArgumentError
from nni_manager.experiments.views import TrialView
from nni_manager.rpc.times import optional_timestamp, timestamp


def trial_to_message(experiment_id: str, view: TrialView) -> trial_pb2.Trial:
    """Returns a trial as a message."""
    stored, record = view.stored, view.stored.record
    message = trial_pb2.Trial(
        name=resource_names.trial_name(experiment_id, record.trial_id),
        sequence_number=record.sequence_number,
        status=status_to_message(record.status),
        attempt=record.attempt,
        parameter_id=record.parameter_id,
        parameter_source=trial_pb2.Trial.ParameterSource.Value(
            f"PARAMETER_SOURCE_{record.parameter_source.value}"
        ),
        parameters=any_value(record.parameters),
        create_time=timestamp(record.created_at),
        start_time=optional_timestamp(record.started_at),
        end_time=optional_timestamp(record.ended_at),
        end_reason=optional_end_reason(record.end_reason),
        objective=record.objective,
        intermediate_count=stored.intermediate_count,
        output_directory=view.output_directory,
        waiting_reason=record.waiting_reason,
        revision=stored.revision,
        host=record.host,
        gpus=record.gpus,
        earlier_ends=[end_reason_to_message(reason) for reason in record.earlier_ends],
    )
    if record.has_final_result:
        message.final_result.CopyFrom(any_value(record.final_result))
    if stored.intermediate_count:
        message.latest_intermediate.CopyFrom(any_value(stored.latest_intermediate))
    return message


def optional_end_reason(reason: EndReason | None) -> trial_pb2.EndReason | None:
    """Returns who ended something, and why, as a message; None leaves a message's field unset."""
    return None if reason is None else end_reason_to_message(reason)


def end_reason_to_message(reason: EndReason) -> trial_pb2.EndReason:
    """Returns who ended something, and why, as a message."""
    return trial_pb2.EndReason(
        actor=trial_pb2.EndReason.Actor.Value(f"ACTOR_{reason.actor.value}"),
        message=reason.message,
        exit_code=reason.exit_code,
        signal=reason.signal,
        stderr_tail=reason.stderr_tail,
    )


def status_to_message(status: TrialStatus) -> trial_pb2.Trial.Status.ValueType:
    """Returns a trial's status as the protocol's."""
    return trial_pb2.Trial.Status.Value(f"STATUS_{status.value}")


def status_from_message(status: int, field: str) -> TrialStatus:
    """Returns the protocol's status of a trial as ours.

    Raises:
        InvalidArgumentError: It is unspecified or unknown.
    """
    try:
        return TrialStatus(trial_pb2.Trial.Status.Name(status).removeprefix("STATUS_"))  # type: ignore[arg-type]
    except ValueError as error:
        raise InvalidArgumentError(f"{field}: {status} is not a status of trials") from error


def any_value(value: Any) -> value_pb2.Value:
    """Returns a recorded value as a message.

    A trial may report what messages cannot hold: an integer beyond 64 bits, a list 31 levels deep. Such a
    value is shown as its JSON text, so that it hides no other.
    """
    try:
        return values.to_message(value)
    except (ValueError, TypeError):
        return values.to_message(json.dumps(value))
