"""NNI 3.0's page of the same trials: its experiment's folder is written, and its own nnictl shows it."""

from __future__ import annotations

import json
import math
import os
import socket
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from nni_manager.engine.statuses import MetricKind

from workspace.launch import ToolError
from workspace.made_experiment.space import SEARCH_SPACE
from workspace.made_experiment.trials import SLOTS, STARTED_AT, MadeTrial, made_trials

_ID = "made"
_PATIENCE = 120.0
_TRIES = 5
_TABLES = """
create table TrialJobEvent (timestamp integer, trialJobId text, event text, data text, logPath text,
    sequenceId integer, message text, environmentId text);
create index TrialJobEvent_trialJobId on TrialJobEvent(trialJobId);
create index TrialJobEvent_event on TrialJobEvent(event);
create table MetricData (timestamp integer, trialJobId text, parameterId text, type text, sequence integer,
    data text);
create index MetricData_trialJobId on MetricData(trialJobId);
create index MetricData_type on MetricData(type);
create table ExperimentProfile (params text, id text, execDuration integer, startTime integer,
    endTime integer, logDir text, nextSequenceId integer, revision integer);
create index ExperimentProfile_id on ExperimentProfile(id);
"""
_KINDS = {MetricKind.FINAL: "FINAL", MetricKind.INTERMEDIATE: "PERIODICAL"}


@contextmanager
def nni_page(python: str, home: Path, trials: int, intermediates: int) -> Iterator[str]:
    """Shows made trials by NNI's own page while the body runs; gives its address.

    Args:
        python: An interpreter that has NNI 3.0.
        home: An empty folder, NNI's home folder.
        trials: How many trials.
        intermediates: How many intermediate results each reports at most.

    Raises:
        ToolError: NNI does not show them.
    """
    _write(home / "nni-experiments", trials, intermediates)
    nnictl = str(Path(python).with_name("nnictl"))
    environment = {**os.environ, "HOME": str(home)}
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]

    def run(*words: str) -> str:
        done = subprocess.run(
            [nnictl, *words],
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_PATIENCE,
        )
        if done.returncode != 0:
            raise ToolError(f"nnictl {words[0]} of {python} failed:\n{done.stdout}")
        return done.stdout

    said = ""
    for left in reversed(range(_TRIES)):  # nnictl gives a slow manager four seconds
        try:
            said = run("view", _ID, "--port", str(port))
            break
        except ToolError:
            if left == 0:
                raise
    try:
        _wait(f"http://127.0.0.1:{port}/api/v1/nni/check-status", said)
        yield f"http://127.0.0.1:{port}/"
    finally:
        run("stop", _ID)


def _wait(address: str, said: str) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise ToolError(f"NNI's page does not answer; nnictl view said:\n{said}")


def _write(experiments: Path, trials: int, intermediates: int) -> None:
    folder = experiments / _ID
    for name in ("db", "log", "checkpoint"):
        (folder / name).mkdir(parents=True)
    with closing(sqlite3.connect(folder / "db" / "nni.sqlite")) as database:
        database.executescript(_TABLES)
        for trial in made_trials(_ID, trials, intermediates, seed=0):
            database.executemany("insert into TrialJobEvent values (?,?,?,?,?,?,?,?)", _events(trial, folder))
            database.executemany("insert into MetricData values (?,?,?,?,?,?)", _metrics(trial))
        config = _config(experiments, trials)
        started, ended = int(STARTED_AT * 1000), int((STARTED_AT + 3600) * 1000)
        profile = (json.dumps(config), _ID, 3600, started, ended, str(folder), trials, 1)
        database.execute("insert into ExperimentProfile values (?,?,?,?,?,?,?,?)", profile)
        database.commit()
    known = {
        "id": _ID,
        "port": 8080,
        "startTime": started,
        "endTime": ended,
        "status": "STOPPED",
        "platform": "local",
        "experimentName": "made",
        "tag": [],
        "pid": None,
        "webuiUrl": [],
        "logDir": str(experiments),
        "prefixUrl": None,
    }
    (experiments / ".experiment").write_text(json.dumps({_ID: known}))


def _config(experiments: Path, trials: int) -> dict[str, Any]:
    command = {"trialCommand": "python3 train.py", "trialCodeDirectory": str(experiments)}
    return {
        "experimentName": "made",
        "experimentWorkingDirectory": str(experiments),
        "searchSpace": SEARCH_SPACE,
        **command,
        "trialConcurrency": SLOTS,
        "maxTrialNumber": trials,
        "useAnnotation": False,
        "debug": False,
        "logLevel": "info",
        "tuner": {"name": "Random"},
        "trainingService": {
            "platform": "local",
            **command,
            "debug": False,
            "maxTrialNumberPerGpu": 1,
            "reuseMode": False,
        },
    }


def _events(trial: MadeTrial, folder: Path) -> Iterator[tuple[object, ...]]:
    record = trial.record
    parameters = {
        "parameter_id": record.sequence_number,
        "parameter_source": "algorithm",
        "parameters": record.parameters,
        "parameter_index": 0,
    }
    files = str(folder / "environments" / "local-env" / "trials" / record.trial_id)
    times = (record.created_at, record.started_at, record.ended_at)
    names = ("WAITING", "RUNNING", record.status.value)
    for place, (at, name) in enumerate(zip(times, names, strict=True)):
        if at is not None:
            data = json.dumps(parameters) if place == 0 else None
            number = record.sequence_number
            yield int(at * 1000), record.trial_id, name, data, files, number, None, "local-env"


def _metrics(trial: MadeTrial) -> Iterator[tuple[object, ...]]:
    """Yields results that NNI's page can show: it is empty when one has none or no number."""
    record = trial.record
    results = [(each.reported_at, each.kind, each.index, _number(each.value)) for each in trial.metrics]
    if all(kind is MetricKind.FINAL for _, kind, _, _ in results):
        results.append((record.created_at, MetricKind.INTERMEDIATE, 0, 0.0))
    for at, kind, index, number in results:
        data = json.dumps(json.dumps(number))
        yield int(at * 1000), record.trial_id, str(record.sequence_number), _KINDS[kind], index, data


def _number(value: Any) -> float:
    number = value.get("default") if isinstance(value, dict) else value
    return number if isinstance(number, int | float) and math.isfinite(number) else 0.0
