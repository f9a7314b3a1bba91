"""Results go out, come back, move to another machine and are deleted; nothing is lost on the way."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

OLD_RECORD = Path(__file__).parents[2] / "packages" / "nni-client" / "tests" / "data" / "nni30.sql"

TRIAL = """\
import math, nni, sys
p = nni.get_next_parameter()
x = p["x"]
for step in range(2):
    nni.report_intermediate_result({"default": x * step, "größe": ["ä", None]})
if p["layer"]["_name"] == "Empty":
    more = {"nan": math.nan, "inf": -math.inf, "text": "=1+1", "list": [1, 1.0, True, {}]}
    nni.report_final_result({"default": x, **more})
elif p["layer"]["k"] == "1":
    nni.report_final_result(x)
    sys.exit(3)
else:
    nni.report_final_result(7)
"""

TUNER = """\
import json
from pathlib import Path
from nni.tuner import Tuner

class Listener(Tuner):
    def update_search_space(self, space):
        pass
    def generate_parameters(self, parameter_id, **options):
        return {"x": parameter_id, "layer": {"_name": "Empty"}}
    def receive_trial_result(self, parameter_id, parameters, value, **options):
        pass
    def import_data(self, data):
        with Path("imported.jsonl").open("a") as file:
            file.write(json.dumps(data) + "\\n")
"""

CREATE = """
experiment = make(trials=6, concurrency=2, id="first")
experiment.config.search_space = {
    "x": {"_type": "uniform", "_value": [0, 1]},
    "layer": {"_type": "choice", "_value": [
        {"_name": "Empty"}, {"_name": "Conv", "k": {"_type": "choice", "_value": ["1", 2]}}]},
}
experiment.config.initial_parameters = [
    {"x": 0.25, "layer": {"_name": "Empty"}}, {"x": 1.0, "layer": {"_name": "Conv", "k": "1"}}]
experiment.start(0)
experiment.create_trial({"x": 0, "layer": {"_name": "Conv", "k": 2}})
while experiment.get_status() != "DONE" or not experiment.get_experiment_profile()["origin"]["codeHash"]:
    time.sleep(0.1)
