"""Machines that cannot be used, or stop being there."""

from __future__ import annotations

import re
import socket
import subprocess
import threading

import pytest

pytestmark = pytest.mark.slow

COUNTING = """\
import time, nni
nni.get_next_parameter()
for step in range({steps}):
    nni.report_intermediate_result(step)
    time.sleep(0.1)
nni.report_final_result(1)
"""


def test_all_problems_are_told_together(remote_stage, lab) -> None:
    lab.hosts["gpu-a"].fill_disk()
    lab.hosts["gpu-b"].set_clock(-7200)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        remote_stage.environment["SILENT"] = str(silent.getsockname()[1])
        output = remote_stage.run(
            """
            machines = [
                machine("gpu-a"),
                machine("gpu-b"),
                machine("old", "password", password="not this"),
                machine("gpu-a", host="127.0.0.1", port=int(os.environ["SILENT"])),
                machine("gpu-a", host="no-such-machine.invalid"),
            ]
            experiment = remote(*machines, connect_timeout="3s")
            began = time.monotonic()
            try:
                experiment.start(0)
            except RuntimeError as error:
                print(error)
            print("TOOK", time.monotonic() - began)
            """
        )
    for words in (
        "5 of 5 machines cannot be used",
        "gpu-a: the disk that ~/nni-experiments",
        "gpu-b: its clock is 7200 s behind",
        "old: ",
        "password",
        "127.0.0.1:",
        "3 s",
        "no-such-machine.invalid",
    ):
        assert words in output, output
    assert "Traceback" not in output
    assert "not this" not in output


def test_the_good_ones_are_used_if_that_is_allowed(remote_stage, lab, facts_in, nothing_is_left) -> None:
    lab.hosts["gpu-b"].stop_server()
    try:
        output = remote_stage.run(
            """
            experiment = remote("gpu-a", "gpu-b", "old", allow_partial=True, connect_timeout="3s", id="mine")
            assert experiment.run(0)
            tell(Experiment.view("mine", 0, non_blocking=True))
            """
        )
    finally:
        lab.hosts["gpu-b"].start_server()
    assert {trial["host"] for trial in facts_in(output)} == {"gpu-a", "old"}
    assert "gpu-b" in output.split("FACTS")[0] and "without it" in output
    nothing_is_left()


def test_a_changed_host_key_is_refused(remote_stage, lab) -> None:
    remote_stage.run('assert remote("gpu-a", trials=1).run(0)')
    known = remote_stage.home / ".ssh" / "known_hosts"
    assert known.stat().st_mode & 0o777 == 0o600
    lab.hosts["gpu-a"].change_host_key()
    output = remote_stage.run(
        """
        try:
            remote("gpu-a", trials=1).start(0)
        except RuntimeError as error:
            print("REFUSED", error)
        """
    )
    assert "REFUSED" in output and "host key" in output and str(known) in output, output
    assert "SHA256:" in output
    known.unlink()
    remote_stage.run('assert remote("gpu-a", trials=1).run(0)')


def test_a_new_host_key_is_refused_if_that_is_asked_for(remote_stage, lab) -> None:
    output = remote_stage.run(
        """
        try:
            remote("gpu-a", trials=1, new_host_keys="refuse").start(0)
        except RuntimeError as error:
            print("REFUSED", error)
        """
    )
    assert "REFUSED" in output and "SHA256:" in output, output
    (remote_stage.home / ".ssh" / "known_hosts").write_text(lab.hosts["gpu-a"].host_key())
    remote_stage.run('assert remote("gpu-a", trials=1, new_host_keys="refuse").run(0)')


def test_a_machine_is_cut_off_and_comes_back(remote_stage, lab, facts_in, nothing_is_left) -> None:
    remote_stage.write("trial.py", COUNTING.format(steps=150))
    with remote_stage.start(
        """
        experiment = remote("gpu-a", "gpu-b", trials=2, concurrency=2, id="mine")
        experiment.start(0)
        while len(experiment.get_job_metrics()) < 2:
            time.sleep(0.1)
        print("BOTH", flush=True)
        wait(experiment)
        tell(experiment)
        experiment.stop()
        """
    ) as script:
        assert script.stdout is not None
        before = _read_until(script, "BOTH")
        log = remote_stage.experiments / "mine" / "log" / "nnimanager.log"
        with lab.hosts["gpu-b"].cut_off():
            # Nothing tells us: it is noticed since nothing comes.
            assert remote_stage.until(lambda: "gpu-b is unreachable, its trials go on" in log.read_text(), 90)
        output, _ = script.communicate(timeout=120)
    assert script.returncode == 0, before + output
    facts = facts_in(output)
    assert [trial["status"] for trial in facts] == ["SUCCEEDED"] * 2
    assert [trial["values"] for trial in facts] == [list(range(150))] * 2
    assert "gpu-b is reachable" in log.read_text()
    nothing_is_left()


