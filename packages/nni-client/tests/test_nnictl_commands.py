"""What each command of nnictl sends, prints and exits with, against a manager that answers as told."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import sys
from pathlib import Path

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from nni_client.commands import main
from nni_client.commands.groups import GROUPS
from nni_config.experiment_folders import remember_experiments_directory
from nni_config.local_state import ManagerRecord, write_manager_record
from nni_config.processes import process_start_time
from nni_proto.v1 import experiment_service_pb2 as pb
from nni_proto.v1.experiment_config_pb2 import ExperimentConfig
from nni_proto.v1.experiment_pb2 import Experiment, TrialCount
from nni_proto.v1.metric_pb2 import METRIC_KIND_FINAL, Metric
from nni_proto.v1.trial_pb2 import EndReason, Trial
from nni_proto.values import from_message, to_message

ID = "abc12345"
NAME = f"experiments/{ID}"


@pytest.fixture
def nnictl(home, capsys, monkeypatch):
    """Runs nnictl in this process and returns what it printed."""

    def run(*words, exit_code=0):
        monkeypatch.setattr(sys, "argv", ["nnictl", *words])
        try:
            main()
            code = 0
        except SystemExit as error:
            code = error.code or 0
        captured = capsys.readouterr()
        assert code == exit_code, captured
        assert "Traceback" not in captured.err
        return captured.err if exit_code else captured.out

    return run


@pytest.fixture
def running(service, home):
    """A running experiment whose manager answers what `service` is told."""
    folder = home / "nni-experiments" / ID
    folder.mkdir(parents=True)
    record = ManagerRecord(
        experiment_id=ID,
        pid=os.getpid(),
        process_start_time=process_start_time(os.getpid()),
        port=service.address.port,
        bind="127.0.0.1",
        url_prefix="",
        token="the-token",
        directory=str(folder),
    )
    write_manager_record(record, folder)
    return service


def trial(trial_id, number, status=Trial.STATUS_SUCCEEDED, objective=None, **fields):
    made = Trial(
        name=f"{NAME}/trials/{trial_id}",
        sequence_number=number,
        status=status,
        parameter_id=number,
        parameters=to_message({"x": number, "layer": {"_name": "Conv", "size": 3}}),
        output_directory=f"/experiments/{ID}/trials/{trial_id}",
        create_time=Timestamp(seconds=1_700_000_000),
        start_time=Timestamp(seconds=1_700_000_001),
        **fields,
    )
    if status not in (Trial.STATUS_RUNNING, Trial.STATUS_WAITING):
        made.end_time.FromSeconds(1_700_000_011)
    if objective is not None:
        made.objective = objective
        made.final_result.CopyFrom(to_message(objective))
    return made


FAILURE = EndReason(
    actor=EndReason.ACTOR_TRIAL, message="exit code 3", exit_code=3, stderr_tail="a\nValueError: no GPU\n"
)
TRIALS = [
    trial("aaaaa", 0, objective=3),
    trial("bbbbb", 1, objective=0.5),
    trial("ccccc", 2, Trial.STATUS_FAILED, end_reason=FAILURE),
    trial("ddddd", 3, objective=float("nan")),
    trial("eeeee", 4, objective=0),
    trial("fffff", 5, Trial.STATUS_RUNNING),
]


@pytest.fixture
def trials(running):
    finals = [
        Metric(trial=it.name, kind=METRIC_KIND_FINAL, value=it.final_result)
        for it in TRIALS
        if it.HasField("final_result")
    ]
    running.answer("ListTrials", pb.ListTrialsResponse(trials=TRIALS))
    running.answer("ListMetrics", pb.ListMetricsResponse(metrics=finals))
    return running


def ids(text):
    return [each["trialJobId"] for each in json.loads(text)]


def test_trial_ls_prints_nnis_json(nnictl, trials):
    text = nnictl("trial", "ls")
    assert text.startswith('[\n    {\n        "attempt":0,\n        "endTime":"')
    first, _, failed, *_, last = json.loads(text)
    assert list(first) == sorted(first)
    assert json.loads(first["hyperParameters"][0]) == {
        "parameter_id": 0,
        "parameter_source": "algorithm",
        "parameters": {"x": 0, "layer": {"_name": "Conv", "size": 3}},
        "parameter_index": 0,
        "placement_constraint": None,
        "version_info": None,
    }
    (metric,) = first["finalMetricData"]
    assert metric["data"] == '"3"' and metric["type"] == "FINAL"
    assert len(first["startTime"]) == len("2023-11-14 22:13:21+00:00")
    assert failed["message"] == "exit code 3" and failed["exitCode"] == 3
    assert failed["stderrTail"].endswith("no GPU\n") and failed["stderrPath"].endswith("/ccccc/stderr")
    assert "finalMetricData" not in failed and "endTime" not in last


def test_a_late_answer_names_call_limit_and_setting(nnictl, running, monkeypatch):
    """Field report 4; what takes longer has its limit raised, and is waited for."""
    answers = pb.ListTrialsResponse()
    running.answer("ListTrials", lambda request: (running.ending.wait(1), answers)[1])
    running.answer("ListMetrics", pb.ListMetricsResponse())
    monkeypatch.setenv("NNI_CALL_TIMEOUT", "0.2")
    told = nnictl("trial", "ls", exit_code=1)
    assert "did not answer ListTrials within 0.2 s" in told and "NNI_CALL_TIMEOUT" in told
    monkeypatch.setenv("NNI_CALL_TIMEOUT", "30")
    assert json.loads(nnictl("trial", "ls")) == []


def test_trial_ls_by_result(nnictl, trials):
    assert ids(nnictl("trial", "ls", "--head", "2")) == ["aaaaa", "bbbbb"]
    assert ids(nnictl("trial", "ls", "--tail=2")) == ["eeeee", "bbbbb"]
    assert ids(nnictl("trial", "ls", "--head", "9")) == ["aaaaa", "bbbbb", "eeeee"]
    assert ids(nnictl("trial", "ls", "--json")) == [it.name[-5:] for it in TRIALS]
    assert "cannot be used together" in nnictl("trial", "ls", "--head", "1", "--tail", "1", exit_code=2)
    nnictl("trial", "ls", "--head", "0", exit_code=2)


def test_trial_ls_on_a_terminal(nnictl, trials, monkeypatch):
    monkeypatch.setattr("nni_client.commands.output.is_terminal", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "130")
    header, first, _, failed, *_ = nnictl("trial", "ls").splitlines()
    assert header.split() == ["NUMBER", "ID", "STATUS", "RAN", "FOR", "RESULT", "PARAMETERS", "REASON"]
    assert first.split()[:5] == ["0", "aaaaa", "SUCCEEDED", "0:00:10", "3"]
    assert "exit code 3: ValueError: no GPU" in failed
    # Lined up, and what does not fit is cut, not wrapped.
    assert failed.index("0:00:10") == first.index("0:00:10") == header.index("RAN FOR")
    monkeypatch.setenv("COLUMNS", "75")
    lines = nnictl("trial", "ls").splitlines()
    assert len(lines) == 7 and all(len(line) <= 75 for line in lines) and "ccccc" in lines[3]
    assert lines[3].count("…") == 2


def test_trial_ls_says_where_trials_ran_if_there_are_several_places(nnictl, trials, monkeypatch):
    placed = [Trial(), Trial()]
    for each, known in zip(placed, TRIALS, strict=False):
        each.CopyFrom(known)
    placed[0].host = "gpu-a"
    placed[0].gpus.extend(["0", "3"])
    trials.answer("ListTrials", pb.ListTrialsResponse(trials=placed))
    first, second = json.loads(nnictl("trial", "ls"))
    assert (first["host"], first["gpus"]) == ("gpu-a", ["0", "3"])
    assert not {"host", "gpus"} & second.keys()
    monkeypatch.setattr("nni_client.commands.output.is_terminal", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    header, line, *_ = nnictl("trial", "ls").splitlines()
    assert line.endswith("gpu-a (GPU 0, 3)") and header.index("HOST") == line.index("gpu-a")


@pytest.mark.parametrize("room", [20, 40, 50, 60])
def test_what_a_narrow_terminal_has_no_room_for_is_told(nnictl, trials, monkeypatch, room):
    trials.answer("ListTrials", pb.ListTrialsResponse(trials=TRIALS[:-1]))
    monkeypatch.setattr("nni_client.commands.output.is_terminal", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    columns, *whole = [re.split(r" {2,}", line) for line in nnictl("trial", "ls").splitlines()]
    monkeypatch.setenv("COLUMNS", str(room))
    *lines, note = nnictl("trial", "ls").splitlines()
    header, *shown = [re.split(r" {2,}", line) for line in lines]
    assert max(map(len, lines)) <= room
    left_out = note.removeprefix(f"No room in {room} columns for: ").split(", ")
    assert header + left_out == columns
    for cells, all_cells in zip(shown, whole, strict=True):
        for cell, full in zip(cells, all_cells, strict=False):
            assert cell == full or (cell.endswith("…") and full.startswith(cell[:-1]))


def test_lists_and_the_live_view_of_a_narrow_terminal_cut_nothing_in_silence(nnictl, running, monkeypatch):
    experiment = experiment_with(Experiment.STATUS_RUNNING)
    experiment.config.experiment_name = "a name that is long"
    answer_experiment(running, experiment)
    running.answer("ListTrials", pb.ListTrialsResponse(trials=TRIALS[-1:]))
    monkeypatch.setattr("nni_client.commands.listing.is_terminal", lambda: True)
    monkeypatch.setattr("nni_client.commands.top.is_terminal", lambda: True)
    monkeypatch.setattr("nni_client.commands.output.is_terminal", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    assert "No room in 60 columns for: " in nnictl("list")
    shown = nnictl("top", "--looks", "1")
    assert "x=5, " in shown and "…" in shown
    monkeypatch.setenv("COLUMNS", "50")
    shown = nnictl("top", "--looks", "1")
    assert "fffff" in shown and "x=5" not in shown and "No room for: parameters" in shown


def test_trial_ls_of_no_trials(nnictl, running, monkeypatch):
    running.answer("ListTrials", pb.ListTrialsResponse())
    running.answer("ListMetrics", pb.ListMetricsResponse())
    assert nnictl("trial", "ls") == "[]\n"
    monkeypatch.setattr("nni_client.commands.output.is_terminal", lambda: True)
    assert nnictl("trial", "ls") == "No trials.\n"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (Trial.STATUS_RUNNING, Trial.STATUS_RUNNING, "is told to end"),
        (Trial.STATUS_UNKNOWN, Trial.STATUS_UNKNOWN, "is told to end"),
        (Trial.STATUS_WAITING, Trial.STATUS_USER_CANCELED, "has ended: USER_CANCELED"),
        (Trial.STATUS_SUCCEEDED, Trial.STATUS_SUCCEEDED, "has ended already: SUCCEEDED"),
    ],
)
def test_trial_kill(nnictl, running, before, after, told):
    running.answer("GetTrial", pb.GetTrialResponse(trial=trial("aaaaa", 0, before)))
    running.answer("CancelTrial", pb.CancelTrialResponse(trial=trial("aaaaa", 0, after)))
    assert told in nnictl("trial", "kill", "-T", "aaaaa")
    assert told in nnictl("trial", "kill", ID, "--trial_id=aaaaa")
    assert {it.name for it in running.calls("CancelTrial")} == {f"{NAME}/trials/aaaaa"}


def test_trial_kill_of_one_that_there_is_not(nnictl, running, refusal):
    no_such = refusal(grpc.StatusCode.NOT_FOUND, "there is no trial zzzzz", "TRIAL_NOT_FOUND")
    running.answer("GetTrial", no_such, pb.GetTrialResponse(trial=trial("aaaaa", 0)))
    running.answer("CancelTrial", pb.CancelTrialResponse(trial=trial("aaaaa", 0)))
    # The others are killed all the same.
    assert "there is no trial zzzzz" in nnictl("trial", "kill", "-T", "zzzzz", "-T", "aaaaa", exit_code=1)
    assert len(running.calls("CancelTrial")) == 1
    assert "is not the id of a trial" in nnictl("trial", "kill", "-T", "../x", exit_code=1)
    nnictl("trial", "kill", exit_code=2)


def test_trial_rerun_and_create(nnictl, running, tmp_path):
    running.answer("GetTrial", pb.GetTrialResponse(trial=trial("aaaaa", 7)))
    running.answer("CreateTrial", pb.CreateTrialResponse(trial=trial("nnnnn", 8, Trial.STATUS_WAITING)))
    assert nnictl("trial", "rerun", "-T", "aaaaa") == "Trial nnnnn is queued, number 8\n"
    (request,) = running.calls("CreateTrial")
    assert from_message(request.parameters) == {"x": 7, "layer": {"_name": "Conv", "size": 3}}
    file = tmp_path / "points.json"
    file.write_text('[{"x": 1e400}, {"x": "é"}, ]')
    nnictl("trial", "create", "--parameters", '{"x": 2}', "-f", str(file))
    sent = [from_message(it.parameters) for it in running.calls("CreateTrial")[1:]]
    assert sent == [{"x": 2}, {"x": float("inf")}, {"x": "é"}]
    assert len({it.request_id for it in running.calls("CreateTrial")}) == 4
    for text in ("{", "[1]", "3"):
        assert "--parameters" in nnictl("trial", "create", "-P", text, exit_code=1)
    for text in ("[]", "3", "[[]]", "{,"):
        file.write_text(text)
        assert str(file) in nnictl("trial", "create", "-f", str(file), exit_code=1)
    assert "No such file" in nnictl("trial", "create", "-f", str(tmp_path / "none.json"), exit_code=1)
    nnictl("trial", "create", exit_code=2)
    assert len(running.calls("CreateTrial")) == 4


def test_updates(nnictl, running, tmp_path):
    running.answer("UpdateExperiment", pb.UpdateExperimentResponse())
    space = tmp_path / "space.json"
    space.write_text('{"x": {"_type": "choice", "_value": [1, 2]}}')
    assert nnictl("update", "searchspace", "-f", str(space)) == "Update searchSpace success!\n"
    assert nnictl("update", "concurrency", ID, "-v", "3") == "Update concurrency success!\n"
    assert nnictl("update", "duration", "--value=1.5h") == "Update duration success!\n"
    assert nnictl("update", "duration", "-v", "90") == "Update duration success!\n"
    assert nnictl("update", "trialnum", "-v", "20") == "Update trialnum success!\n"
    sent = running.calls("UpdateExperiment")
    assert [it.update_mask.paths[0] for it in sent] == [
        "search_space",
        "trial_concurrency",
        *2 * ["max_experiment_duration"],
        "max_trial_number",
    ]
    assert from_message(sent[0].config.search_space) == {"x": {"_type": "choice", "_value": [1, 2]}}
    assert (sent[1].config.trial_concurrency, sent[4].config.max_trial_number) == (3, 20)
    assert sent[2].config.max_experiment_duration.text == "1.5h"
    assert sent[3].config.max_experiment_duration.whole_seconds == 90


def test_updates_that_are_refused(nnictl, running, refusal, tmp_path):
    for kind in ("concurrency", "trialnum"):
        told = nnictl("update", kind, "-v", "x", exit_code=2)
        assert "'x' is not a whole number such as 3" in told and "--value" in told
        nnictl("update", kind, exit_code=2)
        assert "whole number" in nnictl("update", kind, "-v", "0", exit_code=1)
    assert "is not a duration" in nnictl("update", "duration", "-v", "soon", exit_code=1)
    space = tmp_path / "space.json"
    for text in ("", "{"):
        space.write_text(text)
        assert str(space) in nnictl("update", "searchspace", "-f", str(space), exit_code=1)
    assert running.calls("UpdateExperiment") == []
    space.write_text("{}")
    problem = refusal(grpc.StatusCode.FAILED_PRECONDITION, "the tuner cannot", "ALGORITHM_REFUSED")
    running.answer("UpdateExperiment", problem)
    assert nnictl("update", "searchspace", "-f", str(space), exit_code=1) == "ERROR: the tuner cannot\n"


def test_pause_and_unpause(nnictl, running):
    counts = [TrialCount(status=Trial.STATUS_RUNNING, count=2)]
    experiment = Experiment(name=NAME, status=Experiment.STATUS_RUNNING, trial_counts=counts, paused=True)
    running.answer("PauseExperiment", pb.PauseExperimentResponse(experiment=experiment))
    running.answer("UnpauseExperiment", pb.UnpauseExperimentResponse(experiment=experiment))
    running.answer("GetExperiment", pb.GetExperimentResponse(experiment=experiment))
    for group in ([], ["experiment"]):
        assert nnictl(*group, "pause") == f"Experiment {ID} is paused: 2 running\n"
        assert nnictl(*group, "unpause", ID) == f"Experiment {ID} goes on: RUNNING, 2 running\n"
    assert nnictl("status").startswith(f"{ID}: RUNNING (paused)\n")
    assert json.loads(nnictl("list", "--json"))[0]["status"] == "RUNNING (paused)"
    assert json.loads(nnictl("experiment", "status"))["paused"] is True


def test_what_is_done_is_neither_paused_nor_unpaused(nnictl, running):
    done = Experiment(name=NAME, status=Experiment.STATUS_DONE)
    running.answer("PauseExperiment", pb.PauseExperimentResponse(experiment=done))
    running.answer("UnpauseExperiment", pb.UnpauseExperimentResponse(experiment=done))
    assert nnictl("pause", exit_code=1) == f"ERROR: Experiment {ID} is DONE; nothing is paused\n"
    raised = "it goes on when its limits are raised"
    assert nnictl("unpause", exit_code=1) == f"ERROR: Experiment {ID} is DONE; {raised}\n"


def experiment_with(status, best=None, **counts):
    made = Experiment(
        name=NAME,
        status=status,
        config=ExperimentConfig(trial_command="true", trial_concurrency=1),
        optimize_mode="maximize",
        directory=f"/experiments/{ID}",
    )
    for name, count in counts.items():
        made.trial_counts.append(TrialCount(status=Trial.Status.Value(f"STATUS_{name}"), count=count))
    if best is not None:
        made.best_trial.CopyFrom(best)
    return made


def answer_experiment(running, experiment):
    running.answer("GetExperiment", pb.GetExperimentResponse(experiment=experiment))
    running.answer("WatchExperiment", [pb.WatchExperimentResponse(revision=1, experiment=experiment)])


def test_best(nnictl, running, tmp_path, monkeypatch):
    answer_experiment(running, experiment_with(Experiment.STATUS_RUNNING, trial("aaaaa", 0, objective=3)))
    text = nnictl("experiment", "best")
    assert "trial       aaaaa (number 0)" in text and "objective   3, the highest" in text
    # As it is what NNI_PARAMETERS takes.
    assert json.loads(nnictl("experiment", "best", "--json")) == {
        "x": 0,
        "layer": {"_name": "Conv", "size": 3},
    }
    answer_experiment(running, experiment_with(Experiment.STATUS_RUNNING))
    assert "no best trial" in nnictl("experiment", "best", exit_code=1)
    assert "no best trial" in nnictl("experiment", "best", "--json", exit_code=1)


def test_why_trials_wait_is_shown(nnictl, running):
    reason = "it waits for room on the disk: [Errno 28] No space left on device: '/e'"
    waiting = [trial(name, index, Trial.STATUS_WAITING) for index, name in enumerate(("aaaaa", "bbbbb"))]
    for each in waiting:
        each.waiting_reason = reason
    answer_experiment(running, experiment_with(Experiment.STATUS_RUNNING, WAITING=2))
    running.answer("ListTrials", pb.ListTrialsResponse(trials=waiting))
    running.answer("ListMetrics", pb.ListMetricsResponse())
    assert nnictl("status").count(f"  waiting: {reason}\n") == 1
    assert json.loads(nnictl("status", "--json"))["waiting"] == [reason]
    assert {it["message"] for it in json.loads(nnictl("trial", "ls"))} == {reason}


def test_the_front_of_several_objectives(nnictl, running, monkeypatch):
    results = [{"accuracy": a, "latency": b} for a, b in ((0.9, 5), (0.8, 2), (0.7, 4), (0.95, 9))]
    listed = [trial(f"{index}" * 5, index) for index in range(5)]
    finals = [
        Metric(trial=it.name, kind=METRIC_KIND_FINAL, value=to_message(value))
        for it, value in zip(listed, results, strict=False)
    ]
    for each, final in zip(listed, finals, strict=False):
        each.final_result.CopyFrom(final.value)
    running.answer("ListTrials", pb.ListTrialsResponse(trials=listed))
    running.answer("ListMetrics", pb.ListMetricsResponse(metrics=finals))
    objectives = ("--objective", "accuracy=maximize", "-o", "latency=minimize")
    header, *lines = nnictl("experiment", "best", *objectives).splitlines()
    assert header.split() == ["NUMBER", "ID", "accuracy", "latency", "PARAMETERS"]
    assert [line.split()[:4] for line in lines] == [
        ["0", "00000", "0.9", "5"],
        ["1", "11111", "0.8", "2"],
        ["3", "33333", "0.95", "9"],
    ]
    assert ids(nnictl("experiment", "best", "--json", *objectives)) == ["00000", "11111", "33333"]
    assert "for loss" in nnictl("experiment", "best", "-o", "loss=minimize", exit_code=1)
    for wrong in ("accuracy", "accuracy=most", "=maximize"):
        text = nnictl("experiment", "best", "-o", wrong, exit_code=1)
        assert "maximize" in text and "minimize" in text


def test_show(nnictl, running):
    answer_experiment(running, experiment_with(Experiment.STATUS_RUNNING))
    shown = json.loads(nnictl("experiment", "show"))
    assert shown["id"] == ID and shown["status"] == "RUNNING"
    assert shown["params"]["trialCommand"] == "true"


@pytest.mark.parametrize(
    ("status", "counts", "exit_code"),
    [
        ("DONE", {"SUCCEEDED": 1, "FAILED": 4}, 0),
        ("DONE", {"FAILED": 5}, 1),
        ("DONE", {}, 1),
        ("STOPPED", {"SUCCEEDED": 5}, 1),
        ("ERROR", {"SUCCEEDED": 5}, 1),
    ],
)
def test_wait_tells_by_its_exit_code_how_it_ended(nnictl, running, status, counts, exit_code):
    experiment = experiment_with(Experiment.Status.Value(f"STATUS_{status}"), **counts)
    experiment.end_reason.message = "for a reason"
    answer_experiment(running, experiment)
    nnictl("wait", exit_code=exit_code)
    nnictl("wait", ID, "--timeout", "30", exit_code=exit_code)


def test_wait_waits(nnictl, running):
    states = (Experiment.STATUS_RUNNING, Experiment.STATUS_NO_MORE_TRIAL, Experiment.STATUS_DONE)
    answer_experiment(running, experiment_with(Experiment.STATUS_DONE, SUCCEEDED=2))
    changes = [
        pb.WatchExperimentResponse(revision=number, experiment=experiment_with(state))
        for number, state in enumerate(states)
    ]
    running.answer("WatchExperiment", changes)
    assert nnictl("wait").startswith(f"{ID}: DONE\n  2 succeeded\n")


def test_wait_gives_up_when_the_time_is_over(nnictl, running):
    answer_experiment(running, experiment_with(Experiment.STATUS_RUNNING, RUNNING=2))
    nnictl("wait", "--timeout", "0.1", exit_code=124)
    nnictl("wait", "--timeout", "-1", exit_code=2)


def test_top_prints_blocks_where_there_is_no_terminal(nnictl, running):
    answer_experiment(running, experiment_with(Experiment.STATUS_RUNNING, RUNNING=1, SUCCEEDED=2))
    running.answer("ListTrials", pb.ListTrialsResponse(trials=[TRIALS[5]]))
    text = nnictl("top", "--time", "0.01", "--looks", "2")
    assert text.count(f"Id: {ID}    Status: RUNNING    Port: {running.address.port}    Platform: N/A") == 2
    assert text.count("fffff") == 2 and "trialId" in text and "\x1b" not in text
    for wrong in ("0", "-1", "x"):
        nnictl("top", "-t", wrong, exit_code=2)


def test_top_shows_a_manager_that_does_not_answer(nnictl, running, refusal):
    running.answer("GetExperiment", refusal(grpc.StatusCode.INTERNAL, "it broke", "INTERNAL"))
    assert "it broke" in nnictl("top", "-n", "1")


def test_top_ends_well_by_ctrl_c(nnictl, running, monkeypatch):
    answer_experiment(running, experiment_with(Experiment.STATUS_RUNNING))
    running.answer("ListTrials", pb.ListTrialsResponse())

    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr("nni_client.commands.top.time.sleep", interrupt)
    assert f"Id: {ID}" in nnictl("top")


def test_logs(nnictl, running, home):
    log = home / "nni-experiments" / ID / "log"
    log.mkdir()
    for command, name in (
        ("stdout", "nnictl_stdout.log"),
        ("stderr", "nnictl_stderr.log"),
        ("manager", "nnimanager.log"),
        ("dispatcher", "dispatcher.log"),
    ):
        assert f"There is no {log / name}" in nnictl("log", command, exit_code=1)
        (log / name).write_bytes("one\ntwo\nth\u00e9e\nfour".encode())
        assert nnictl("log", command, ID).startswith("one\ntwo\n")
        assert nnictl("log", command, "-H", "2") == "one\ntwo\n"
        assert nnictl("log", command, "--tail", "1") == "four"
        assert nnictl("log", command, "-T", "0") == ""
        assert nnictl("log", command, "--path") == f"{log / name}\n"
        nnictl("log", command, "-H", "1", "-T", "1", exit_code=2)


def test_log_trial(nnictl, trials, tmp_path):
    folders = nnictl("log", "trial").splitlines()
    assert folders[0] == f"id:aaaaa path:/experiments/{ID}/trials/aaaaa" and len(folders) == 6
    assert nnictl("log", "trial", "--trial_id", "bbbbb").startswith("id:bbbbb path:")
    assert "has no trial zzzzz" in nnictl("log", "trial", "-T", "zzzzz", exit_code=1)
    nnictl("log", "trial", "--stdout", exit_code=2)
    here = trial("aaaaa", 0)
    here.output_directory = str(tmp_path)
    (tmp_path / "stdout").write_text("out\nput\n")
    (tmp_path / "stderr").write_text("err\n")
    trials.answer("GetTrial", pb.GetTrialResponse(trial=here))
    assert nnictl("log", "trial", "-T", "aaaaa", "--stdout", "--tail", "1") == "put\n"
    assert nnictl("log", "trial", "-T", "aaaaa", "--stdout", "--stderr") == "out\nput\nerr\n"
    here.output_directory = "somewhere:~/nni"
    trials.answer("GetTrial", pb.GetTrialResponse(trial=here))
    assert "on another machine: somewhere:~/nni" in nnictl(
        "log", "trial", "-T", "aaaaa", "--stdout", exit_code=1
    )


@pytest.mark.parametrize(
    "words", [["package", "install", "--x"], ["ss_gen", "-t", "x"], ["jupyter-extension", "install"]]
)
def test_commands_that_are_gone_say_what_to_do(nnictl, words):
    text = nnictl(*words, exit_code=1)
    assert (
        text.startswith(f"ERROR: nnictl {words[0]} is gone.") or f"nnictl {words[0]} is gone, since" in text
    )


def test_platform_clean(nnictl, tmp_path):
    file = tmp_path / "c.yml"
    file.write_text("trainingService: {platform: local}\n")
    assert nnictl("platform", "clean", "-c", str(file)).startswith("local: nothing lies on other machines")
    file.write_text("trainingService: {platform: remote, machineList: [{host: a, user: b}]}\n")
    assert nnictl("platform", "clean", "--config", str(file)).startswith("remote: ")
    nnictl("platform", "clean", exit_code=2)


def test_stop_all_as_a_word_and_patterns(nnictl, running):
    assert 'please use "nnictl stop --all"' in nnictl("stop", "all", exit_code=1)
    assert "an id like zzz*" in nnictl("stop", "zzz*", exit_code=1)
    nnictl("stop", "abc*", "--port", "1", exit_code=1)


def test_a_running_one_cannot_be_resumed(nnictl, running):
    answer_experiment(running, experiment_with(Experiment.STATUS_DONE))
    text = nnictl("resume", ID, exit_code=1)
    assert "is running, on port" in text


def test_one_that_is_being_stopped_is_waited_for_and_told(nnictl, running, home, monkeypatch):
    answer_experiment(running, experiment_with(Experiment.STATUS_STOPPING))
    (home / "nni-experiments" / ID / "db").mkdir()
    (home / "nni-experiments" / ID / "db" / "experiment.sqlite").touch()
    monkeypatch.setattr("nni_client.ending_managers._WAIT_SECONDS", 0.1)
    for command in ("resume", "view"):
        text = nnictl(command, ID, exit_code=1)
        assert f"{ID} is still being stopped" in text and "Try again" in text and "is running" not in text


@pytest.fixture
def old(home):
    """The folder of an experiment of NNI 3.0."""
    folder = home / "nni-experiments" / "oldnni30"
    (folder / "db").mkdir(parents=True)
    with sqlite3.connect(folder / "db" / "nni.sqlite") as connection:
        connection.executescript((Path(__file__).parent / "data" / "nni30.sql").read_text(encoding="utf-8"))
    connection.close()
    return folder


def test_a_record_of_nni_is_read(nnictl, old, monkeypatch):
    listed = json.loads(nnictl("trial", "ls", "oldnni30"))
    assert [each["sequenceId"] for each in listed] == list(range(8))
    best, second = json.loads(nnictl("trial", "ls", "old", "--head", "2"))
    values = [json.loads(json.loads(each["finalMetricData"][0]["data"])) for each in (best, second)]
    numbers = [value["default"] if isinstance(value, dict) else value for value in values]
    assert numbers == sorted(numbers, reverse=True)
    for option in ("--filter", "--sort"):
        text = nnictl("trial", "ls", "oldnni30", option, "number", exit_code=1)
        assert "oldnni30 is a record of NNI, which --filter and --sort cannot read" in text
    monkeypatch.setattr("nni_client.commands.output.is_terminal", lambda: True)
    assert len(nnictl("trial", "ls", "oldnni30").splitlines()) == 9
    assert len(nnictl("log", "trial", "oldnni30").splitlines()) == 8
    shown = nnictl("view", "oldnni30")
    assert "recorded by Microsoft's NNI" in shown and "trials  8:" in shown and str(old) in shown
    assert "made by NNI" in nnictl("list", "--all")
    (row,) = json.loads(nnictl("experiment", "list", "--all", "--json"))
    assert (row["id"], row["status"], row["port"]) == ("oldnni30", "made by NNI", None)
    for words in (["status"], ["wait"], ["experiment", "show"], ["experiment", "best"], ["resume"]):
        text = nnictl(*words, "oldnni30", exit_code=1)
        assert "was recorded by Microsoft's NNI" in text and "nnictl experiment" in text


def test_a_record_without_a_summary_is_read_for_the_list(nnictl, home, monkeypatch):
    for experiment_id in ("good", "torn"):
        folder = home / "nni-experiments" / experiment_id / "db"
        folder.mkdir(parents=True)
        (folder / "experiment.sqlite").touch()

    def read(folder, timeout):
        if folder.experiment_id == "torn":
            raise RuntimeError("it is torn\nand more")
        return Experiment(status=Experiment.STATUS_DONE, trial_count=3)

    monkeypatch.setattr("nni_client.commands.listing.read_experiment", read)
    good, torn = json.loads(nnictl("list", "--all", "--json"))
    assert (good["id"], good["status"], good["trials"], good["problem"]) == ("good", "DONE", 3, None)
    assert (torn["id"], torn["status"], torn["problem"]) == ("torn", "UNREADABLE", "it is torn")


def test_the_same_id_in_two_folders(nnictl, old, home, monkeypatch):
    monkeypatch.setenv("NNI_CONFIG_DIR", str(home / "config"))
    other = home / "elsewhere" / "oldnni30"
    shutil.copytree(old, other)
    remember_experiments_directory(other.parent)
    text = nnictl("trial", "ls", "oldnni30", exit_code=1)
    assert str(old) in text and str(other) in text and "--experiments-dir" in text
    for named in (other.parent, other):
        assert str(other) in nnictl("view", "oldnni30", "--experiment_dir", str(named))
    assert "is no folder" in nnictl("status", "x", "-e", str(home / "none"), exit_code=1)
    monkeypatch.setattr("nni_client.commands.output.is_terminal", lambda: True)
    assert nnictl("list", "--all").splitlines()[-1].endswith("for: FOLDER")
    monkeypatch.setenv("COLUMNS", "250")
    assert "FOLDER" in nnictl("list", "--all").splitlines()[0]
    assert len(nnictl("list", "--all", "-e", str(other.parent)).splitlines()) == 2


@pytest.mark.parametrize("group", ["", *sorted(group.info.name for group in GROUPS)])
def test_the_help_of_a_group_cuts_nothing(nnictl, group):
    assert "..." not in nnictl(*filter(None, [group]), "--help").replace("COMMAND [ARGS]...", "")


def test_the_help_of_nnictl_shows_whole_first_sentences(nnictl):
    shown = " ".join(nnictl("--help").split())
    assert "resume Go on with an experiment that has ended or lost its manager. view" in shown


@pytest.mark.parametrize(
    ("error", "times"), [("the tuner has died", 1), ("the tuner has died\nTraceback", 2)]
)
def test_the_reason_of_an_end_is_said_once(nnictl, running, error, times):
    experiment = Experiment(name=NAME, status=Experiment.STATUS_ERROR, errors=[error])
    experiment.end_reason.message = "the tuner has died"
    answer_experiment(running, experiment)
    assert nnictl("status").count("the tuner has died") == times


def test_trial_ls_filtered_and_sorted(nnictl, trials, monkeypatch):
    nnictl("trial", "ls", "--filter", "status = FAILED and lr > 1e-3", "--sort", "-objective, number")
    nnictl("trial", "ls", "--filter=has(lr)", "--head", "2")
    nnictl("trial", "ls")
    asked = [(it.filter, it.order_by) for it in trials.calls("ListTrials")]
    assert asked == [("status = FAILED and lr > 1e-3", "-objective, number"), ("has(lr)", ""), ("", "")]
    for option in ("--head", "--tail"):
        assert "--sort cannot be used" in nnictl("trial", "ls", "--sort", "lr", option, "1", exit_code=2)
    trials.answer("ListTrials", pb.ListTrialsResponse())
    monkeypatch.setattr("nni_client.commands.output.is_terminal", lambda: True)
    assert nnictl("trial", "ls", "--filter", "lr > 3") == "The filter holds for no trial.\n"


def test_trial_ls_says_what_is_wrong_with_a_filter(nnictl, trials, refusal):
    text = "filter: character 5: it ends here; allowed is a text or a number"
    trials.answer("ListTrials", refusal(grpc.StatusCode.INVALID_ARGUMENT, text, "INVALID_ARGUMENT"))
    assert text in nnictl("trial", "ls", "--filter", "lr >", exit_code=1)
