"""The records of Microsoft's NNI: read as they are, never written."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from nni_client.old_records import is_old_folder, read_old_experiment

DATA = Path(__file__).parent / "data"
EVENT = (
    "INSERT INTO TrialJobEvent (timestamp, trialJobId, event, data, logPath, sequenceId) VALUES (?,?,?,?,?,?)"
)


@pytest.fixture
def folder(tmp_path):
    """The folder of an experiment of NNI 3.0."""
    path = tmp_path / "oldnni30"
    (path / "db").mkdir(parents=True)
    with sqlite3.connect(path / "db" / "nni.sqlite") as connection:
        connection.executescript((DATA / "nni30.sql").read_text(encoding="utf-8"))
    connection.close()
    return path


def change(folder, *statements):
    connection = sqlite3.connect(folder / "db" / "nni.sqlite")
    with connection:
        for statement in statements:
            connection.execute(*(statement if isinstance(statement, tuple) else (statement,)))
    connection.close()


def contents(folder):
    return {
        path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()
    }


def test_what_nni_itself_exported_is_read(folder):
    exported = json.loads((DATA / "nni30_export.json").read_text(encoding="utf-8"))
    expected = [(it["trialJobId"], it["parameter"], json.loads(it["value"])) for it in exported]
    found = read_old_experiment(folder).export_data()
    # repr: NaN is not equal to itself
    assert repr([(it.trialJobId, it.parameter, it.value) for it in found]) == repr(expected)


def test_trials_results_and_profile(folder):
    experiment = read_old_experiment(folder)
    assert (experiment.id, experiment.name) == ("oldnni30", "an old one")
    assert experiment.config["trialCommand"] == "python3 trial.py"
    assert experiment.profile["nextSequenceId"] == 9
    assert [trial.sequenceId for trial in experiment.trials] == list(range(8))
    first, _, failed, *_ = experiment.trials
    assert first.status == "SUCCEEDED"
    assert first.hyperParameters[0].parameter_source == "customized"
    assert first.hyperParameters[0].parameters == {
        "lr": 0.05,
        "act": "relu",
        "layer0": {"_name": "Conv", "k": 2},
    }
    assert first.finalMetricData[0].data == {"default": 1.0, "note": "größer ✓", "loss": 0.05}
    assert 0 < first.startTime < first.endTime
    assert failed.status == "FAILED"
    assert failed.finalMetricData == []
    assert failed.stderrPath.endswith("trials/rJUem/stderr")
    reported = experiment.metrics["rJUem"]
    assert [(it.type, it.sequence, it.data["loss"]) for it in reported] == [
        ("PERIODICAL", 0, 1.0),
        ("PERIODICAL", 1, 0.9),
        ("PERIODICAL", 2, 0.8),
    ]


def test_nothing_is_written(folder):
    before = contents(folder)
    (folder / "db").chmod(0o500)
    (folder / "db" / "nni.sqlite").chmod(0o400)
    read_old_experiment(folder)
    assert contents(folder) == before
    assert [path.name for path in (folder / "db").iterdir()] == ["nni.sqlite"]


def test_what_a_crash_left_half_done_is_undone_in_a_copy(folder):
    record = folder / "db" / "nni.sqlite"
    change(folder, *[("INSERT INTO MetricData (data) VALUES (?)", ("x" * 1000,))] * 2000)
    connection = sqlite3.connect(record, isolation_level=None)
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("PRAGMA cache_spill = 1")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE MetricData SET data = '\"9\"'")
    journal = record.with_name("nni.sqlite-journal").read_bytes()
    torn = record.read_bytes()
    connection.execute("ROLLBACK")
    connection.close()
    record.write_bytes(torn)
    record.with_name("nni.sqlite-journal").write_bytes(journal)
    before = contents(folder)
    assert read_old_experiment(folder).trials[0].finalMetricData[0].data["default"] == 1.0
    assert contents(folder) == before


def test_version_2_and_what_was_imported(folder):
    record = {
        "parameter_id": 9,
        "parameter_source": "algorithm",
        "parameters": {"lr": 1},
        "parameter_index": 0,
    }
    change(
        folder,
        "ALTER TABLE TrialJobEvent DROP COLUMN environmentId",
        "ALTER TABLE TrialJobEvent DROP COLUMN message",
        (EVENT, (1000, "abcde", "WAITING", json.dumps(record), "/out/abcde", 8)),
        (EVENT, (2000, "abcde", "RUNNING", None, "/out/abcde", 8)),
        (EVENT, (3000, "abcde", "USER_TO_CANCEL", None, "/out/abcde", 8)),
        (EVENT, (4000, "abcde", "USER_CANCELED", None, "/out/abcde", 8)),
        (EVENT, (5000, "fghij", "WAITING", json.dumps(record), "/out/fghij", 9)),
        (
            EVENT,
            (5000, "", "IMPORT_DATA", '[{"parameter":{"lr":2},"value":"{\\"default\\": 3}"}]', None, None),
        ),
        (EVENT, (5000, "", "IMPORT_DATA", "no json", None, None)),
    )
    experiment = read_old_experiment(folder)
    assert experiment.imported == [{"parameter": {"lr": 2}, "value": {"default": 3}}]
    canceled, lost = experiment.trials[8:]
    assert (canceled.status, canceled.startTime, canceled.endTime) == ("USER_CANCELED", 2000, 4000)
    assert canceled.hyperParameters[0].parameter_id == 9
    assert (lost.status, lost.message) == ("UNKNOWN", "NNI's record does not say how it ended")


def test_what_is_no_record(tmp_path):
    assert not is_old_folder(tmp_path)
    with pytest.raises(RuntimeError, match="is no experiment of NNI"):
        read_old_experiment(tmp_path)
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "nni.sqlite").write_text("this is no database " * 100)
    assert is_old_folder(tmp_path)
    with pytest.raises(RuntimeError, match=r"nni\.sqlite cannot be read: file is not a database"):
        read_old_experiment(tmp_path)
    (tmp_path / "db" / "nni.sqlite").write_text("")
    assert read_old_experiment(tmp_path).trials == []
