"""Experiments whose trials run in jobs of OpenPAI, by a stand-in; whole processes, as a user has them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openpai_stand_in import OpenPaiStandIn

EXAMPLE = Path(__file__).parents[2] / "examples" / "openpai"

TRIAL = """\
import nni, os
x = nni.get_next_parameter()["x"]
print("said in", os.environ["PAI_JOB_NAME"])
nni.report_intermediate_result(x / 2)
nni.report_final_result(x)
"""

SCRIPT = """
    from nni.experiment.config import OpenpaiConfig
    pai = dict(host={host!r}, username="ada", token="sesame", trial_cpu_number=1, trial_gpu_number=0,
        trial_memory_size="1gb", storage_config_name="data", local_storage_mount_point={mount!r},
        container_storage_mount_point={mount!r})
    def on_pai(trials, concurrency, **fields):
        experiment = make("python3 trial.py", trials, concurrency, "openpai", id="mine")
        for name, value in (pai | fields).items():
            setattr(experiment.config.training_service, name, value)
        return experiment
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[OpenPaiStandIn]:
    mount = tmp_path / "mount"
    mount.mkdir()
    with OpenPaiStandIn(tmp_path / "pai", {"data": mount}) as stand_in:
        yield stand_in


def script(stand_in: OpenPaiStandIn, text: str) -> str:
    return SCRIPT.format(host=stand_in.address, mount=str(stand_in.storages["data"])) + text


def test_trials_in_jobs_of_their_own(stage: Any, stand_in: OpenPaiStandIn) -> None:
    model = 'open(os.path.join(os.environ["NNI_OUTPUT_DIR"], "model"), "w").write(str(x))\n'
    stage.write("trial.py", TRIAL + model)
    output = stage.run(
        script(
            stand_in,
            """
    experiment = on_pai(3, 3, reuse_mode=False)
    assert experiment.run(0)
    print("ALL", *[trial.status for trial in experiment.list_trial_jobs()])
""",
        )
    )
    assert "ALL SUCCEEDED SUCCEEDED SUCCEEDED" in output
    assert len(stand_in.jobs) == 3
    assert {job.state for job in stand_in.jobs.values()} <= {"SUCCEEDED", "STOPPED"}
    for name in stand_in.jobs:
        trial = name.split("_")[2]
        assert stage.experiments.joinpath("mine", "trials", trial, "stdout").read_text() == (
            f"said in ada~{name}\n"
        )
        assert stage.experiments.joinpath("mine", "trials", trial, "model").read_text()
        assert len(list(stand_in.storages["data"].glob(f"nni/mine/*/trials/{trial}/model"))) == 1, "it stays"
    assert "sesame" not in stage.experiments.joinpath("mine", "log", "nnimanager.log").read_text()


@pytest.mark.slow
def test_a_pool_of_jobs_that_nothing_is_left_of(stage: Any, stand_in: OpenPaiStandIn) -> None:
    stage.write("trial.py", TRIAL)
    output = stage.run(
        script(
            stand_in,
            """
    experiment = on_pai(6, 2)
    assert experiment.run(0)
    print("ALL", *[trial.status for trial in experiment.list_trial_jobs()])
""",
        )
    )
    assert output.count("SUCCEEDED") >= 6
    assert len(stand_in.jobs) == 2
    assert stage.until(lambda: all(job.ended.is_set() for job in stand_in.jobs.values()))
    assert list((stand_in.storages["data"] / "nni").iterdir()) == []


@pytest.mark.slow
def test_what_is_wrong_is_said_at_the_start(stage: Any, stand_in: OpenPaiStandIn) -> None:
    output = stage.run(
        script(
            stand_in,
            """
    try:
        on_pai(1, 1, token="wrong").run(0)
    except Exception as error:
        print("SAID", " ".join(str(error).split()))
""",
        )
    )
    assert "SAID" in output
    assert 'the token is not taken ("Your token is invalid."); make a new token' in output
    assert stand_in.jobs == {}


