"""Trials on three machines, from the first sign-in to the last file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from workspace.environments import ROOT

pytestmark = pytest.mark.slow

TRIAL = """\
import os, platform, socket, sys
import nni
x = nni.get_next_parameter()["x"]
for step in range(3):
    nni.report_intermediate_result(step)
with open(os.path.join(nni.get_output_directory(), "model.txt"), "w") as file:
    file.write(nni.get_trial_id())
print("printed on", socket.gethostname())
print("said on", socket.gethostname(), file=sys.stderr)
nni.report_final_result({"default": x, "host": socket.gethostname(), "python": platform.python_version()})
"""


def test_three_machines_three_ways_to_sign_in(remote_stage, lab, facts_in, nothing_is_left) -> None:
    remote_stage.write("trial.py", TRIAL)
    output = remote_stage.run(
        """
        machines = [machine("gpu-a", "password"), machine("gpu-b"), machine("old", "passphrase")]
        experiment = remote(*machines, trials=9, id="mine")
        assert experiment.run(0) is True
        experiment = Experiment.view("mine", 0, non_blocking=True)
        tell(experiment)
        """
    )
    facts = facts_in(output)
    assert [trial["status"] for trial in facts] == ["SUCCEEDED"] * 9
    assert {trial["host"] for trial in facts} == {"gpu-a", "gpu-b", "old"}
    for trial in facts:
        assert trial["final"]["host"] == trial["host"]
        assert trial["final"]["python"].startswith("3.8.") == (trial["host"] == "old")
        assert trial["values"] == [0, 1, 2]
        folder = remote_stage.experiments / "mine" / "trials" / trial["id"]
        assert (folder / "stdout").read_text() == f"printed on {trial['host']}\n"
        assert (folder / "stderr").read_text() == f"said on {trial['host']}\n"
        assert [path.read_text() for path in folder.rglob("model.txt")] == [trial["id"]]
    assert [host.logins() for host in lab.hosts.values()] == [1, 1, 1]
    nothing_is_left()
    for secret in (lab.credentials.password, lab.credentials.passphrase):
        for path in remote_stage.experiments.rglob("*"):
            assert not path.is_file() or secret.encode() not in path.read_bytes(), path


def test_by_nnictl_and_a_file(remote_stage, lab, nothing_is_left) -> None:
    remote_stage.write("trial.py", TRIAL)
    remote_stage.write(
        "config.yml",
        """\
        experimentName: elsewhere
        searchSpace: {x: {_type: uniform, _value: [0, 1]}}
        trialCommand: python3 trial.py
        trialConcurrency: 2
        maxTrialNumber: 4
        tuner: {name: Random}
        trainingService:
          platform: remote
          machineList:
            - {host: gpu-a, user: ann, sshKeyFile: KEY}
            - {host: old, user: bob, sshKeyFile: KEY}
        """.replace("KEY", str(lab.credentials.key)),
    )
    config = str(remote_stage.folder / "config.yml")
    remote_stage.nnictl("create", "--config", config, "--foreground", "--port", "0")
    (name,) = {path.name for path in remote_stage.experiments.iterdir()} - {"_latest"}
    listed = json.loads(remote_stage.nnictl("trial", "ls", name).stdout)
    assert [trial["status"] for trial in listed] == ["SUCCEEDED"] * 4
    assert {trial["host"] for trial in listed} == {"gpu-a", "old"}
    nothing_is_left()


def test_the_environment_of_a_trial_is_that_of_a_login(remote_stage, lab, facts_in) -> None:
    host = lab.hosts["gpu-a"]
    (host.home() / ".profile").write_text("export FROM_PROFILE=yes\n")
    os.chown(host.home() / ".profile", 21001, 21001)
    remote_stage.write(
        "trial.py",
        """\
        import os, nni
        nni.get_next_parameter()
        names = ["FROM_PROFILE", "HOME", "USER", "NNI_PLATFORM", "NNI_EXP_ID", "LAB_MACHINES"]
        nni.report_final_result({"default": 1, "at": os.getcwd(), **{it: os.environ.get(it) for it in names}})
        """,
    )
    output = remote_stage.run(
        """
        experiment = remote("gpu-a", trials=1, id="mine")
        assert experiment.run(0)
        tell(Experiment.view("mine", 0, non_blocking=True))
        """
    )
    (trial,) = facts_in(output)
    final = trial["final"]
    assert final["FROM_PROFILE"] == "yes"
    assert (final["HOME"], final["USER"]) == ("/home/ann", "ann")
    assert (final["NNI_PLATFORM"], final["NNI_EXP_ID"]) == ("remote", "mine")
    assert final["LAB_MACHINES"] is None
    assert final["at"].startswith("/home/ann/nni-experiments/mine/code/")


def test_a_failed_trial_leaves_its_logs_here(remote_stage, facts_in, nothing_is_left) -> None:
    remote_stage.write("trial.py", "import nni\nnni.get_next_parameter()\nprint('so far')\n1 / 0\n")
    output = remote_stage.run(
        """
        experiment = remote("old", trials=1, id="mine")
        experiment.config.stop_on_early_failures = False
        experiment.run(0)
        tell(Experiment.view("mine", 0, non_blocking=True))
        """
    )
    (trial,) = facts_in(output)
    assert trial["status"] == "FAILED"
    assert "ZeroDivisionError" in output.split("FACTS")[0]
    folder = remote_stage.experiments / "mine" / "trials" / trial["id"]
    assert (folder / "stdout").read_text() == "so far\n"
    assert "ZeroDivisionError" in (folder / "stderr").read_text()
    nothing_is_left()


def test_stopping_leaves_nothing_there(remote_stage, lab, nothing_is_left) -> None:
    remote_stage.write(
        "trial.py",
        """\
        import subprocess, time, nni
        nni.get_next_parameter()
        subprocess.Popen(["setsid", "sleep", "600"])
        nni.report_intermediate_result(1)
        time.sleep(600)
        """,
    )
    remote_stage.run(
        """
        experiment = remote("gpu-a", "gpu-b", "old")
        experiment.start(0)
        while len(experiment.get_job_metrics()) < 3:
            time.sleep(0.1)
        experiment.stop()
        """
    )
    nothing_is_left()


def test_files_are_kept_where_that_is_asked_for(remote_stage, lab) -> None:
    remote_stage.write("trial.py", TRIAL)
    remote_stage.run('assert remote("gpu-a", trials=2, id="mine", keep_remote_files=True).run(0)')
    host = lab.hosts["gpu-a"]
    folder = host.home() / "nni-experiments" / "mine"
    assert len(list((folder / "trials").iterdir())) == 2
    assert host.run("stat -c %a nni-experiments/mine", user="ann") == "700\n"
    assert host.processes() == {}


def test_which_outputs_are_fetched(remote_stage, lab, nothing_is_left) -> None:
    remote_stage.write(
        "trial.py",
        """\
        import os, nni
        nni.get_next_parameter()
        folder = nni.get_output_directory()
        os.makedirs(folder + "/deep/er")
        for name in ("a.txt", "b.bin", "deep/er/c.txt"):
            open(os.path.join(folder, name), "w").write(name)
        nni.report_final_result(1)
        """,
    )
    remote_stage.run('assert remote("gpu-a", trials=1, id="mine", output_files=["*.txt"]).run(0)')
    found = {path.name for path in (remote_stage.experiments / "mine" / "trials").rglob("*.*")}
    assert {"a.txt", "c.txt"} <= found and "b.bin" not in found
    nothing_is_left()


def test_two_users_of_one_machine(remote_stage, lab, nothing_is_left) -> None:
    remote_stage.write("trial.py", TRIAL)
    output = remote_stage.run(
        """
        first = remote("gpu-a", trials=2, id="first")
        second = remote(machine("gpu-a", user="bob"), trials=2, id="second")
        first.start(0)
        second.start(0)
        wait(first)
        wait(second)
        first.stop()
        second.stop()
        """
    )
    assert "denied" not in output
    nothing_is_left()


def test_a_killed_manager_finds_its_trials_again(remote_stage, lab, facts_in, nothing_is_left) -> None:
    remote_stage.write(
        "trial.py",
        """\
        import os, time, nni
        x = nni.get_next_parameter()["x"]
        with open(os.path.expanduser("~/runs"), "a") as file:
            file.write(nni.get_trial_id() + "\\n")
        for step in range(40):
            nni.report_intermediate_result(step)
            time.sleep(0.2)
        nni.report_final_result(x)
        """,
    )
    with remote_stage.start('remote("gpu-a", "old", trials=2, concurrency=2, id="mine").run(0)') as script:
        runs = [lab.hosts[name].home() / "runs" for name in ("gpu-a", "old")]
        assert remote_stage.until(lambda: all(path.exists() for path in runs))
        record = json.loads((remote_stage.experiments / "mine" / "manager.json").read_text())
        os.kill(record["pid"], signal.SIGKILL)
        script.communicate(timeout=60)
    assert remote_stage.until(lambda: not any("courier" in it for it in _commands(lab)), 30), _commands(lab)
    output = remote_stage.run(
        """
        experiment = Experiment("remote", id="mine")
        assert Experiment.resume("mine", 0) is not None
        tell(Experiment.view("mine", 0, non_blocking=True))
        """
    )
    facts = facts_in(output)
    assert [trial["status"] for trial in facts] == ["SUCCEEDED"] * 2
    assert [trial["values"] for trial in facts] == [list(range(40))] * 2
    assert sorted(line for path in runs for line in path.read_text().split()) == sorted(
        trial["id"] for trial in facts
    )
    for path in runs:
        path.unlink()
    nothing_is_left()


def _commands(lab) -> list[str]:
    return [command for host in lab.hosts.values() for command in host.processes().values()]


def test_the_example(remote_stage, lab, nothing_is_left) -> None:
    hosts = [f"ann@{lab.hosts[name].address}" for name in ("gpu-a", "old")]
    script = ROOT / "examples" / "remote" / "search.py"
    done = subprocess.run(
        [sys.executable, script, *hosts, "--key", lab.credentials.key, "--trials", "4", "--port", "0"],
        env=remote_stage.environment,
        cwd=remote_stage.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(remote_stage.experiments.glob("_latest/trials/*/**/weights.txt"))) == 4
    nothing_is_left()
