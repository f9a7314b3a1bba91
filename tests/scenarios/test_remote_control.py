"""Trials on other machines are stopped, tried again, and found again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from workspace.lab import HostSpec, Laboratory

pytestmark = pytest.mark.slow

NOTING = """\
import os, socket, time, nni
nni.get_next_parameter()
with open(os.path.expanduser("~/runs"), "a") as file:
    file.write(nni.get_trial_id() + "\\n")
for step in range({steps}):
    nni.report_intermediate_result(step)
    time.sleep(0.1)
nni.report_final_result({{"default": 1, "at": socket.gethostname()}})
"""


@pytest.fixture
def kill_manager(remote_stage):
    """Kills the manager of the experiment `mine`."""

    def kill() -> None:
        record = json.loads((remote_stage.experiments / "mine" / "manager.json").read_text())
        os.kill(record["pid"], signal.SIGKILL)
        assert remote_stage.until(lambda: record["pid"] not in remote_stage.processes())

    return kill


def test_a_trial_is_killed_with_all_it_started(remote_stage, lab, facts_in, nothing_is_left) -> None:
    remote_stage.write(
        "trial.py",
        """\
        import subprocess, time, nni
        nni.get_next_parameter()
        if nni.get_sequence_id() == 0:
            subprocess.Popen(["setsid", "bash", "-c", "exec -a started-by-trial sleep 600"])
            nni.report_intermediate_result(1)
            time.sleep(600)
        nni.report_final_result(1)
        """,
    )
    output = remote_stage.run(
        """
        experiment = remote("old", trials=2, concurrency=1, id="mine")
        experiment.start(0)
        while not experiment.get_job_metrics():
            time.sleep(0.1)
        experiment.kill_trial_job(experiment.list_trial_jobs()[0].trialJobId)
        wait(experiment)
        tell(experiment)
        experiment.stop()
        """
    )
    assert [trial["status"] for trial in facts_in(output)] == ["USER_CANCELED", "SUCCEEDED"]
    nothing_is_left()


def test_a_trial_of_a_lost_machine_runs_again_elsewhere(remote_stage, lab, facts_in, nothing_is_left) -> None:
    remote_stage.write("trial.py", NOTING.format(steps='6000 if socket.gethostname() == "gpu-b" else 50'))
    with remote_stage.start(
        """
        experiment = remote("gpu-b", "gpu-a", trials=1, concurrency=1, id="mine", unreachable_limit="2s")
        experiment.config.max_trial_retries = 1
        experiment.start(0)
        wait(experiment)
        tell(experiment)
        print("TOLD", flush=True)
        sys.stdin.read()
        experiment.stop()
        """,
        stdin=-1,
    ) as script:
        runs = lab.hosts["gpu-b"].home() / "runs"
        assert remote_stage.until(runs.exists)
        with lab.hosts["gpu-b"].without_server():
            output = _read_until(script, "TOLD")
            (trial,) = facts_in(output)
            assert (trial["status"], trial["host"]) == ("SUCCEEDED", "gpu-a")
            assert trial["values"] == list(range(50))
        assert remote_stage.until(lambda: not _trials_on(lab.hosts["gpu-b"]), 90)
        script.communicate(timeout=120)
    assert script.returncode == 0
    for name in ("gpu-a", "gpu-b"):
        (lab.hosts[name].home() / "runs").unlink()
    nothing_is_left()


def test_passwords_are_asked_for_again_after_a_crash(
    remote_stage, lab, facts_in, kill_manager, nothing_is_left
) -> None:
    remote_stage.write("trial.py", NOTING.format(steps=150))
    config = (remote_stage.home / ".ssh" / "config").read_text().splitlines()
    without_keys = [line for line in config if "IdentityFile" not in line]
    (remote_stage.home / ".ssh" / "config").write_text("\n".join(without_keys) + "\n")
    with remote_stage.start(
        """
        machines = [machine("gpu-a", "password"), machine("old", "passphrase")]
        remote(*machines, trials=2, concurrency=2, id="mine").run(0)
        """
    ) as script:
        runs = [lab.hosts[name].home() / "runs" for name in ("gpu-a", "old")]
        assert remote_stage.until(lambda: all(path.exists() for path in runs))
        kill_manager()
        script.communicate(timeout=60)
    refused = remote_stage.nnictl("resume", "mine", "--foreground", "--port", "0", exit_code=1)
    for words in ("gpu-a: cannot sign in as ann", "password", "old: cannot sign in as ann", "ssh_passphrase"):
        assert words in refused.stderr, refused
    names = [
        f"NNI_SECRET_TRAINING_SERVICE_MACHINE_LIST_{rest}" for rest in ("0_PASSWORD", "1_SSH_PASSPHRASE")
    ]
    assert all(name in refused.stderr for name in names), refused
    remote_stage.environment[names[0]] = lab.credentials.password
    remote_stage.environment[names[1]] = lab.credentials.passphrase
    remote_stage.nnictl("resume", "mine", "--foreground", "--port", "0")
    facts = facts_in(remote_stage.run('tell(Experiment.view("mine", 0, non_blocking=True))'))
    assert [trial["status"] for trial in facts] == ["SUCCEEDED"] * 2
    assert [trial["values"] for trial in facts] == [list(range(150))] * 2
    for path in runs:
        assert len(path.read_text().split()) == 1
        path.unlink()
    nothing_is_left()


def test_a_manager_is_killed_while_a_machine_is_away(
    remote_stage, lab, facts_in, kill_manager, nothing_is_left
) -> None:
    remote_stage.write("trial.py", NOTING.format(steps=120))
    with remote_stage.start(
        'remote("gpu-a", "gpu-b", trials=2, concurrency=2, id="mine", connect_timeout="3s").run(0)'
    ) as script:
        runs = [lab.hosts[name].home() / "runs" for name in ("gpu-a", "gpu-b")]
        assert remote_stage.until(lambda: all(path.exists() for path in runs))
        with lab.hosts["gpu-b"].cut_off():
            kill_manager()
            script.communicate(timeout=60)
            refused = remote_stage.nnictl("resume", "mine", "--foreground", "--port", "0", exit_code=1)
            assert "gpu-b: unreachable" in refused.stdout + refused.stderr
    remote_stage.nnictl("resume", "mine", "--foreground", "--port", "0")
    facts = facts_in(remote_stage.run('tell(Experiment.view("mine", 0, non_blocking=True))'))
    assert [trial["status"] for trial in facts] == ["SUCCEEDED"] * 2
    assert [trial["values"] for trial in facts] == [list(range(120))] * 2
    for path in runs:
        assert len(path.read_text().split()) == 1
        path.unlink()
    nothing_is_left()


def test_a_resume_goes_on_without_a_machine_and_finds_its_trials_when_it_is_back(
    remote_stage, lab, facts_in, kill_manager, nothing_is_left
) -> None:
    remote_stage.write("trial.py", NOTING.format(steps=60))
    with remote_stage.start(
        """
        remote(
            "gpu-a", "gpu-b", trials=2, concurrency=2, id="mine", connect_timeout="3s", allow_partial=True
        ).run(0)
        """
    ) as script:
        runs = [lab.hosts[name].home() / "runs" for name in ("gpu-a", "gpu-b")]
        assert remote_stage.until(lambda: all(path.exists() for path in runs))
        with lab.hosts["gpu-b"].cut_off():
            kill_manager()
            script.communicate(timeout=60)
            log = remote_stage.experiments / "mine" / "log" / "nnimanager.log"
            resume = "from nni_client.commands import main; main()"
            resumed = subprocess.Popen(
                [sys.executable, "-c", resume, "resume", "mine", "--foreground", "--port", "0"],
                env=remote_stage.environment,
                cwd=remote_stage.home,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            assert remote_stage.until(lambda: "gpu-b is unreachable, its trials go on" in log.read_text())
        output, _ = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, output
    facts = facts_in(remote_stage.run('tell(Experiment.view("mine", 0, non_blocking=True))'))
    assert [trial["status"] for trial in facts] == ["SUCCEEDED"] * 2, facts
    assert [trial["values"] for trial in facts] == [list(range(60))] * 2
    for path in runs:
        assert len(path.read_text().split()) == 1
        path.unlink()
    nothing_is_left()


def test_a_script_that_is_interrupted_leaves_nothing_there(remote_stage, lab, nothing_is_left) -> None:
    remote_stage.write("trial.py", "import time, nni\nnni.get_next_parameter()\ntime.sleep(600)\n")
    with remote_stage.start('remote("gpu-a", "gpu-b", "old", id="mine").run(0)') as script:
        assert remote_stage.until(lambda: all(map(_trials_on, lab.hosts.values())))
        script.send_signal(signal.SIGINT)
        output, _ = script.communicate(timeout=60)
    assert "Traceback" not in output
    nothing_is_left()


def test_what_runs_on_a_machine_that_was_away_at_the_stop_is_stopped_by_a_resume(
    remote_stage, lab, facts_in, nothing_is_left
) -> None:
    remote_stage.write(
        "trial.py",
        """\
        import time, nni
        nni.get_next_parameter()
        nni.report_intermediate_result(1)
        time.sleep(600)
        """,
    )
    with remote_stage.start(
        """
        experiment = remote("gpu-b", "gpu-a", trials=2, id="mine")
        experiment.start(0)
        while len(experiment.get_job_metrics()) < 2:
            time.sleep(0.1)
        print("RUNS", flush=True)
        sys.stdin.read()
        began = time.monotonic()
        experiment.stop()
        print("TOOK", time.monotonic() - began)
        tell(Experiment.view("mine", 0, non_blocking=True))
        """,
        stdin=-1,
    ) as script:
        _read_until(script, "RUNS")
        with lab.hosts["gpu-b"].cut_off():
            output, _ = script.communicate(timeout=200)
    facts = facts_in(output)
    assert [trial["status"] for trial in facts] == ["USER_CANCELED"] * 2
    (message,) = [trial["message"] for trial in facts if trial["host"] == "gpu-b"]
    assert "what runs there is stopped when it is reachable again, or by the machine itself after" in message
    assert _trials_on(lab.hosts["gpu-b"]) and not lab.hosts["gpu-a"].processes()
    remote_stage.nnictl("resume", "mine", "--foreground", "--port", "0")
    nothing_is_left()


def test_a_machine_behind_another(stage, remote_stage, tmp_path, facts_in) -> None:
    folder = tmp_path / "hosts"
    folder.mkdir()
    with Laboratory(folder, (HostSpec("gate"), HostSpec("inner", behind="gate"))) as lab:
        (stage.home / ".ssh" / "config").write_text(lab.ssh_config())
        stage.environment["INNER"] = json.dumps({"host": "inner", "user": "ann"})
        output = stage.run(
            """
            experiment = remote(RemoteMachineConfig(**json.loads(os.environ["INNER"])), trials=2, id="mine")
            assert experiment.run(0)
            tell(Experiment.view("mine", 0, non_blocking=True))
            """
        )
        assert [trial["status"] for trial in facts_in(output)] == ["SUCCEEDED"] * 2
        assert [host.logins() for host in lab.hosts.values()] == [1, 1]
        assert lab.hosts["inner"].processes() == lab.hosts["gate"].processes() == {}


def test_many_slots_on_one_machine_are_one_connection(remote_stage, lab, facts_in, nothing_is_left) -> None:
    remote_stage.write(
        "trial.py", "import time, nni\nnni.get_next_parameter()\ntime.sleep(1)\nnni.report_final_result(1)\n"
    )
    facts = facts_in(
        remote_stage.run(
            """
            experiment = remote("gpu-a", trials=40, concurrency=40, id="mine")
            experiment.start(0)
            wait(experiment)
            tell(experiment)
            experiment.stop()
            """
        )
    )
    assert [trial["status"] for trial in facts] == ["SUCCEEDED"] * 40
    assert lab.hosts["gpu-a"].logins() == 1
    nothing_is_left()


def _trials_on(host) -> list[str]:
    return [command for command in host.processes().values() if "trial.py" in command]


def _read_until(script, word: str) -> str:
    deadline = time.monotonic() + 150
    lines = []
    for line in script.stdout:
        lines.append(line)
        if line.startswith(word):
            return "".join(lines)
        assert time.monotonic() < deadline
    raise AssertionError("".join(lines))