import json
print("EXPORTED", json.dumps([vars(trial) for trial in experiment.export_data()]))
"""


@pytest.fixture
def first(stage):
    """The results of the experiment `first`, as Python has them."""
    stage.write("trial.py", TRIAL)
    # Too large to be known by its content: code that has moved is the same code.
    (stage.folder / "data.bin").write_bytes(b"x" * 3_000_000)
    output = stage.run(CREATE)
    line = next(line for line in output.splitlines() if line.startswith("EXPORTED "))
    results = json.loads(line.removeprefix("EXPORTED "))
    assert len(results) == 6
    return results


def exact(results):
    """Parameters and results, each with its type; NaN equals NaN."""
    return [json.dumps([it["parameter"], it["value"]], sort_keys=True) for it in results]


def listen(stage, *sources):
    """Starts an experiment with a tuner that notes what it is told, and imports each source; returns what."""
    stage.write("listener.py", TUNER)
    stage.write(
        "second.yml",
        f"""
        trialCommand: sleep 100
        trialConcurrency: 1
        trialCodeDirectory: {stage.folder}
        trialStopGracePeriod: 1s
        searchSpace: {{}}
        tuner: {{className: listener.Listener, codeDirectory: {stage.folder}}}
        trainingService: {{platform: local}}
        """,
    )
    stage.nnictl("create", "-c", str(stage.folder / "second.yml"), "-p", "0")
    (row,) = json.loads(stage.nnictl("list", "--json").stdout)
    for words in sources:
        said = stage.nnictl("experiment", "import", row["id"], *words).stdout
        assert re.fullmatch(rf"Imported \d results into experiment {row['id']}\n", said)
    heard = Path(row["directory"]) / "log" / "imported.jsonl"
    assert stage.until(lambda: heard.exists() and heard.read_text().count("\n") == len(sources))
    stage.nnictl("stop", row["id"])
    return [json.loads(line) for line in heard.read_text().splitlines()]


def test_results_go_out_and_come_back(stage, first):
    files = [stage.home / "out.json", stage.home / "out.csv"]
    for file in files:
        said = stage.nnictl("experiment", "export", "first", "-i", "-f", str(file)).stdout
        assert said == f"Exported 6 results of experiment first to {file}\n"
    sources = [*(("-f", str(file)) for file in files), ("--from", "first")]
    assert [exact(heard) for heard in listen(stage, *sources)] == [exact(first)] * 3

    entries = json.loads((stage.home / "out.json").read_text(encoding="utf-8"))
    by_source = {entry["source"] for entry in entries}
    assert by_source == {"initial", "customized", "algorithm"}
    assert {entry["status"] for entry in entries} >= {"SUCCEEDED", "FAILED"}
    for entry in entries:
        values = [json.loads(text) for text in entry["intermediate"]]
        assert [value["größe"] for value in values] == [["ä", None]] * 2
        assert values[1]["default"] == entry["parameter"]["x"]

    # All at once, with those that ended without a result.
    stage.nnictl("experiment", "export", "--all", "-f", str(stage.home / "all"))
    assert [path.name for path in (stage.home / "all").iterdir()] == ["first.json"]
    exported = json.loads((stage.home / "all" / "first.json").read_text(encoding="utf-8"))
    assert [entry["trialJobId"] for entry in exported] == [entry["trialJobId"] for entry in first]
    assert stage.is_quiet(), stage.processes()


def test_results_of_nni_feed_a_new_tuner(stage):
    folder = stage.experiments / "oldnni30"
    (folder / "db").mkdir(parents=True)
    connection = sqlite3.connect(folder / "db" / "nni.sqlite")
    connection.executescript(OLD_RECORD.read_text(encoding="utf-8"))
    connection.close()
    before = (folder / "db" / "nni.sqlite").read_bytes()
    stage.nnictl("experiment", "export", "oldnni30", "-f", "old.json")
    entries = json.loads((stage.home / "old.json").read_text(encoding="utf-8"))
    (heard,) = listen(stage, ("--from", "oldnni30"))
    decoded = [{"parameter": entry["parameter"], "value": json.loads(entry["value"])} for entry in entries]
    assert len(heard) == 7 and exact(heard) == exact(decoded)
    assert len(json.loads(stage.nnictl("trial", "ls", "oldnni30").stdout)) == 8
    assert "recorded by Microsoft's NNI" in stage.nnictl("view", "oldnni30").stdout
    assert "made by NNI" in stage.nnictl("list", "--all").stdout
    text = stage.nnictl("resume", "oldnni30", exit_code=1).stderr
    assert "nnictl experiment import NEW_ID --from oldnni30" in text
    assert (folder / "db" / "nni.sqlite").read_bytes() == before
    assert list(folder.rglob("*")) == [folder / "db", folder / "db" / "nni.sqlite"]


def test_it_moves_to_another_machine_and_goes_on_there(stage, first):
    stage.nnictl("experiment", "save", "first", "-s", "-p", "archives")
    archive = stage.home / "archives" / "nni_experiment_first.zip"
    assert b"secret" not in archive.read_bytes()
    # Nothing of this machine is left.
    stage.nnictl("experiment", "delete", "first", "-y")
    assert not (stage.experiments / "first").exists()
    shutil.rmtree(stage.folder)
    stage.folder.mkdir()
    stage.nnictl("experiment", "load", "-p", str(archive), "-c", "new code", "-l", "new place")
    stage.nnictl("experiment", "export", "first", "-f", "out.json")
    entries = json.loads((stage.home / "out.json").read_text(encoding="utf-8"))
    assert exact([{**it, "value": json.loads(it["value"])} for it in entries]) == exact(first)
    assert [it["trialJobId"] for it in entries] == [it["trialJobId"] for it in first]
    output = stage.run(
        """
        experiment = Experiment(None, "first")
        experiment.load_checkpoint()
        experiment.config.max_trial_number = 8
        assert experiment.resume(0)
        trials = experiment.list_trial_jobs()
        print("TRIALS", len(trials), [len(trial.finalMetricData) for trial in trials[6:]])
        print("CODE", experiment.config.trial_code_directory)
        print("WARNINGS", experiment.get_experiment_profile()["warnings"])
        """
    )
    assert "TRIALS 8 [1, 1]" in output  # they ran, in the code's new place
    assert f"CODE {stage.home}/new code" in output
    assert "WARNINGS []" in output
    assert stage.is_quiet(), stage.processes()


def test_it_is_loaded_beside_itself_under_another_id(stage, first):
    stage.nnictl("experiment", "save", "first", "-p", "a.zip")
    assert "--id" in stage.nnictl("experiment", "load", "-p", "a.zip", exit_code=1).stderr
    loaded = stage.nnictl("experiment", "load", "-p", "a.zip", "--id", "second").stdout
    assert "Loaded experiment second, which was first" in loaded
    trials = {
        name: json.loads(stage.nnictl("trial", "ls", name, "--json").stdout) for name in ("first", "second")
    }
    ids = {name: [it["trialJobId"] for it in listed] for name, listed in trials.items()}
    assert len(set(ids["first"]) | set(ids["second"])) == 2 * len(ids["first"])
    for name, expected in ids.items():
        folder = stage.experiments / name / "trials"
        assert {path.name for path in folder.iterdir()} == set(expected)
    for one, other in zip(trials["first"], trials["second"], strict=True):
        for key in ("hyperParameters", "status", "startTime", "endTime"):
            assert one[key] == other[key]
    stage.nnictl("experiment", "export", "second", "-f", "out.json")
    entries = json.loads((stage.home / "out.json").read_text(encoding="utf-8"))
    assert exact([{**it, "value": json.loads(it["value"])} for it in entries]) == exact(first)
    stage.nnictl("resume", "second", "--trialnum", "8", "-p", "0", "--foreground")
    after = [it["trialJobId"] for it in json.loads(stage.nnictl("trial", "ls", "second", "--json").stdout)]
    assert after[:6] == ids["second"] and len(set(after)) == 8
    assert stage.is_quiet(), stage.processes()


def test_one_that_runs_is_saved_and_its_copy_does_not_take_its_trials(stage, tmp_path):
    stage.write(
        "slow.py",
        "import time, nni\nnni.get_next_parameter()\nnni.report_intermediate_result(1)\ntime.sleep(100)\n",
    )
    stage.run(
        """
        experiment = make("python3 slow.py", trials=2, concurrency=1, id="running")
        experiment.start(0, run_mode=RunMode.Detach)
        while not experiment.get_job_metrics():
            time.sleep(0.1)
        """
    )
    text = stage.nnictl("experiment", "save", "running", "-p", "a.zip").stderr
    assert "trials that run now are lost in the copy" in text
    refused = stage.nnictl("experiment", "delete", "running", "-y", exit_code=1).stderr
    assert "is running" in refused and "nnictl stop running" in refused
    refused = stage.nnictl("experiment", "load", "-p", "a.zip", exit_code=1).stderr
    assert "there is an experiment running already" in refused
    stage.nnictl("stop", "running")
    stage.nnictl("experiment", "delete", "running", "-y")
    stage.nnictl("experiment", "load", "-p", "a.zip")
    assert "STOPPED" in stage.nnictl("list", "--all").stdout
    stage.nnictl("trial", "ls", "running")
    assert stage.is_quiet(), stage.processes()


def test_delete_in_a_folder_of_its_own(stage):
    stage.run(
        """
        experiment = make(trials=1, id="relative")
        experiment.config.experiment_working_directory = "my experiments"
        assert experiment.run(0)
        """
    )
    folder = stage.home / "my experiments"
    precious = stage.home / "precious"
    precious.mkdir()
    (precious / "file").touch()
    assert (folder / "_latest").readlink() == Path("relative")
    trial = next((folder / "relative" / "trials").iterdir())
    (trial / "data").symlink_to(precious)
    assert "Would delete 1 experiment" in stage.nnictl("experiment", "delete", "rel", "--dry-run").stdout
    assert "nobody answered" in stage.nnictl("experiment", "delete", "rel", exit_code=1).stderr
    assert folder.joinpath("relative").is_dir()
    assert "Freed" in stage.nnictl("experiment", "delete", "rel", "-y").stdout
    assert list(folder.iterdir()) == [] and (precious / "file").exists()
    assert (
        "There is no experiment rel"
        in stage.nnictl("experiment", "export", "rel", "-f", "x", exit_code=1).stderr
    )
