"""nnictl experiment export and import: of running, ended and NNI's experiments."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from pathlib import Path

import grpc
import pytest
from nni_client import trial_import
from nni_client.commands import main
from nni_client.csv_form import from_csv
from nni_client.json_form import from_json
from nni_config.local_state import ManagerRecord, write_manager_record
from nni_config.processes import process_start_time
from nni_proto.v1 import experiment_service_pb2 as pb
from nni_proto.v1.metric_pb2 import METRIC_KIND_INTERMEDIATE, Metric
from nni_proto.v1.trial_pb2 import Trial
from nni_proto.values import from_message, to_message

DATA = Path(__file__).parent / "data"
NAME = "experiments/new1"


@pytest.fixture
def nnictl(home, capsys, monkeypatch):
    """Runs nnictl in this process and returns what it printed."""

    def run(*words, exit_code=0):
        monkeypatch.setattr(sys, "argv", ["nnictl", *map(str, words)])
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


def trial(number, **fields):
    return Trial(
        name=f"{NAME}/trials/t{number}",
        sequence_number=number,
        status=Trial.STATUS_SUCCEEDED,
        parameter_source=Trial.PARAMETER_SOURCE_ALGORITHM,
        parameter_id=number,
        parameters=to_message({"lr": number / 10, "layer0": {"_name": "Conv", "k": number}}),
        **fields,
    )


@pytest.fixture
def running(home, service):
    """An experiment that runs, new1, with three trials in two pages."""
    folder = home / "nni-experiments" / "new1"
    (folder / "db").mkdir(parents=True)
    (folder / "db" / "experiment.sqlite").touch()
    record = ManagerRecord(
        experiment_id="new1",
        pid=os.getpid(),
        process_start_time=process_start_time(os.getpid()),
        port=service.address.port,
        bind="127.0.0.1",
        url_prefix="",
        token=service.address.token,
        directory=str(folder),
    )
    write_manager_record(record, folder)
    first = [trial(0, final_result=to_message({"default": float("nan"), "größe": "✓"})), trial(1)]
    second = [trial(2, final_result=to_message(3), attempt=1)]

    def trials(request):
        if request.page_token:
            return pb.ListTrialsResponse(trials=second)
        return pb.ListTrialsResponse(trials=first, next_page_token="more")

    def metric(number, value, attempt=0):
        trial_name, kind = f"{NAME}/trials/t{number}", METRIC_KIND_INTERMEDIATE
        return Metric(trial=trial_name, kind=kind, value=to_message(value), attempt=attempt)

    metrics = [metric(0, 0.5), metric(1, 1), metric(2, "dead attempt"), metric(0, None), metric(2, [2], 1)]
    service.answer("ListTrials", trials)
    service.answer("ListMetrics", pb.ListMetricsResponse(metrics=metrics))
    service.answer(
        "ImportTrials", lambda request: pb.ImportTrialsResponse(imported_count=len(request.trials))
    )
    return service


@pytest.fixture
def old(home):
    """An experiment of NNI 3.0, oldnni30."""
    path = home / "nni-experiments" / "oldnni30"
    (path / "db").mkdir(parents=True)
    connection = sqlite3.connect(path / "db" / "nni.sqlite")
    connection.executescript((DATA / "nni30.sql").read_text(encoding="utf-8"))
    connection.close()
    return path


def test_a_running_one_is_exported(nnictl, running, tmp_path):
    file = tmp_path / "out.json"
    assert nnictl("experiment", "export", "-f", file) == (
        f"Exported 2 results of experiment new1 to {file}; 1 trial without a final result left out\n"
    )
    first, second = from_json(file.read_text(encoding="utf-8"))
    assert repr(first.value) == "{'default': nan, 'größe': '✓'}"
    assert (first.parameter, first.status, first.source, first.intermediate) == (
        {"lr": 0.0, "layer0": {"_name": "Conv", "k": 0}},
        "SUCCEEDED",
        "algorithm",
        None,
    )
    assert (second.value, second.trialJobId, second.sequenceId, second.parameterId) == (3, "t2", 2, 2)
    assert running.calls("ListMetrics") == []


@pytest.mark.parametrize("words", [["-t", "csv", "-f", "table"], ["--file", "table.csv"]])
def test_a_table_with_intermediate_results(nnictl, running, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    nnictl("experiment", "export", "new", "--inter", *words)
    first, second = from_csv((tmp_path / words[-1]).read_bytes().decode())
    assert (first.intermediate, second.intermediate) == ([0.5, None], [[2]])
    assert (tmp_path / words[-1]).read_text().startswith("lr,layer0._name,layer0.k,metric.default,")


def test_no_results_is_an_error_and_no_file(nnictl, running, tmp_path):
    running.answer("ListTrials", pb.ListTrialsResponse(trials=[trial(1)]))
    (tmp_path / "out.json").write_text("what was there")
    text = nnictl("experiment", "export", "-f", tmp_path / "out.json", exit_code=1)
    assert text.startswith("ERROR: Experiment new1 has no results to export")
    assert (tmp_path / "out.json").read_text() == "what was there"


def test_one_of_nni_is_exported_as_nni_did(nnictl, old, tmp_path):
    assert "Exported 7 results" in nnictl(
        "experiment", "export", "oldnni30", "-t", "json", "-i", "-f", tmp_path
    )
    entries = json.loads((tmp_path / "oldnni30.json").read_text(encoding="utf-8"))
    expected = json.loads((DATA / "nni30_export.json").read_text(encoding="utf-8"))
    found = [{name: entry[name] for name in ("parameter", "value", "trialJobId")} for entry in entries]
    decoded = [[{**it, "value": json.loads(it["value"])} for it in each] for each in (found, expected)]
    assert repr(decoded[0]) == repr(decoded[1])
    assert [json.loads(text)["loss"] for text in entries[0]["intermediate"]] == [1.0, 0.9, 0.8]


def test_all_are_exported_one_file_each(nnictl, running, old, home, tmp_path):
    (home / "nni-experiments" / "broken" / "db").mkdir(parents=True)
    (home / "nni-experiments" / "broken" / "db" / "nni.sqlite").write_text("no database " * 100)
    text = nnictl("experiment", "export", "--all", "-t", "csv", "-f", tmp_path / "a" / "b", exit_code=1)
    assert text.startswith("ERROR: experiment broken: The record of NNI in ")
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == ["new1.csv", "oldnni30.csv"]
    assert len(from_csv((tmp_path / "a" / "b" / "oldnni30.csv").read_text(encoding="utf-8"))) == 7


def test_what_cannot_be_exported(nnictl, old, tmp_path):
    assert "There is no experiment xyz" in nnictl("experiment", "export", "xyz", "-f", "a", exit_code=1)
    text = nnictl("experiment", "export", "oldnni30", "-f", tmp_path / "none" / "a.json", exit_code=1)
    assert text == f"ERROR: {tmp_path}/none/a.json: No such file or directory\n"
    nnictl("experiment", "export", "oldnni30", "--all", "-f", "a", exit_code=2)
    nnictl("experiment", "export", "oldnni30", "-t", "xml", "-f", "a", exit_code=2)


def imported(service):
    requests = service.calls("ImportTrials")
    assert len({request.request_id for request in requests}) == len(requests)
    assert {request.parent for request in requests} == {NAME}
    return [
        (from_message(it.parameters), from_message(it.value)) for request in requests for it in request.trials
    ]


@pytest.mark.parametrize("name", ["a.json", "a.csv", "a", "a.txt"])
def test_what_was_exported_is_imported(nnictl, running, tmp_path, name):
    nnictl("experiment", "export", "-t", "csv" if name == "a.csv" else "json", "-f", tmp_path / name)
    assert (
        nnictl("experiment", "import", "-f", tmp_path / name) == "Imported 2 results into experiment new1\n"
    )
    assert repr(imported(running)) == repr(
        [
            ({"lr": 0.0, "layer0": {"_name": "Conv", "k": 0}}, {"default": float("nan"), "größe": "✓"}),
            ({"lr": 0.2, "layer0": {"_name": "Conv", "k": 2}}, 3),
        ]
    )


def test_a_file_with_a_byte_order_mark(nnictl, running, tmp_path):
    (tmp_path / "a.csv").write_text("lr,reward\n0.1,0.5\n", encoding="utf-8-sig")
    nnictl("experiment", "import", "new1", "-f", tmp_path / "a.csv")
    assert imported(running) == [({"lr": 0.1}, 0.5)]


@pytest.mark.parametrize("as_folder", [False, True])
def test_the_results_of_an_experiment_of_nni_are_imported(nnictl, running, old, as_folder):
    assert "Imported 7 results" in nnictl(
        "experiment", "import", "new1", "--from", old if as_folder else "old"
    )
    expected = json.loads((DATA / "nni30_export.json").read_text(encoding="utf-8"))
    assert repr(imported(running)) == repr([(it["parameter"], json.loads(it["value"])) for it in expected])


def test_many_are_sent_in_chunks(nnictl, running, tmp_path, monkeypatch, refusal):
    monkeypatch.setattr(trial_import, "CHUNK_TRIALS", 2)
    monkeypatch.setattr(trial_import, "CHUNK_BYTES", 1000)
    entries = [{"parameter": {"x": "a" * (600 if index > 3 else 1)}, "value": index} for index in range(6)]
    (tmp_path / "a.json").write_text(json.dumps(entries))
    assert "Imported 6 results" in nnictl("experiment", "import", "-f", tmp_path / "a.json")
    assert [len(request.trials) for request in running.calls("ImportTrials")] == [2, 2, 1, 1]
    assert [value for _, value in imported(running)] == list(range(6))
    refused = refusal(grpc.StatusCode.FAILED_PRECONDITION, "it has ended", "WRONG_EXPERIMENT_STATUS")
    running.answer("ImportTrials", pb.ImportTrialsResponse(imported_count=2), refused)
    text = nnictl("experiment", "import", "-f", tmp_path / "a.json", exit_code=1)
    assert text == "ERROR: it has ended (the first 2 of 6 results were imported before)\n"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("[]", "there are no results to import"),
        ("x,reward\n", "there are no results to import"),
        (
            '[{"parameter": {"a": 1}, "value": 1}, {"parameter": 7, "value": 1}]',
            'entry 2: "parameter" is 7; allowed',
        ),
        (
            '[{"parameter": {"a": 9223372036854775808}, "value": 1}]',
            'entry 1: "parameter": a: 9223372036854775808',
        ),
        ('[{"parameter": {"a": "\\ud800"}, "value": 1}]', "is not valid Unicode text"),
        ('[{"parameter": {}, "value": ' + "[" * 31 + "]" * 31 + "}]", "nested more than 30 levels deep"),
    ],
)
def test_what_cannot_be_imported(nnictl, running, tmp_path, content, problem):
    (tmp_path / "a").write_text(content)
    text = nnictl("experiment", "import", "-f", tmp_path / "a", exit_code=1)
    assert text.startswith(f"ERROR: {tmp_path}/a: ")
    assert problem in text
    assert running.calls("ImportTrials") == []


def test_more_that_cannot_be_imported(nnictl, running, tmp_path):
    nnictl("experiment", "import", exit_code=2)
    nnictl("experiment", "import", "-f", "a", "--from", "b", exit_code=2)
    (tmp_path / "a.csv").write_bytes(b"x,reward\n\xff,1\n")
    assert "a.csv: not UTF-8 text" in nnictl("experiment", "import", "-f", tmp_path / "a.csv", exit_code=1)
    assert "No such file" in nnictl("experiment", "import", "-f", tmp_path / "none", exit_code=1)
    assert "There is no experiment xyz" in nnictl("experiment", "import", "--from", "xyz", exit_code=1)
    assert "knows its own results" in nnictl("experiment", "import", "new1", "--from", "new1", exit_code=1)
    assert "no experiment running" in nnictl("experiment", "import", "abc", "-f", "a", exit_code=1)