WAITING_TRIAL = """\
import nni, os, time
x = nni.get_next_parameter()["x"]
while not os.path.exists({gate!r}):
    time.sleep(0.05)
nni.report_final_result(x)
"""


@pytest.mark.slow
def test_a_token_that_expires_while_trials_run(stage: Any, stand_in: OpenPaiStandIn, tmp_path: Path) -> None:
    gate, token = tmp_path / "gate", tmp_path / "token"
    token.write_text("sesame")
    stage.write("trial.py", WAITING_TRIAL.format(gate=str(gate)))
    body = f"""
    experiment = on_pai(3, 2, token=None, token_file={str(token)!r}, reuse_mode=False)
    assert experiment.run(0)
    print("ALL", *[trial.status for trial in experiment.list_trial_jobs()])
"""
    log = stage.experiments / "mine" / "log" / "nnimanager.log"
    with stage.start(script(stand_in, body)) as process:
        assert stage.until(lambda: [job.state for job in stand_in.jobs.values()] == ["RUNNING"] * 2)
        stand_in.accounts["ada"].tokens = {"sesame-2"}
        assert stage.until(lambda: "the token is not taken" in log.read_text())
        gate.write_text("")  # two end, and a third cannot be submitted
        assert stage.until(lambda: all(job.ended.is_set() for job in stand_in.jobs.values()))
        assert stage.until(
            lambda: f"write it to {token}" in stage.nnictl("trial", "ls", "mine", "--json").stdout
        )
        token.write_text("sesame-2")
        output, _ = process.communicate(timeout=100)
    assert "ALL SUCCEEDED SUCCEEDED SUCCEEDED" in output
    assert len(stand_in.jobs) == 3
    assert str(token) in log.read_text()
    assert "sesame" not in log.read_text()


