"""The code of an experiment: what of it is recorded, and what happens when it changes."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

# Reads the code as it is when the trial starts, and one trial changes it.
CHANGING = """\
import os, time
from pathlib import Path
import nni
nni.get_next_parameter()
print("code", Path(os.environ["NNI_CODE_DIR"]) == Path.cwd(), Path("settings.txt").read_text())
if nni.get_sequence_id() == 1:
    original = Path(os.environ["ORIGINAL"])
    (original / "settings.txt").write_text("changed")
    (original / "notes.txt").unlink()
Path("checkpoint.txt").write_text("new")
time.sleep(0.6)
nni.report_final_result(1)
"""


@pytest.fixture
def changing(stage):
    stage.write("changing.py", CHANGING)
    stage.write("settings.txt", "as it was")
    stage.write("notes.txt", "")
    stage.environment["ORIGINAL"] = str(stage.folder)
    return stage


def code_seen(stage, experiment_id) -> list[str]:
    folders = (stage.experiments / experiment_id / "trials").iterdir()
    outputs = [(folder / "stdout").read_text().strip() for folder in folders]
    return sorted(outputs)


def test_changed_code_is_told_at_the_end_of_an_experiment_that_took_a_moment(changing):
    output = changing.run("assert make('python3 changing.py', trials=3, concurrency=1).run(0)")
    warning = f"Warning: Files in {changing.folder} changed or went while the experiment runs: notes.txt"
    assert output.count(warning) == 1
    assert output.index(warning) < output.index("best trial")


def test_output_of_the_script_in_its_own_folder_is_no_change(changing):
    changing.write(
        "quiet.py", "import time, nni; nni.get_next_parameter(); time.sleep(0.5); nni.report_final_result(1)"
    )
    with (changing.folder / "log").open("w") as log:
        process = changing.start("make('python3 quiet.py', trials=10).run(0)", stdout=log)
        assert process.wait(100) == 0
    output = (changing.folder / "log").read_text()
    assert "10/10 done" in output
    assert "changed or went" not in output


def test_changed_code_is_warned_about_once(changing, id_in):
    output = changing.run(
        """
        import json
        experiment = make("python3 changing.py", trials=8, concurrency=1)
        assert experiment.run(0)
        profile = experiment.get_experiment_profile()
        print("FACTS", json.dumps([profile["warnings"], profile["origin"]["codeHash"]]))
        """
    )
    warning = (
        f"Files in {changing.folder} changed or went while the experiment runs: notes.txt, settings.txt. "
    )
    assert output.count(f"Warning: {warning}") == output.count("changed or went") - 1 == 1
    warnings, code_hash = json.loads(output.partition("FACTS ")[2].splitlines()[0])
    assert [text.startswith(warning) for text in warnings] == [True]
    assert len(code_hash) == len(hashlib.sha256().hexdigest())
    experiment_id = id_in(output)
    log = (changing.experiments / experiment_id / "log" / "nnimanager.log").read_text()
    assert log.count(warning) == 1
    assert code_seen(changing, experiment_id) == ["code True as it was"] * 2 + ["code True changed"] * 6


def test_a_snapshot_is_what_trials_run_in_whatever_becomes_of_the_original(changing, id_in):
    output = changing.run(
        """
        import shutil
        experiment = make("python3 changing.py", trials=5, concurrency=1)
        experiment.config.snapshot_code = True
        code = Path(__file__).parent
        experiment.start(0)
        while experiment.get_status() != "DONE":
            if code.exists() and len(experiment.list_trial_jobs()) == 4:
                code.rename(code.with_name("elsewhere"))
            time.sleep(0.1)
        assert not code.exists()
        assert [trial.status for trial in experiment.list_trial_jobs()] == ["SUCCEEDED"] * 5
        profile = experiment.get_experiment_profile()
        assert profile["warnings"] == [], profile["warnings"]
        assert profile["params"]["trialCodeDirectory"] == str(code)
        experiment.stop()
        """
    )
    experiment_id = id_in(output)
    assert code_seen(changing, experiment_id) == ["code True as it was"] * 5
    copy = changing.experiments / experiment_id / "code"
    assert (copy / "notes.txt").exists() and (copy / "checkpoint.txt").exists()
    assert not (changing.folder.with_name("elsewhere") / "checkpoint.txt").exists()
    assert changing.is_quiet(), changing.processes()


def test_code_that_cannot_be_copied_is_one_clear_error(stage):
    (stage.folder / "up").symlink_to("..")
    output = stage.run(
        """
        experiment = make()
        experiment.config.snapshot_code = True
        try:
            experiment.start(0)
        except ValueError as error:
            print("ERROR", error)
        """
    )
    assert "ERROR" in output and f"the link '{stage.folder}/up'" in output and ".nniignore" in output
    assert "Traceback" not in output
    assert stage.is_quiet(), stage.processes()


def test_a_run_can_be_repeated_from_its_record(stage, id_in):
    def git(*words: str) -> str:
        identity = ["-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false"]
        command = ["git", *identity, *words]
        return subprocess.run(
            command, cwd=stage.folder, env=stage.environment, capture_output=True, text=True, check=True
        ).stdout.strip()

    git("init", "-q")
    git("add", "trial.py")
    git("commit", "-q", "-m", "message")
    output = stage.run(
        """
        import json
        def run(seed=None):
            experiment = make(trials=5, concurrency=1)
            experiment.config.tuner.name = "TPE"
            if seed is not None:
                experiment.config.tuner.class_args["seed"] = seed
            assert experiment.run(0)
            parameters = [t.hyperParameters[0].parameters for t in experiment.list_trial_jobs()]
            return parameters, experiment.get_experiment_profile()["origin"]

        first, origin = run()
        again, origin_again = run(origin["seed"])
        other, _ = run()
        assert first == again and origin == origin_again
        assert other != first
        print("ORIGIN", json.dumps(origin))
        """
    )
    origin = json.loads(output.partition("ORIGIN ")[2].splitlines()[0])
    assert (origin["gitCommit"], origin["gitIsDirty"]) == (git("rev-parse", "HEAD"), False)
    assert {"python", "nni-proto", "nni-config", "nni-trial", "nni-client", "nni-manager"} <= set(
        origin["packageVersions"]
    )


def test_the_status_shows_the_warning(changing):
    output = changing.run(
        """
        experiment = make("python3 changing.py", trials=8, concurrency=1)
        experiment.start(0, run_mode=RunMode.Detach)
        while not experiment.get_experiment_profile()["warnings"]:
            time.sleep(0.1)
        print("STARTED", experiment.id)
        """
    )
    experiment_id = output.split("STARTED ")[1].split()[0]
    try:
        assert "  warning: Files in " in changing.nnictl("status", experiment_id).stdout
        facts = json.loads(changing.nnictl("status", experiment_id, "--json").stdout)
        assert ["settings.txt" in text for text in facts["warnings"]] == [True]
    finally:
        changing.nnictl("stop", experiment_id)
    assert Path(changing.experiments, experiment_id).is_dir()
