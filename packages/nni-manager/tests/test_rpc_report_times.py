"""Times in messages, and the time that a report comes with."""

import time

import pytest
from nni_manager.rpc.metric_messages import report_from_message
from nni_manager.rpc.times import optional_timestamp, timestamp
from nni_manager.rpc.trial_messages import optional_end_reason
from nni_proto import values
from nni_proto.v1 import experiment_pb2, metric_pb2, trial_pb2


def report(seconds: int) -> metric_pb2.MetricReport:
    message = metric_pb2.MetricReport(kind=1, reporter="r", number=0, value=values.to_message(1))
    message.report_time.seconds = seconds
    return message


@pytest.mark.parametrize("seconds", [-(2**63), -1, 253402300800, 2**63 - 1])
def test_an_impossible_time_is_that_of_its_receipt(seconds: int) -> None:
    before = time.time()
    reported_at = report_from_message(report(seconds), "reports[0]").reported_at
    assert before <= reported_at <= time.time()
    assert timestamp(reported_at).seconds > 0


@pytest.mark.parametrize("seconds", [0, 1, 253402300799])
def test_any_other_time_is_kept(seconds: int) -> None:
    assert report_from_message(report(seconds), "reports[0]").reported_at == seconds


@pytest.mark.parametrize("message", [trial_pb2.Trial, experiment_pb2.Experiment])
@pytest.mark.parametrize(("seconds", "is_set"), [(None, False), (0.0, True), (1.5, True)])
def test_what_is_not_known_stays_unset(message, seconds: float | None, is_set: bool) -> None:
    found = message(start_time=optional_timestamp(seconds), end_reason=optional_end_reason(None))
    assert found.HasField("start_time") is is_set and not found.HasField("end_reason")
    if seconds is not None:
        assert found.start_time.ToMicroseconds() == seconds * 1e6
