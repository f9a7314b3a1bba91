"""Code is sent once and lies once on each machine, however many files it has and however many trials run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

MEBIBYTE = 1 << 20

# The last trial measures what the experiment takes, on the machine where it runs.
MEASURING = """\
import json, os, subprocess, nni
nni.get_next_parameter()
used, data = 0, os.path.exists("data")
if nni.get_sequence_id() == {last}:
    used = int(subprocess.check_output(["du", "-s", "--block-size=1", {place}]).split()[0])
nni.report_final_result({{"default": used, "data": data}})
"""


def test_many_small_files_are_sent_once_and_data_beside_them_not_at_all(
    remote_stage, lab, facts_in, nothing_is_left
) -> None:
    """Row 183 of the field reports: thousands of small files, 1 GB of data, 5 trials."""
    files = remote_stage.folder / "library"
    for number in range(3000):
        folder = files / str(number % 100)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.txt").write_bytes(os.urandom(1000))
    (remote_stage.folder / "data").mkdir()
    with (remote_stage.folder / "data" / "set.bin").open("wb") as file:
        file.truncate(1 << 30)
    (remote_stage.folder / ".nniignore").write_text("data/\n")
    remote_stage.write("trial.py", MEASURING.format(last=-1, place="'.'"))
    host = lab.hosts["gpu-a"]
    before = host.bytes_received()
    facts = facts_in(
        remote_stage.run(
            """
            experiment = remote("gpu-a", trials=5, concurrency=2)
            experiment.start(0)
            wait(experiment)
            tell(experiment)
            experiment.stop()
            """
        )
    )
    assert [trial["status"] for trial in facts] == ["SUCCEEDED"] * 5
    assert not any(trial["final"]["data"] for trial in facts)
    assert 3_000_000 < host.bytes_received() - before < 5_500_000
    nothing_is_left()


def test_a_machine_has_one_copy_of_the_code(remote_stage, lab, facts_in, nothing_is_left) -> None:
    """Row 186 of the field reports: large code; another copy for each trial would fill the disk."""
    (remote_stage.folder / "library.bin").write_bytes(os.urandom(20 * MEBIBYTE))
    place = 'os.path.expanduser("~/nni-experiments")'
    remote_stage.write("trial.py", MEASURING.format(last=11, place=place))
    facts = facts_in(
        remote_stage.run(
            """
            experiment = remote("gpu-a", trials=12, concurrency=4)
            experiment.start(0)
            wait(experiment)
            tell(experiment)
            experiment.stop()
            """
        )
    )
    assert [trial["status"] for trial in facts] == ["SUCCEEDED"] * 12
    used = max(trial["final"]["default"] for trial in facts)
    assert 20 * MEBIBYTE < used < 30 * MEBIBYTE
    nothing_is_left()


@pytest.mark.parametrize(("snapshot", "copies"), [(False, 0), (True, 1)])
def test_trials_here_have_no_copy_each(stage, snapshot, copies) -> None:
    """Row 186 of the field reports: many trials with large code."""
    (stage.folder / "library.bin").write_bytes(os.urandom(20 * MEBIBYTE))
    output = stage.run(
        f"""
        experiment = make("python3 trial.py", trials=40, concurrency=4, id="mine")
        experiment.config.snapshot_code = {snapshot}
        assert experiment.run(0)
        """
    )
    assert "40/40 done" in output
    used = disk_use(stage.experiments / "mine")
    assert copies * 20 * MEBIBYTE <= used < (copies * 20 + 10) * MEBIBYTE


def disk_use(folder: Path) -> int:
    said = subprocess.run(["du", "-s", "--block-size=1", str(folder)], capture_output=True, check=True)
    return int(said.stdout.split()[0])
