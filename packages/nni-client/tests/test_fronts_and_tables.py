"""The best trials, trials as a table, and why trials failed."""

from __future__ import annotations

import math
import random
import sys

import pytest
from nni_client.connection import Connection
from nni_client.data import TrialHyperParameters, TrialJob, TrialMetricData
from nni_client.failures import failure_reasons, reason_of
from nni_client.fronts import check_objectives, front
from nni_client.tables import dataframe_of
from nni_proto.v1 import experiment_service_pb2 as pb
from nni_proto.v1.trial_pb2 import EndReason, Trial


def trial(number, final=None, parameters=None, status="SUCCEEDED", **facts):
    finals = [] if final is None else [TrialMetricData(0, f"t{number}", "0", "FINAL", 0, final)]
    return TrialJob(
        f"t{number}",
        status,
        [TrialHyperParameters(number, "algorithm", parameters or {})],
        finalMetricData=finals,
        sequenceId=number,
        **facts,
    )


def ids(trials):
    return [it.trialJobId for it in trials]


def test_one_objective_has_the_best_and_its_equals():
    trials = [trial(0, 1.0), trial(1, 3), trial(2, {"default": 3.0}), trial(3, 2.0)]
    assert ids(front(trials, {"default": "maximize"})) == ["t1", "t2"]
    assert ids(front(trials, {"default": "minimize"})) == ["t0"]
    assert front([], {"default": "minimize"}) == []


def test_several_objectives_have_a_front():
    trials = [
        trial(0, {"default": 0.9, "latency": 5}),
        trial(1, {"default": 0.8, "latency": 5}),
        trial(2, {"default": 0.7, "latency": 1}),
        trial(3, {"default": 0.9, "latency": 5}),
        trial(4, {"default": 0.99}),
        trial(5, {"default": math.nan, "latency": 0}),
        trial(6, {"default": 1.0, "latency": 0}, status="FAILED"),
        trial(7, {"default": True, "latency": 0}),
        trial(8, 0.99),
        trial(9),
    ]
    assert ids(front(trials, {"default": "maximize", "latency": "minimize"})) == ["t0", "t2", "t3"]


def test_the_front_is_what_no_trial_is_better_than():
    draw = random.Random(7)
    for _ in range(30):
        trials = [trial(n, {name: draw.randint(0, 4) for name in "abc"}) for n in range(40)]
        found = ids(front(trials, {"a": "maximize", "b": "minimize", "c": "maximize"}))
        expected = []
        for one in trials:
            values = one.finalMetricData[0].data
            others = [other.finalMetricData[0].data for other in trials]
            better = [
                o
                for o in others
                if o["a"] >= values["a"] and o["b"] <= values["b"] and o["c"] >= values["c"] and o != values
            ]
            if not better:
                expected.append(one.trialJobId)
        assert found == expected


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({}, ValueError),
        ({"a": "max"}, ValueError),
        ({"a": None}, ValueError),
        ("a", TypeError),
        ({1: "x"}, TypeError),
    ],
)
def test_objectives_that_are_refused(wrong, error):
    with pytest.raises(error, match="objectives"):
        check_objectives(wrong)


def test_a_table_has_typed_columns():
    parameters = {"lr": 0.1, "layer": {"k": 3, "kind": "conv"}, "status": "own", "odd.name": None}
    table = dataframe_of(
        [
            trial(1, {"default": 0.5, "deep": {"x": 2}}, parameters, startTime=1_000, endTime=3_500),
            trial(0, 0.25, {"lr": 1, "list": [1, 2]}, status="FAILED"),
        ]
    )
    assert list(table.index) == [0, 1]
    assert table.loc[1, "lr"] == 0.1
    assert table.loc[1, "layer.k"] == 3
    assert table.loc[1, '"status"'] == "own"
    assert table.loc[1, "status"] == "SUCCEEDED"
    assert '"odd.name"' in table.columns
    assert table.loc[1, "metric.default"] == 0.5
    assert table.loc[1, "metric.deep.x"] == 2
    assert table.loc[0, "reward"] == 0.25
    assert table.loc[0, "list"] == [1, 2]
    assert math.isnan(table.loc[0, "layer.k"])
    assert str(table.loc[1, "startTime"]) == "1970-01-01 00:00:01+00:00"
    assert (table.loc[1, "endTime"] - table.loc[1, "startTime"]).total_seconds() == 2.5
    assert str(table.loc[0, "endTime"]) == "NaT"


def test_a_table_without_trials_has_its_columns():
    table = dataframe_of([])
    assert len(table) == 0
    assert "status" in table.columns


def test_without_pandas_it_is_told_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        dataframe_of([])


def failed(tail="", **reason):
    return Trial(name="experiments/e/trials/t", end_reason=EndReason(stderr_tail=tail, **reason))


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (failed("Traceback\n  x\nValueError: bad\n\n", exit_code=1), "exit code 1 (ValueError: bad)"),
        (failed(exit_code=3), "exit code 3"),
        (failed(signal=9), "ended by signal 9 (SIGKILL)"),
        (failed("Killed", signal=9), "ended by signal 9 (SIGKILL) (Killed)"),
        (failed(message="runner lost"), "runner lost"),
        (failed("\x1b[31mred", exit_code=1), r"exit code 1 ('\x1b[31mred')"),
        (failed("y" * 500, exit_code=1), f"exit code 1 ({'y' * 97}...)"),
    ],
)
def test_the_reason_of_a_failure(one, text):
    assert reason_of(one) == text


def test_reasons_are_grouped(service):
    pages = [
        pb.ListTrialsResponse(
            trials=[failed("ValueError: bad", exit_code=1), failed(exit_code=2)], next_page_token="more"
        ),
        pb.ListTrialsResponse(trials=[failed("ValueError: bad", exit_code=1), failed(signal=11)]),
    ]
    service.answer("ListTrials", *pages)
    with Connection(service.address).session() as session:
        assert failure_reasons(session, "experiments/e") == [
            "2 failed: exit code 1 (ValueError: bad)",
            "1 failed: exit code 2",
            "1 failed: ended by signal 11 (SIGSEGV)",
        ]
    first, second = service.calls("ListTrials")
    assert list(first.statuses) == [Trial.STATUS_FAILED]
    assert second.page_token == "more"


def test_very_many_failures_and_reasons_are_not_all_named(service):
    page = pb.ListTrialsResponse(trials=[failed(exit_code=n) for n in range(1, 9)], next_page_token="more")
    service.answer("ListTrials", page)
    with Connection(service.address).session() as session:
        lines = failure_reasons(session, "experiments/e")
    assert lines[-1] == "30 failed for other reasons"
    assert len(lines) == 6
    assert len(service.calls("ListTrials")) == 10