def test_sessions_are_killed_and_nothing_is_lost(remote_stage, lab, facts_in, nothing_is_left) -> None:
    remote_stage.write("trial.py", COUNTING.format(steps=100))
    with remote_stage.start(
        """
        experiment = remote("old", trials=2, concurrency=2, id="mine")
        experiment.start(0)
        while len(experiment.get_job_metrics()) < 2:
            time.sleep(0.1)
        print("BOTH", flush=True)
        wait(experiment)
        tell(experiment)
        experiment.stop()
        """
    ) as script:
        before = _read_until(script, "BOTH")
        log = remote_stage.experiments / "mine" / "log" / "nnimanager.log"
        for times in range(1, 4):
            lab.hosts["old"].end_sessions()
            assert remote_stage.until(
                lambda times=times: log.read_text().count("old is reachable\n") == times
            )
        output, _ = script.communicate(timeout=120)
    assert script.returncode == 0, before + output
    facts = facts_in(output)
    assert [trial["status"] for trial in facts] == ["SUCCEEDED"] * 2
    assert [trial["values"] for trial in facts] == [list(range(100))] * 2
    assert lab.hosts["old"].logins() == 4
    nothing_is_left()


def test_a_machine_that_stays_away_loses_its_trials(remote_stage, lab, facts_in, nothing_is_left) -> None:
    remote_stage.write(
        "trial.py",
        """\
        import socket, time, nni
        nni.get_next_parameter()
        nni.report_intermediate_result(1)
        while socket.gethostname() == "gpu-b":
            time.sleep(1)
        nni.report_final_result(1)
        """,
    )
    with remote_stage.start(
        """
        experiment = remote("gpu-b", trials=1, concurrency=1, id="mine", unreachable_limit="5s")
        experiment.config.max_trial_retries = 0
        experiment.config.stop_on_early_failures = False
        experiment.start(0)
        while not experiment.get_job_metrics():
            time.sleep(0.1)
        print("RUNS", flush=True)
        while experiment.list_trial_jobs()[0].status == "RUNNING":
            time.sleep(0.2)
        tell(experiment)
        print("GIVEN UP", flush=True)
        sys.stdin.read()
        experiment.stop()
        """,
        stdin=subprocess.PIPE,
    ) as script:
        _read_until(script, "RUNS")
        assert script.stdin is not None
        with lab.hosts["gpu-b"].without_server():
            output = _read_until(script, "GIVEN UP")
            (trial,) = facts_in(output)
            assert trial["status"] == "FAILED"
            assert "gpu-b" in trial["message"] and "unreachable" in trial["message"], trial
        assert remote_stage.until(
            lambda: not any("trial.py" in it for it in lab.hosts["gpu-b"].processes().values()), 90
        )
        script.communicate(timeout=120)
    assert script.returncode == 0
    nothing_is_left()


def test_a_disk_that_gets_full_harms_the_trial_that_writes_alone(remote_stage, lab, facts_in) -> None:
    remote_stage.write(
        "trial.py",
        """\
        import time, nni
        nni.get_next_parameter()
        for step in range(30):
            print("x" * 10000, flush=True)
            nni.report_intermediate_result(step)
            time.sleep(0.1)
        nni.report_final_result(1)
        """,
    )
    with remote_stage.start(
        """
        experiment = remote("gpu-a", trials=4, concurrency=1, id="mine")
        experiment.config.stop_on_early_failures = False
        experiment.start(0)
        while not experiment.get_job_metrics():
            time.sleep(0.05)
        print("RUNS", flush=True)
        wait(experiment)
        tell(experiment)
        experiment.stop()
        """
    ) as script:
        before = _read_until(script, "RUNS")
        lab.hosts["gpu-a"].fill_disk()
        timer = threading.Timer(8, lab.hosts["gpu-a"].free_disk)
        timer.start()
        output, _ = script.communicate(timeout=120)
        timer.join()
    assert script.returncode == 0, before + output
    facts = facts_in(output)
    failed = [trial for trial in facts if trial["status"] == "FAILED"]
    assert len(failed) == 1
    assert re.match(
        r"exit code 1; the disk of gpu-a is full \(\d+ B free at /home/.*\)$", failed[0]["message"]
    ), failed
    assert failed[0]["values"] == list(range(len(failed[0]["values"])))
    assert facts[-1]["status"] == "SUCCEEDED", facts


def _read_until(script, word: str) -> str:
    assert script.stdout is not None
    lines = []
    for line in script.stdout:
        lines.append(line)
        if line.startswith(word):
            return "".join(lines)
    raise AssertionError("".join(lines))
