"""GPUs of several machines, told of by a stand-in for nvidia-smi."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from nni_manager.testing import fake_nvidia_smi

pytestmark = pytest.mark.slow

TRIAL = """\
import os, time, nni
nni.get_next_parameter()
nni.report_intermediate_result(time.time())
time.sleep({seconds})
nni.report_intermediate_result(time.time())
nni.report_final_result({{"default": 1, "visible": os.environ.get("CUDA_VISIBLE_DEVICES")}})
"""

TALK = """
experiment.config.stop_on_early_failures = False
experiment.start(0)
wait(experiment)
tell(experiment)
experiment.stop()
"""


def test_each_machine_gives_the_gpus_that_are_listed(remote_stage, lab, facts_in, nothing_is_left) -> None:
    for name in ("gpu-a", "old"):
        lab.hosts[name].set_gpus({"gpus": fake_nvidia_smi.gpus(4)})
    remote_stage.write("trial.py", TRIAL.format(seconds=1))
    facts = facts_in(
        remote_stage.run(
            """
            machines = [
                machine("gpu-a", gpu_indices=[1, 3], max_trial_number_per_gpu=3),
                machine("old", gpu_indices=[0], max_trial_number_per_gpu=3),
            ]
            experiment = remote(*machines, trials=24, concurrency=12, trial_gpu_number=1)
            """
            + TALK.replace("\n", "\n" + " " * 12)
        )
    )
    assert [trial["status"] for trial in facts] == ["SUCCEEDED"] * 24
    assert all([trial["final"]["visible"]] == trial["gpus"] for trial in facts)
    given = Counter((trial["host"], *trial["gpus"]) for trial in facts)
    assert set(given) == {("gpu-a", "1"), ("gpu-a", "3"), ("old", "0")}
    most = _most_at_a_time(facts, lambda trial: (trial["host"], *trial["gpus"]))
    assert set(most.values()) == {3}
    assert _most_at_a_time(facts, lambda trial: "all") == {"all": 9}
    nothing_is_left()


def test_a_trial_of_four_gpus_has_four(remote_stage, lab, facts_in) -> None:
    lab.hosts["gpu-a"].set_gpus({"gpus": fake_nvidia_smi.gpus(8)})
    remote_stage.write("trial.py", TRIAL.format(seconds=0.5))
    facts = facts_in(
        remote_stage.run(
            """
            experiment = remote("gpu-a", "gpu-b", trials=4, concurrency=4, trial_gpu_number=4)
            """
            + TALK.replace("\n", "\n" + " " * 12)
        )
    )
    assert {trial["host"] for trial in facts} == {"gpu-a"}
    for trial in facts:
        assert len(set(trial["final"]["visible"].split(","))) == 4
    assert _most_at_a_time(facts, lambda trial: "all") == {"all": 2}


def test_what_can_never_be_met_is_refused(remote_stage, lab) -> None:
    lab.hosts["gpu-a"].set_gpus({"gpus": fake_nvidia_smi.gpus(4)})
    output = remote_stage.run(
        """
        for machines, number in (
            (["gpu-a", "gpu-b"], 5),
            ([machine("gpu-a", gpu_indices=[1, 9])], 1),
            (["gpu-b"], 1),
        ):
            try:
                remote(*machines, trials=1, trial_gpu_number=number).start(0)
            except RuntimeError as error:
                print("REFUSED", error)
        """
    )
    first, second, third = output.split("REFUSED ")[1:]
    assert "needs 5 GPUs" in first and "gpu-a has 4" in first and "gpu-b" in first, first
    assert "gpu_indices: 9 is not among the GPUs found on gpu-a: 0 to 3" in second
    assert "needs 1 GPU" in third and "gpu-b" in third
    assert "Traceback" not in output


def test_why_a_trial_waits_and_when_it_no_longer_does(remote_stage, lab, nothing_is_left) -> None:
    host = lab.hosts["gpu-a"]
    host.run("setsid sleep 600 < /dev/null > /dev/null 2>&1 &", user="bob")
    # For a moment, while the shell's child becomes another program, it has no command line.
    assert remote_stage.until(lambda: any("sleep 600" in line for line in host.processes("bob").values()))
    (other,) = host.processes("bob")
    gpus = fake_nvidia_smi.gpus(3)
    host.set_gpus({"gpus": gpus, "processes": [{"gpu": 0, "pid": other}, {"gpu": 2, "pid": other}]})
    remote_stage.write("trial.py", TRIAL.format(seconds=0))
    with remote_stage.start(
        """
        remote("gpu-a", "gpu-b", trials=1, trial_gpu_number=2, id="mine").run(0)
        """
    ) as script:
        reason = "needs 2 GPUs; gpu-a has 1 free of 3 (2 used by others), gpu-b"

        def shown() -> str:
            return str(remote_stage.nnictl("trial", "ls", "mine", "--json").stdout)

        assert remote_stage.until(lambda: (remote_stage.experiments / "mine" / "manager.json").exists())
        assert remote_stage.until(lambda: reason in shown(), 30), shown()
        (trial,) = json.loads(shown())
        assert trial["status"] == "WAITING"
        host.set_gpus({"gpus": gpus})
        output, _ = script.communicate(timeout=60)
    assert script.returncode == 0, output
    host.run("pkill -u bob; true")
    nothing_is_left()


def test_one_gpu_is_given_back_whatever_happens(remote_stage, lab, facts_in) -> None:
    lab.hosts["old"].set_gpus({"gpus": fake_nvidia_smi.gpus(1)})
    remote_stage.write(
        "trial.py",
        """\
        import os, signal, sys, nni
        nni.get_next_parameter()
        number = nni.get_sequence_id()
        if number % 3 == 0:
            sys.exit(3)
        if number % 3 == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        nni.report_final_result(1)
        """,
    )
    facts = facts_in(
        remote_stage.run(
            """
            experiment = remote("old", trials=9, concurrency=3, trial_gpu_number=1)
            """
            + TALK.replace("\n", "\n" + " " * 12)
        )
    )
    assert Counter(trial["status"] for trial in facts) == {"FAILED": 6, "SUCCEEDED": 3}


def test_a_tool_beside_the_path_is_found(remote_stage, lab, facts_in) -> None:
    lab.hosts["gpu-b"].set_gpus({"gpus": fake_nvidia_smi.gpus(2)}, "usr/local/nvidia/bin")
    remote_stage.write("trial.py", TRIAL.format(seconds=0))
    facts = facts_in(
        remote_stage.run(
            """
            experiment = remote("gpu-b", trials=2, trial_gpu_number=1)
            """
            + TALK.replace("\n", "\n" + " " * 12)
        )
    )
    assert [trial["status"] for trial in facts] == ["SUCCEEDED"] * 2


def _most_at_a_time(facts, key) -> dict[object, int]:
    """Returns the most trials that ran at a time, by what they share; each tells when it began and ended."""
    events = []
    for trial in facts:
        began, ended = trial["values"]
        events += [(began, 1, key(trial)), (ended, -1, key(trial))]
    running: Counter[object] = Counter()
    most: dict[object, int] = {}
    for _, change, name in sorted(events, key=lambda event: event[:2]):
        running[name] += change
        most[name] = max(most.get(name, 0), running[name])
    return most
