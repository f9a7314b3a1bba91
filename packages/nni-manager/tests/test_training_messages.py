"""The manager's half of courier.proto in JSON form is protobuf's JSON form."""

import json
import time
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from nni_manager.engine.events import Report, TrialEnded, TrialReported, TrialStarted, TrialWaits
from nni_manager.engine.statuses import MetricKind
from nni_manager.training import courier_messages as messages
from nni_manager.training.interface import TrialRun
from nni_proto import values
from nni_proto.v1 import courier_pb2, metric_pb2

text = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | text,
    lambda inner: st.lists(inner) | st.dictionaries(text, inner),
    max_leaves=20,
)


def command(line: bytes) -> courier_pb2.CourierCommand:
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    return json_format.Parse(line, courier_pb2.CourierCommand())


def sent(event: courier_pb2.CourierEvent) -> tuple[str, dict[str, Any]]:
    return messages.parse_event(json_format.MessageToJson(event, indent=None).encode())


@given(json_values)
def test_values_are_those_of_the_protocol(value: Any) -> None:
    message = json_format.ParseDict(messages.value_to_json(value), values.to_message(None))
    assert json.dumps(values.from_message(message)) == json.dumps(value)
    back = messages.value_from_json(json_format.MessageToDict(values.to_message(value)))
    assert json.dumps(back) == json.dumps(value)


@given(
    json_values,
    text,
    st.integers(0, 2**31 - 1),
    st.none() | st.integers(0, 2**63 - 1),
    st.sets(st.sampled_from(MetricKind)),
)
def test_launch(
    parameters: Any, content: str, number: int, parameter_id: int | None, kinds: set[MetricKind]
) -> None:
    run = TrialRun("abcde", number, number, parameter_id, parameters, {"B": content})
    launch = command(messages.launch(run, content, content, {"A": "a", "B": "b"}, kinds)).launch
    assert (launch.trial_id, launch.attempt, launch.sequence_number) == ("abcde", number, number)
    assert (launch.command, launch.working_directory) == (content, content)
    assert {variable.name: variable.value for variable in launch.environment} == {"A": "a", "B": content}
    assert json.dumps(values.from_message(launch.parameters)) == json.dumps(parameters)
    assert (launch.parameter_id if launch.HasField("parameter_id") else None) == parameter_id
    assert {metric_pb2.MetricKind.Name(kind) for kind in launch.numeric_kinds} == {
        f"METRIC_KIND_{kind.value}" for kind in kinds
    }


def test_other_commands() -> None:
    adopt = command(messages.adopt("abcde", 1, 2**40)).adopt
    assert (adopt.trial_id, adopt.attempt, adopt.acknowledged_offset) == ("abcde", 1, 2**40)
    cancel = command(messages.cancel("abcde", 1, 2, 2.5)).cancel
    assert (cancel.trial_id, cancel.attempt, cancel.signal, cancel.grace_seconds) == ("abcde", 1, 2, 2.5)
    acknowledge = command(messages.acknowledge("abcde", 1, 2**40)).acknowledge
    assert (acknowledge.trial_id, acknowledge.attempt, acknowledge.offset) == ("abcde", 1, 2**40)
    assert command(messages.shut_down()).WhichOneof("command") == "shut_down"
    assert command(messages.release()).WhichOneof("command") == "release"


@pytest.mark.parametrize("attempt", [0, 3])
def test_started(attempt: int) -> None:
    event = courier_pb2.CourierEvent()
    event.started.trial_id, event.started.attempt = "abcde", attempt
    event.started.start_time.FromMicroseconds(1_700_000_000_250_000)
    name, content = sent(event)
    assert name == "started"
    assert messages.started_event(content) == TrialStarted("abcde", attempt, 1_700_000_000.25)


def test_waits() -> None:
    event = courier_pb2.CourierEvent()
    event.waits.trial_id, event.waits.attempt, event.waits.reason = "abcde", 2, "the disk is full"
    name, content = sent(event)
    assert name == "waits"
    assert messages.waits_event(content) == TrialWaits("abcde", 2, "the disk is full")


@pytest.mark.parametrize(("exit_code", "signal"), [(0, None), (3, None), (None, 9), (None, None)])
def test_ended(exit_code: int | None, signal: int | None) -> None:
    event = courier_pb2.CourierEvent()
    event.ended.trial_id = "abcde"
    event.ended.end_time.FromSeconds(1_700_000_000)
    if exit_code is not None:
        event.ended.exit_code = exit_code
    if signal is not None:
        event.ended.signal = signal
    event.ended.stderr_tail = "\u00fc\n"
    name, content = sent(event)
    assert name == "ended"
    assert messages.ended_event(content) == TrialEnded(
        "abcde", 0, 1_700_000_000.0, exit_code, signal, "", "\u00fc\n"
    )


def test_reported() -> None:
    event = courier_pb2.CourierEvent()
    event.reported.trial_id = "abcde"
    for number, kind in enumerate((metric_pb2.METRIC_KIND_INTERMEDIATE, metric_pb2.METRIC_KIND_FINAL)):
        report = event.reported.reports.add(kind=kind, reporter="", number=number)
        report.value.CopyFrom(values.to_message({"": [number]}))
        report.report_time.FromSeconds(1_700_000_000)
    name, content = sent(event)
    assert name == "reported"
    expected = tuple(
        Report(kind, "", number, {"": [number]}, 1_700_000_000.0)
        for number, kind in enumerate((MetricKind.INTERMEDIATE, MetricKind.FINAL))
    )
    assert messages.reported_event(content) == TrialReported("abcde", 0, expected, 0)


@pytest.mark.parametrize(
    "impossible", [None, "", "NaN", "now", "9999-99-99T00:00:00Z", "1969-12-31T23:59:59Z", 5]
)
def test_an_impossible_time_of_a_result_is_that_of_its_receipt(impossible: object) -> None:
    report = {"kind": "METRIC_KIND_FINAL", "value": {"intValue": "1"}, "reportTime": impossible}
    before = time.time()
    event = messages.reported_event({"trialId": "abcde", "reports": [report]})
    assert before <= event.reports[0].reported_at <= time.time()


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"{}", b'{"a":{},"b":{}}', b"\xff"])
def test_what_is_no_event_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        messages.parse_event(line)