@pytest.mark.slow
def test_jobs_outlive_a_killed_manager(stage: Any, stand_in: OpenPaiStandIn, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    stage.write("trial.py", WAITING_TRIAL.format(gate=str(gate)))
    body = """
    experiment = on_pai(2, 2, reuse_mode=False)
    experiment.start(0)
    while [trial.status for trial in experiment.list_trial_jobs()] != ["RUNNING"] * 2:
        time.sleep(0.1)
    os.kill(experiment.get_experiment_metadata("mine")["pid"], signal.SIGKILL)
    open(GATE, "w").close()
    os._exit(0)
"""
    stage.run(script(stand_in, f"    GATE = {str(gate)!r}\n{body}"))
    stage.environment["NNI_SECRET_TRAINING_SERVICE_TOKEN"] = "sesame"
    output = stage.run('    assert Experiment.resume("mine", 0)\n')
    assert "2 succeeded" in output
    assert len(stand_in.jobs) == 2


GATED_TRIAL = """\
import nni, os, time
x = nni.get_next_parameter()["x"]
gate = {gate!r} + ("_job" if "PAI_JOB_NAME" in os.environ else "_here")
while not os.path.exists(gate):
    time.sleep(0.05)
nni.report_final_result(x)
"""


@pytest.mark.slow
def test_openpai_is_away_at_a_resume(stage: Any, stand_in: OpenPaiStandIn, tmp_path: Path) -> None:
    """What runs here goes on meanwhile, and the jobs are adopted when OpenPAI is back."""
    gate = str(tmp_path / "gate")
    stage.write("trial.py", GATED_TRIAL.format(gate=gate))
    body = """
    from nni.experiment.config import LocalConfig
    experiment = make(trials=6, concurrency=3, id="mine")
    experiment.config.training_service = [LocalConfig(trial_concurrency=1), OpenpaiConfig(**pai)]
    experiment.start(0)
    while [trial.status for trial in experiment.list_trial_jobs()] != ["RUNNING"] * 3:
        time.sleep(0.1)
    os.kill(experiment.get_experiment_metadata("mine")["pid"], signal.SIGKILL)
    os._exit(0)
"""
    stage.run(script(stand_in, body))
    for method in ("GET", "POST", "PUT"):
        stand_in.fail(method, "", 503, times=1_000_000)
    stage.environment["NNI_SECRET_TRAINING_SERVICE_1_TOKEN"] = "sesame"
    with stage.start('    assert Experiment.resume("mine", 0)\n') as process:
        Path(f"{gate}_here").touch()
        assert stage.until(
            lambda: stage.nnictl("trial", "ls", "mine", "--json").stdout.count("SUCCEEDED") == 4
        )
        assert stage.nnictl("trial", "ls", "mine", "--json").stdout.count('"RUNNING"') == 2
        status = " ".join(stage.nnictl("status", "mine").stdout.split())
        assert f"OpenPAI at {stand_in.address} does not answer" in status
        assert "has a problem of its own: it answers 503" in status
        assert "the trials that ran there are looked for, and others run without it meanwhile" in status
        Path(f"{gate}_job").touch()
        stand_in.faults.clear()
        output, _ = process.communicate(timeout=100)
    assert "6 succeeded" in output
    assert len(stand_in.jobs) == 2
    assert stage.until(lambda: all(job.ended.is_set() for job in stand_in.jobs.values()))


@pytest.mark.slow
def test_a_resume_whose_token_is_refused_ends_at_once(stage: Any, stand_in: OpenPaiStandIn) -> None:
    stage.write("trial.py", WAITING_TRIAL.format(gate="/not/opened"))
    body = """
    experiment = on_pai(1, 1)
    experiment.start(0)
    while [trial.status for trial in experiment.list_trial_jobs()] != ["RUNNING"]:
        time.sleep(0.1)
    os.kill(experiment.get_experiment_metadata("mine")["pid"], signal.SIGKILL)
    os._exit(0)
"""
    stage.run(script(stand_in, body))
    stage.environment["NNI_SECRET_TRAINING_SERVICE_TOKEN"] = "wrong"
    refused = stage.nnictl("resume", "mine", "--foreground", exit_code=1)
    assert 'the token is not taken ("Your token is invalid.")' in " ".join(refused.stderr.split())
    stage.environment["NNI_SECRET_TRAINING_SERVICE_TOKEN"] = "sesame"
    assert "Stopped 1 job" in stage.nnictl("platform", "clean", "mine").stdout


@pytest.mark.slow
def test_openpai_beside_this_machine(stage: Any, stand_in: OpenPaiStandIn) -> None:
    output = stage.run(
        script(
            stand_in,
            """
    from nni.experiment.config import LocalConfig
    experiment = make(trials=4, concurrency=3)
    experiment.config.training_service = [LocalConfig(trial_concurrency=1), OpenpaiConfig(**pai)]
    assert experiment.run(0)
    trials = experiment.list_trial_jobs()
    print("ALL", *[trial.status for trial in trials])
    print("HOSTS", *sorted({f"<{trial.host}>" for trial in trials}))
""",
        )
    )
    assert "ALL" + " SUCCEEDED" * 4 in output
    assert f"HOSTS <OpenPAI at {stand_in.address}> <this machine>" in output
    assert stage.until(lambda: all(job.ended.is_set() for job in stand_in.jobs.values()))


@pytest.mark.slow
def test_openpai_beside_this_machine_and_one_behind_ssh(
    remote_stage: Any, stand_in: OpenPaiStandIn, lab: Any, facts_in: Any, tmp_path: Path
) -> None:
    """The first two places are kept busy until the third has run a trial."""
    gate = tmp_path / "gate"
    remote_stage.write(
        "trial.py",
        f"""
        import nni, os, time
        x = nni.get_next_parameter()["x"]
        platform = os.environ["NNI_PLATFORM"]
        gate = {{"local": {str(gate)!r}, "remote": "/tmp/gate"}}.get(platform, "/")
        while not os.path.exists(gate):
            time.sleep(0.05)
        nni.report_final_result({{"default": x, "platform": platform}})
        """,
    )
    body = """
    experiment = remote("gpu-a", trials=3, concurrency=3, id="mine")
    there = experiment.config.training_service
    there.machine_list[0].trial_concurrency = 1
    experiment.config.training_service = [LocalConfig(trial_concurrency=1), there, OpenpaiConfig(**pai)]
    experiment.start(0)
    wait(experiment)
    tell(experiment)
    experiment.stop()
"""
    log = remote_stage.experiments / "mine" / "log" / "nnimanager.log"
    with remote_stage.start(script(stand_in, body)) as process:
        assert remote_stage.until(log.exists)
        assert remote_stage.until(
            lambda: "SUCCEEDED" in remote_stage.nnictl("trial", "ls", "mine", "--json").stdout
        )
        gate.touch()
        lab.hosts["gpu-a"].run("touch /tmp/gate")
        output, _ = process.communicate(timeout=100)
    lab.hosts["gpu-a"].run("rm /tmp/gate")
    facts = facts_in(output)
    assert [trial["status"] for trial in facts] == ["SUCCEEDED"] * 3
    assert {(trial["host"], trial["final"]["platform"]) for trial in facts} == {
        ("this machine", "local"),
        ("gpu-a", "remote"),
        (f"OpenPAI at {stand_in.address}", "openpai"),
    }
    assert remote_stage.until(lambda: all(job.ended.is_set() for job in stand_in.jobs.values()))


@pytest.mark.slow
def test_what_a_killed_manager_leaves_is_cleaned(stage: Any, stand_in: OpenPaiStandIn) -> None:
    stage.write("trial.py", WAITING_TRIAL.format(gate="/not/opened"))
    body = """
    experiment = on_pai(2, 2)
    experiment.start(0)
    while [trial.status for trial in experiment.list_trial_jobs()] != ["RUNNING"] * 2:
        time.sleep(0.1)
    os.kill(experiment.get_experiment_metadata("mine")["pid"], signal.SIGKILL)
    os._exit(0)
"""
    stage.run(script(stand_in, body))
    refused = stage.nnictl("platform", "clean", "mine", exit_code=1)
    assert "NNI_SECRET_TRAINING_SERVICE_TOKEN" in refused.stderr
    stage.environment["NNI_SECRET_TRAINING_SERVICE_TOKEN"] = "sesame"
    assert "Would stop 2 jobs." in stage.nnictl("platform", "clean", "mine", "--dry-run").stdout
    assert not any(job.ended.is_set() for job in stand_in.jobs.values())
    assert "Stopped 2 jobs." in stage.nnictl("platform", "clean", "mine").stdout
    assert stage.until(lambda: all(job.ended.is_set() for job in stand_in.jobs.values()))
    told = stage.nnictl("platform", "clean", "mine").stdout
    assert "has no job left on" in told
    assert re.search(r"^archives +OpenPAI at \S+ +\d+ +[\d.]+ [KM]iB", told, re.MULTILINE), told
    assert "are in the storage; --files removes them." in told
    removal = stage.nnictl("platform", "clean", "mine", "--files", "--dry-run").stdout
    assert "Would remove" in removal and "from the storage." in removal
    assert "Removed" in stage.nnictl("platform", "clean", "mine", "--files").stdout
    assert list((stand_in.storages["data"] / "nni").iterdir()) == []
    assert "FOLDER" not in stage.nnictl("platform", "clean", "mine").stdout


@pytest.mark.slow
def test_the_example(stage: Any, stand_in: OpenPaiStandIn) -> None:
    token = stage.home / "token"
    token.write_text("sesame")
    mount = str(stand_in.storages["data"])
    words = [stand_in.address, "ada", "--token-file", token, "--storage", "data", "--mount", mount]
    done = subprocess.run(
        [
            sys.executable,
            EXAMPLE / "search.py",
            *words,
            "--container-mount",
            mount,
            "--trials",
            "4",
            "--port",
            "0",
        ],
        env=stage.environment,
        cwd=stage.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(stage.experiments.glob("_latest/trials/*/line.txt"))) == 4
    assert stage.nnictl("config", "check", str(EXAMPLE / "config.yml"), exit_code=1).stderr.count("\n") == 2
