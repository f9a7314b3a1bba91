"""What gets to other machines: code, one process for many trials, some of the trials only."""

from __future__ import annotations

import os
from collections import Counter

import pytest

pytestmark = pytest.mark.slow


def test_the_code_folder_arrives_as_it_is(remote_stage, lab, nothing_is_left) -> None:
    folder = remote_stage.folder
    (folder / "data").mkdir()
    (folder / "data" / "large.bin").write_bytes(bytes(2_000_000))
    (folder / ".nniignore").write_text("data/\n*.log\n!keep.log\n")
    (folder / "noise.log").write_text("no")
    (folder / "keep.log").write_text("yes")
    (folder / "run.sh").write_text("#!/bin/bash\npython3 trial.py\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "inside").symlink_to("keep.log")
    outside = remote_stage.home / "elsewhere.txt"
    outside.write_text("from outside")
    (folder / "outside").symlink_to(outside)
    (folder / "odd \n name'\"ü").write_text("odd")
    (folder / os.fsdecode(b"not-utf8-\xff")).write_text("odd")
    deep = folder / "/".join(["d" * 50] * 12)
    deep.mkdir(parents=True)
    (deep / "bottom.txt").write_text("deep")
    remote_stage.write(
        "trial.py",
        """\
        import glob, os, nni
        nni.get_next_parameter()
        names = {os.fsencode(os.path.relpath(it)).hex(): open(it).read() for it in
                 (os.path.join(top, name) for top, _, files in os.walk(".") for name in files)
                 if not it.endswith((".py", ".sh", ".nniignore"))}
        links = sorted(it for it in os.listdir() if os.path.islink(it))
        nni.report_final_result({"default": 1, "names": names, "links": links})
        """,
    )
    output = remote_stage.run(
        """
        experiment = remote("old", "gpu-a", trials=4, concurrency=2, command="./run.sh", id="mine")
        experiment.start(0)
        wait(experiment)
        for trial in experiment.list_trial_jobs():
            print(trial.status, json.dumps(trial.finalMetricData[0].data["names"], sort_keys=True),
                  trial.finalMetricData[0].data["links"])
        experiment.stop()
        """
    )
    (line,) = {line for line in output.splitlines() if line.startswith(("SUCCEEDED", "FAILED"))}
    for name, text in {
        "keep.log": "yes",
        "inside": "yes",
        "outside": "from outside",
        "odd \n name'\"ü": "odd",
        os.fsdecode(b"not-utf8-\xff"): "odd",
        str((deep / "bottom.txt").relative_to(folder)): "deep",
    }.items():
        assert f'"{os.fsencode(name).hex()}": "{text}"' in line, name
    for name in ("noise.log", "data/large.bin"):
        assert os.fsencode(name).hex() not in line, name
    assert line.endswith("['inside']")
    nothing_is_left()


def test_code_is_sent_once(remote_stage, lab) -> None:
    (remote_stage.folder / "noise.bin").write_bytes(os.urandom(5_000_000))
    host = lab.hosts["gpu-a"]
    before = host.bytes_received()
    remote_stage.run('assert remote("gpu-a", trials=10, concurrency=2, id="mine").run(0)')
    assert 5_000_000 < host.bytes_received() - before < 7_500_000


def test_code_that_is_too_large_is_refused_with_what_makes_it_so(remote_stage, lab) -> None:
    (remote_stage.folder / "weights").mkdir()
    (remote_stage.folder / "weights" / "w.bin").write_bytes(bytes(3_000_000))
    output = remote_stage.run(
        """
        try:
            remote("gpu-a", max_code_size="2mb").start(0)
        except (RuntimeError, ValueError) as error:
            print("REFUSED", error)
        """
    )
    for words in ("REFUSED", "weights", ".nniignore", "max_code_size"):
        assert words in output, output


def test_here_and_there(remote_stage, lab, facts_in, nothing_is_left) -> None:
    remote_stage.write(
        "trial.py",
        """\
        import os, time, nni
        nni.get_next_parameter()
        time.sleep(0.5)
        nni.report_final_result({"default": 1, "platform": os.environ["NNI_PLATFORM"]})
        """,
    )
    facts = facts_in(
        remote_stage.run(
            """
            experiment = remote("gpu-a", "old", trials=12, concurrency=6)
            there = experiment.config.training_service
            experiment.config.training_service = [LocalConfig(trial_concurrency=1), there]
            there.machine_list[0].trial_concurrency = 2
            experiment.start(0)
            wait(experiment)
            tell(experiment)
            experiment.stop()
            """
        )
    )
    assert [trial["status"] for trial in facts] == ["SUCCEEDED"] * 12
    places = Counter(trial["host"] for trial in facts)
    assert len(places) == 3 and {"gpu-a", "old"} < set(places)
    assert {trial["final"]["platform"] for trial in facts} == {"local", "remote"}
    nothing_is_left()


def test_one_place_that_fails_leaves_the_other(remote_stage, lab, facts_in) -> None:
    lab.hosts["gpu-b"].stop_server()
    try:
        output = remote_stage.run(
            """
            experiment = remote("gpu-b", trials=3, allow_partial=True, connect_timeout="2s")
            there = experiment.config.training_service
            experiment.config.training_service = [there, LocalConfig()]
            experiment.start(0)
            wait(experiment)
            tell(experiment)
            experiment.stop()
            """
        )
    finally:
        lab.hosts["gpu-b"].start_server()
    facts = facts_in(output)
    assert [trial["status"] for trial in facts] == ["SUCCEEDED"] * 3
    assert "gpu-b" not in {trial["host"] for trial in facts}


def test_one_process_takes_trial_after_trial(remote_stage, lab, facts_in, nothing_is_left) -> None:
    remote_stage.write(
        "trial.py",
        """\
        import os, socket, nni
        while True:
            parameters = nni.get_next_parameter()
            if parameters is None:
                break
            print("trial", nni.get_trial_id(), flush=True)
            where = {"process": os.getpid(), "at": socket.gethostname()}
            nni.report_final_result({"default": parameters["x"], **where})
        """,
    )
    facts = facts_in(
        remote_stage.run(
            """
            experiment = remote("gpu-a", "old", trials=100, concurrency=4, reuse_mode=True, id="mine")
            experiment.start(0)
            wait(experiment)
            tell(experiment)
            experiment.stop()
            """
        )
    )
    assert [trial["status"] for trial in facts] == ["SUCCEEDED"] * 100
    processes = {(trial["final"]["at"], trial["final"]["process"]) for trial in facts}
    assert {host for host, _ in processes} == {"gpu-a", "old"}
    assert len(processes) == 4
    for trial in facts:
        folder = remote_stage.experiments / "mine" / "trials" / trial["id"]
        assert (folder / "stdout").read_text() == f"trial {trial['id']}\n"
    nothing_is_left()
