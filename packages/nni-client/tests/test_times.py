"""Times are kept in UTC and shown as those of this place, with its zone."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from nni_client import screen
from nni_client.commands import main
from nni_client.progress import Progress
from nni_config.experiment_summary import ExperimentSummary, write_summary
from nni_config.local_state import ManagerRecord, write_manager_record
from nni_config.processes import process_start_time
from nni_proto.v1 import experiment_service_pb2 as pb
from nni_proto.v1.experiment_pb2 import Experiment
from nni_proto.v1.trial_pb2 import Trial

MOMENT = 1_700_000_000
"""2023-11-14 22:13:20 in UTC."""

HERE = "2023-11-15 03:43:20+05:30"


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A place whose clocks are 5:30 hours ahead of UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "ABC-5:30")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def nnictl(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Runs nnictl in this process and returns what it printed."""

    def run(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["nnictl", *words])
        try:
            main()
        except SystemExit as end:
            assert not end.code, capsys.readouterr()
        return capsys.readouterr().out

    return run


@pytest.fixture
def folder(home: Path) -> Path:
    folder = home / "nni-experiments" / "abcd1234"
    (folder / "db").mkdir(parents=True)
    (folder / "db" / "experiment.sqlite").touch()
    summary = ExperimentSummary("abcd1234", "", "DONE", "local", MOMENT, started_at=MOMENT, ended_at=MOMENT)
    write_summary(summary, folder)
    return folder


def test_lists(nnictl: Callable[..., str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert json.loads((folder / "summary.json").read_text())["started_at"] == MOMENT
    (row,) = json.loads(nnictl("list", "--all", "--json"))
    assert (row["started"], row["ended"]) == (HERE, HERE)
    monkeypatch.setattr("nni_client.commands.output.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    assert "2023-11-15 03:43 ABC" in nnictl("list", "--all")
    assert "2023-11-15 03:43 ABC" in nnictl("experiment", "delete", "--all", "--dry-run")


def test_what_runs(nnictl: Callable[..., str], folder: Path, service: Any) -> None:
    pid, port = os.getpid(), service.address.port
    start = process_start_time(pid)
    assert start is not None
    write_manager_record(
        ManagerRecord("abcd1234", pid, start, port, "127.0.0.1", "", "t", str(folder)), folder
    )
    experiment = Experiment(name="experiments/abcd1234", status=Experiment.STATUS_RUNNING)
    trial = Trial(name="experiments/abcd1234/trials/aaaaa", status=Trial.STATUS_RUNNING)
    experiment.start_time.FromSeconds(MOMENT)
    trial.start_time.FromSeconds(MOMENT)
    service.answer("GetExperiment", pb.GetExperimentResponse(experiment=experiment))
    service.answer("ListTrials", pb.ListTrialsResponse(trials=[trial]))
    assert nnictl("top", "--looks", "1").count(HERE) == 2
    (row,) = json.loads(nnictl("list", "--json"))
    assert row["started"] == HERE


def test_trials(nnictl: Callable[..., str], folder: Path, service: Any) -> None:
    pid, start = os.getpid(), process_start_time(os.getpid())
    assert start is not None
    record = ManagerRecord("abcd1234", pid, start, service.address.port, "127.0.0.1", "", "t", str(folder))
    write_manager_record(record, folder)
    trial = Trial(name="experiments/abcd1234/trials/aaaaa", status=Trial.STATUS_SUCCEEDED)
    trial.start_time.FromSeconds(MOMENT)
    trial.end_time.FromSeconds(MOMENT)
    service.answer(
        "GetExperiment", pb.GetExperimentResponse(experiment=Experiment(name="experiments/abcd1234"))
    )
    service.answer("ListTrials", pb.ListTrialsResponse(trials=[trial]))
    service.answer("ListMetrics", pb.ListMetricsResponse())
    (shown,) = json.loads(nnictl("trial", "ls", "abcd1234", "--json"))
    assert (shown["startTime"], shown["endTime"]) == (HERE, HERE)


def test_lines_of_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    screen.PlainScreen().show(Progress(Experiment(name="experiments/e", status=Experiment.STATUS_RUNNING)))
    shown = capsys.readouterr().out
    assert re.match(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+05:30\] 0 done", shown), shown
