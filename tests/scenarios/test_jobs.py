"""Experiments whose trials run in jobs of a platform that another package brings."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_training_service"

HYBRID = """
from nni.experiment.config import LocalConfig
import tiny_cluster
experiment = make(trials=6, concurrency=4)
cluster = str(Path.home() / "cluster")
experiment.config.training_service = [
    LocalConfig(trial_concurrency=1),
    tiny_cluster.TinyClusterConfig(folder=cluster, reuse_mode=True),
]
experiment.start(0)
while experiment.get_status() not in ("DONE", "ERROR"):
    time.sleep(0.1)
trials = experiment.list_trial_jobs()
print("HOSTS", *sorted({f"<{trial.host}>" for trial in trials}))
print("STATUS", *[trial.status for trial in trials])
experiment.stop()
"""

LONG = """
import tiny_cluster
go = Path.home() / "go"
wait = f"until [ -e {go} ]; do sleep 0.1; done"
experiment = make(f"echo ran >> $NNI_OUTPUT_DIR/runs; {wait}; python3 trial.py")
experiment.config.max_trial_number = experiment.config.trial_concurrency = 2
experiment.config.training_service = tiny_cluster.TinyClusterConfig(folder=str(Path.home() / "cluster"))
experiment.start(0)
print("Experiment ID:", experiment.id)
while [trial.status for trial in experiment.list_trial_jobs()] != ["RUNNING"] * 2:
    time.sleep(0.1)
print("MANAGER", experiment.get_experiment_metadata(experiment.id)["pid"])
os._exit(0)
"""


@pytest.fixture
def cluster(stage: Any) -> Path:
    """Installs the example, and makes its cluster."""
    site = stage.home / "site"
    info = site / "tiny_cluster-1.0.dist-info"
    info.mkdir(parents=True)
    for name in ("tiny_cluster.py", "tiny_cluster_platform.py"):
        shutil.copy(EXAMPLE / name, site)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-cluster\nVersion: 1.0\n")
    entry_point = "tiny_cluster = tiny_cluster:nni_training_service_info"
    (info / "entry_points.txt").write_text(f"[nni.training_services]\n{entry_point}\n")
    stage.environment["PYTHONPATH"] = str(site)
    cluster: Path = stage.home / "cluster"
    cluster.mkdir()
    return cluster


def states(cluster: Path) -> list[str]:
    """Returns how the cluster's jobs are."""
    jobs = [path for path in (cluster / "jobs").iterdir() if path.is_dir()]
    return sorted(
        "stopped" if (job / "stopped").exists() else "ended" if (job / "exit").exists() else "runs"
        for job in jobs
    )


def test_it_runs_in_a_hybrid_list(stage: Any, cluster: Path) -> None:
    output = stage.run(HYBRID)
    (hosts,) = [line for line in output.splitlines() if line.startswith("HOSTS")]
    assert hosts == f"HOSTS <the tiny cluster in {cluster}> <this machine>"
    assert "STATUS" + " SUCCEEDED" * 6 in output
    assert set(states(cluster)) == {"ended"}
    (experiment,) = [path for path in stage.experiments.iterdir() if not path.is_symlink()]
    logs = list((experiment / "trials").glob("*/trial.log"))
    assert len(list((experiment / "trials").glob("*/stdout"))) == 6, logs
    assert stage.is_quiet()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["resume", "clean"])
def test_a_killed_manager_leaves_jobs_that_are_found(
    stage: Any, cluster: Path, how: str, id_in: Callable[[str], str]
) -> None:
    output = stage.run(LONG)
    experiment = id_in(output)
    record = json.loads((stage.experiments / experiment / "manager.json").read_text())
    os.kill(record["pid"], signal.SIGKILL)
    assert states(cluster) == ["runs", "runs"]
    if how == "clean":
        shown = stage.nnictl("platform", "clean", experiment, "--dry-run").stdout
        assert "Would stop 2 jobs." in shown
        assert states(cluster) == ["runs", "runs"]
        assert "Stopped 2 jobs." in stage.nnictl("platform", "clean", experiment).stdout
        assert states(cluster) == ["stopped", "stopped"]
        assert "has no job left on" in stage.nnictl("platform", "clean", experiment).stdout
    else:
        (stage.home / "go").touch()
        stage.nnictl("resume", experiment, "--foreground", "--port", "0")
        assert states(cluster) == ["ended", "ended"]
        runs = list((stage.experiments / experiment / "trials").glob("*/runs"))
        assert [path.read_text() for path in runs] == ["ran\n", "ran\n"]
    assert stage.is_quiet()


def test_a_platform_that_cannot_be_used_is_named(stage: Any, cluster: Path) -> None:
    cluster.rmdir()
    (stage.folder / "config.yml").write_text((EXAMPLE / "config.yml").read_text())
    done = stage.nnictl("create", "--config", str(stage.folder / "config.yml"), "--port", "0", exit_code=1)
    assert "cluster is no folder" in done.stderr


def test_what_an_extra_brings_is_named(stage: Any, tmp_path: Path) -> None:
    """Without its packages a platform is refused with the command that installs them."""
    program = (
        "import sys; sys.modules['nni_manager.training.aml.making'] = None\n"
        "from nni_manager.server.job_places import _built_in\n"
        "try: _built_in('aml')\n"
        "except Exception as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'nni-manager[aml]' brings it" in done.stdout
