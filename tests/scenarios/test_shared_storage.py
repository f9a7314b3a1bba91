"""Trials of other machines leave their files in a storage that all of them reach."""

from __future__ import annotations

import json
import os
from collections import Counter

import pytest
from workspace.lab.shared_folder import shared_folder

pytestmark = pytest.mark.slow

SAVER = """\
import os, socket, nni
x = nni.get_next_parameter()["x"]
folder = os.path.join(nni.get_output_directory(), "checkpoints")
os.makedirs(folder)
with open(os.path.join(folder, "model"), "w") as file:
    file.write(socket.gethostname())
print("said on", socket.gethostname())
nni.report_final_result(x)
"""

RUN = """
    experiment.start(0)
    wait(experiment)
    tell(experiment)
    experiment.stop()
"""


def test_what_trials_write_stays_in_a_folder_that_all_machines_share(
    remote_stage, lab, facts_in, nothing_is_left, tmp_path
) -> None:
    remote_stage.write("trial.py", SAVER)
    (remote_stage.folder / "noise.bin").write_bytes(os.urandom(3_000_000))
    team = tmp_path / "team"
    team.mkdir(mode=0o755)
    hosts = [lab.hosts["gpu-a"], lab.hosts["gpu-b"]]
    before = sum(host.bytes_received() for host in hosts)
    with shared_folder(hosts, team, "/mnt/team"):
        facts = facts_in(
            remote_stage.run(
                f"""
    from nni.experiment.config import NfsConfig
    experiment = remote("gpu-a", "gpu-b", trials=6, concurrency=4, id="mine")
    experiment.config.shared_storage = NfsConfig(
        nfs_server="files.example.org", exported_directory="/export/team", local_mounted="usermount",
        local_mount_point={str(team)!r}, remote_mount_point="/mnt/team")
"""
                + RUN
            )
        )
    assert [trial["status"] for trial in facts] == ["SUCCEEDED"] * 6
    hosts_used = Counter(trial["host"] for trial in facts)
    assert set(hosts_used) == {"gpu-a", "gpu-b"}
    for trial in facts:
        model = team / "nni" / "mine" / "trials" / trial["id"] / "checkpoints" / "model"
        assert model.read_text() == trial["host"]
        here = remote_stage.experiments / "mine" / "trials" / trial["id"]
        assert (here / "stdout").read_text() == f"said on {trial['host']}\n"
        assert not (here / "checkpoints").exists(), "it is in the storage already"
    assert team.joinpath("nni", "mine").stat().st_mode & 0o077 == 0
    assert 3_000_000 < sum(host.bytes_received() for host in hosts) - before < 5_000_000, "sent once for all"
    nothing_is_left()


def test_what_trials_write_is_put_into_a_container(
    remote_stage, lab, facts_in, nothing_is_left, blob_account
) -> None:
    remote_stage.write("trial.py", SAVER)
    output = remote_stage.run(
        f"""
    from nni.experiment.config import AzureBlobConfig
    experiment = remote("gpu-a", "old", trials=4, concurrency=2, id="mine")
    experiment.config.shared_storage = AzureBlobConfig(
        storage_account_name={blob_account.name!r}, container_name={blob_account.container!r},
        storage_account_key={blob_account.key!r}, storage_account_url={blob_account.url!r},
        local_mount_point="/mnt/blob", remote_mount_point="/mnt/blob", local_mounted="nomount")
"""
        + RUN
    )
    facts = facts_in(output)
    assert [trial["status"] for trial in facts] == ["SUCCEEDED"] * 4
    assert {trial["host"] for trial in facts} == {"gpu-a", "old"}
    names = blob_account.names()
    for trial in facts:
        folder = f"nni/mine/trials/{trial['id']}"
        assert {f"{folder}/checkpoints/model", f"{folder}/stdout"} <= set(names)
        assert blob_account.read(f"{folder}/checkpoints/model") == trial["host"].encode()
        assert blob_account.read(f"{folder}/stdout") == f"said on {trial['host']}\n".encode()
    assert not [name for name in names if "/.probe/" in name]
    assert blob_account.key not in output + json.dumps(names)
    nothing_is_left()


def test_the_checkpoints_of_the_best_are_left_in_a_container(
    remote_stage, lab, facts_in, nothing_is_left, blob_account
) -> None:
    remote_stage.write("trial.py", SAVER.replace("result(x)", "result(nni.get_sequence_id() * 7 % 5)"))
    facts = facts_in(
        remote_stage.run(
            f"""
    from nni.experiment.config import AzureBlobConfig
    experiment = remote("gpu-a", trials=5, concurrency=1, id="mine")
    experiment.config.shared_storage = AzureBlobConfig(
        storage_account_name={blob_account.name!r}, container_name={blob_account.container!r},
        storage_account_key={blob_account.key!r}, storage_account_url={blob_account.url!r},
        local_mount_point="/mnt/blob", remote_mount_point="/mnt/blob", local_mounted="nomount")
    experiment.config.keep_best_checkpoints = 1
    experiment.config.keep_last_checkpoints = 1
"""
            + RUN
        )
    )
    best = max(facts, key=lambda trial: trial["final"])
    ended = {trial["id"]: trial["final"] for trial in facts}
    assert len(ended) == 5 and best["final"] == 4
    names = blob_account.names()
    left = {name.split("/")[3] for name in names if "/checkpoints/" in name}
    last = next(trial for trial in facts if trial["final"] == 3)  # the fifth: 4 * 7 % 5
    assert left == {best["id"], last["id"]}
    assert {name.split("/")[3] for name in names if name.endswith("/stdout")} == set(ended)
    nothing_is_left()
