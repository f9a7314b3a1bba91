"""What is put into words."""

from __future__ import annotations

import math

import pytest
from nni_client import words
from nni_client.progress import Progress
from nni_proto.v1.experiment_config_pb2 import ExperimentConfig
from nni_proto.v1.experiment_pb2 import Experiment, TrialCount
from nni_proto.v1.experiment_service_pb2 import WatchExperimentResponse
from nni_proto.v1.trial_pb2 import EndReason, Trial
from nni_proto.values import to_message

NAME = "experiments/abc"


def make_experiment(status="RUNNING", counts=None, **fields):
    counts = counts or {}
    return Experiment(
        name=NAME,
        status=Experiment.Status.Value(f"STATUS_{status}"),
        trial_counts=[TrialCount(status=f"STATUS_{name}", count=count) for name, count in counts.items()],
        trial_count=sum(counts.values()),
        directory="/home/u/nni-experiments/abc",
        optimize_mode="maximize",
        **fields,
    )


def make_trial(parameters=None, **fields):
    return Trial(name=f"{NAME}/trials/x7", sequence_number=3, parameters=to_message(parameters), **fields)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00:00"), (59.9, "0:00:59"), (3723, "1:02:03"), (360000, "100:00:00")]
)
def test_durations(seconds, text):
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"lr": 0.0123456789, "n": 3, "kind": "a b"}, "lr=0.0123457, n=3, kind=a b"),
        ({"layer": {"_name": "conv", "size": 3}, "empty": {}}, "layer._name=conv, layer.size=3, empty={}"),
        ({"list": [1, 2.5], "none": None, "yes": True}, "list=[1, 2.5], none=None, yes=True"),
        ({}, "value={}"),
        ([1, 2], "value=[1, 2]"),
        ({"x": math.inf}, "x=inf"),
        ({"x": "\x1b[31mred\n"}, r"x='\x1b[31mred\n'"),
        ({"x": "y" * 300}, "x=" + "y" * 57 + "..."),
    ],
)
def test_parameters(parameters, text):
    assert words.parameters(make_trial(parameters)) == text


def test_counts_leave_out_what_there_is_none_of():
    experiment = make_experiment(counts={"RUNNING": 2, "FAILED": 1, "SUCCEEDED": 5, "USER_CANCELED": 1})
    assert words.counts(experiment) == "5 succeeded, 1 failed, 1 user canceled, 2 running"
    assert words.counts(make_experiment()) == "no trials"


def test_every_status_has_its_words():
    for status in Trial.Status.values()[1:]:
        experiment = Experiment(trial_counts=[TrialCount(status=status, count=1)])
        assert words.counts(experiment) == f"1 {words.trial_status(status).lower().replace('_', ' ')}"


def test_a_failure_shows_command_end_and_last_words():
    reason = EndReason(
        exit_code=3, message="exit code 3", stderr_tail="\n".join(f"line {n}" for n in range(30))
    )
    text = words.failure(make_trial(end_reason=reason, output_directory="/x"), "python3 t.py")
    assert "Trial x7 failed, the first one: exit code 3" in text
    assert "command: python3 t.py" in text
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("line")]
    assert lines == [f"line {n}" for n in range(10, 30)]
    assert "/x/stderr" in text


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (EndReason(signal=9), r"ended by signal 9 (SIGKILL)"),
        (EndReason(signal=250), r"ended by signal 250 (unknown)"),
        (EndReason(message="the runner was lost"), "the runner was lost"),
        (EndReason(), "it failed"),
    ],
)
def test_how_a_trial_failed(reason, text):
    shown = words.failure(make_trial(end_reason=reason, output_directory="/x"), "c")
    assert text in shown and "wrote nothing to stderr; its output is in /x" in shown


def test_the_summary():
    best = make_trial({"lr": 0.5}, objective=0.75)
    experiment = make_experiment(
        "DONE",
        {"SUCCEEDED": 4, "FAILED": 1},
        best_trial=best,
        config=ExperimentConfig(experiment_name="digits"),
        end_reason=EndReason(message="max_trial_number (5) is reached"),
    )
    lines = words.summary(Progress(experiment), "abc").splitlines()
    assert lines[0] == "Experiment abc (digits)"
    shown = {line[:14].strip(): line[14:] for line in lines[1:]}
    assert shown == {
        "ended": "DONE: max_trial_number (5) is reached",
        "trials": "5: 4 succeeded, 1 failed",
        "ran for": "0:00:00",
        "best trial": "x7 (number 3)",
        "objective": "0.75, the highest final result is best",
        "parameters": "lr=0.5",
        "files": "/home/u/nni-experiments/abc",
        "view again": "nnictl view abc",
    }


def test_the_summary_of_an_error_has_the_traceback():
    experiment = make_experiment("ERROR", errors=["older", "Traceback:\n  boom"])
    text = words.summary(Progress(experiment), "abc")
    assert "  go on       nnictl resume abc\n" in text
    assert "  error\n    Traceback:\n      boom" in text
    assert "older" not in text


def test_the_summary_without_a_best_trial_says_so():
    assert "none: no trial succeeded" in words.summary(Progress(make_experiment("DONE", {"FAILED": 2})), "v")
    assert "best trial" not in words.summary(Progress(make_experiment("DONE")), "v")


def test_progress_takes_in_changes():
    progress = Progress(make_experiment(config=ExperimentConfig(max_trial_number=9)))
    assert (progress.done, progress.total, progress.has_ended) == (0, 9, False)
    failed = make_trial(status=Trial.STATUS_FAILED)
    progress.apply(
        WatchExperimentResponse(revision=3, trials=[make_trial(status=Trial.STATUS_RUNNING), failed])
    )
    assert progress.first_failure == failed
    progress.apply(
        WatchExperimentResponse(revision=4, trials=[Trial(name="other", status=Trial.STATUS_FAILED)])
    )
    assert progress.first_failure == failed
    experiment = make_experiment(
        "DONE", {"SUCCEEDED": 2, "FAILED": 1, "RUNNING": 1, "WAITING": 1, "UNKNOWN": 1}
    )
    progress.apply(WatchExperimentResponse(revision=5, experiment=experiment))
    assert (progress.done, progress.total, progress.has_ended) == (3, None, True)
    assert words.done(progress) == "3 done"
    progress.experiment.config.max_trial_number = 7
    assert words.done(progress) == "3/7 done"
    progress.experiment.config.max_trial_number = 1
    assert words.done(progress) == "3/3 done"


@pytest.mark.parametrize(
    ("counts", "failed"),
    [
        ({}, False),
        ({"FAILED": 3}, True),
        ({"FAILED": 3, "SUCCEEDED": 1}, False),
        ({"USER_CANCELED": 2}, False),
    ],
)
def test_whether_every_trial_failed(counts, failed):
    assert Progress(make_experiment("DONE", counts)).every_trial_failed is failed


def test_only_a_running_experiment_grows_older():
    import time

    for status, grows in [
        ("RUNNING", True),
        ("TUNER_NO_MORE_TRIAL", True),
        ("DONE", False),
        ("STOPPED", False),
    ]:
        progress = Progress(make_experiment(status))
        before, begin = progress.seconds, time.monotonic()
        while time.monotonic() < begin + 0.002:
            pass
        assert (progress.seconds > before) is grows
