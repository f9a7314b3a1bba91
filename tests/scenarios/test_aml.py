"""Experiments whose trials run in jobs of Azure ML, by a stand-in; whole processes, as a user has them."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from aml_stand_in import AmlStandIn, Facts
from nni_manager.training.jobs.host import JOB_DIRECTORY

pytestmark = pytest.mark.slow

TRIAL = """\
import nni, os
x = nni.get_next_parameter()["x"]
print("said in", os.environ.get("AZUREML_RUN_ID", "no job"))
nni.report_intermediate_result(x / 2)
nni.report_final_result(x)
"""

FACTS = Facts()

SCRIPT = """
    from nni.experiment.config import AmlConfig, AzureBlobConfig
    def place(**fields):
        return AmlConfig(**dict(subscription_id={facts.subscription!r}, resource_group={facts.group!r},
            workspace_name={facts.workspace!r}, compute_target={facts.compute!r},
            docker_image="python:3.11", trial_command="python3 trial.py") | fields)
    def on_azure(trials, concurrency, services=None, id={id!r}, **fields):
        experiment = make("python3 trial.py", trials, concurrency, "aml", id=id)
        experiment.config.training_service = services or place(**fields)
        # The account that the workspace has, reached where the stand-in has it.
        experiment.config.shared_storage = AzureBlobConfig(
            local_mount_point="/nowhere", remote_mount_point="/nowhere", local_mounted="nomount",
            storage_account_name={account.name!r}, container_name={account.container!r},
            storage_account_key={account.key!r}, storage_account_url={account.url!r})
        return experiment
"""


@pytest.fixture
def azure(tmp_path: Path, blob_account: Any, stage: Any) -> Iterator[AmlStandIn]:
    # Also the experiment's id: its jobs run on this machine, and have their folders there by that.
    folder = tmp_path / f"aml{secrets.token_hex(3)}"
    folder.mkdir()
    with AmlStandIn(folder, blob_account, FACTS).running() as made:
        # What Azure's libraries use and other libraries will take away is no error.
        stage.environment |= {**made.environment, "PYTHONWARNINGS": "error,ignore::DeprecationWarning"}
        yield made
    shutil.rmtree(f"{JOB_DIRECTORY}/{folder.name}", ignore_errors=True)


def script(azure: AmlStandIn, text: str) -> str:
    return SCRIPT.format(facts=FACTS, account=azure.account, id=azure.folder.name) + text


def test_trials_in_a_pool_of_jobs_that_nothing_is_left_of(stage: Any, azure: AmlStandIn) -> None:
    stage.write("trial.py", TRIAL)
    output = stage.run(
        script(
            azure,
            """
    experiment = on_azure(4, 2)
    assert experiment.run(0)
    print("ALL", *[trial.status for trial in experiment.list_trial_jobs()])
""",
        )
    )
    assert "ALL SUCCEEDED SUCCEEDED SUCCEEDED SUCCEEDED" in output
    assert len(azure.jobs) == 2
    assert stage.until(lambda: all(job.status == "Completed" for job in azure.jobs.values()))
    folder = stage.experiments / azure.folder.name
    said = {path.read_text() for path in folder.glob("trials/*/stdout")}
    assert said <= {f"said in {name}\n" for name in azure.jobs}
    log = folder.joinpath("log", "nnimanager.log").read_text()
    assert azure.account.key not in log and "sig=" not in log and "Activity" not in log
    kept = [name for name in azure.account.names() if name.startswith(f"nni/{azure.folder.name}/")]
    assert kept == []


def test_azure_ml_beside_this_machine(stage: Any, azure: AmlStandIn) -> None:
    stage.write("trial.py", TRIAL)
    output = stage.run(
        script(
            azure,
            """
    from nni.experiment.config import LocalConfig
    local = LocalConfig(trial_command="python3 trial.py", trial_concurrency=1)
    experiment = on_azure(4, 3, [local, place(reuse_mode=False)])
    assert experiment.run(0)
    print("ALL", *[trial.status for trial in experiment.list_trial_jobs()])
""",
        )
    )
    assert "ALL SUCCEEDED SUCCEEDED SUCCEEDED SUCCEEDED" in output
    assert azure.jobs


def test_trials_share_the_gpu_of_a_job(stage: Any, azure: AmlStandIn) -> None:
    stage.write(
        "trial.py",
        """
        import nni, os, time
        from pathlib import Path
        x = nni.get_next_parameter()["x"]
        here = Path(os.environ["NNI_CODE_DIR"], "together")
        here.mkdir(exist_ok=True)
        (here / os.environ["NNI_TRIAL_JOB_ID"]).touch()
        while len(list(here.iterdir())) < 2:  # of the same job
            time.sleep(0.05)
        nni.report_final_result(x)
        """,
    )
    output = stage.run(
        script(
            azure,
            """
    service = place(max_trial_number_per_gpu=2)
    service.trial_gpu_number = 1
    experiment = on_azure(4, 4, service)
    assert experiment.run(0)
    print("ALL", *[trial.status for trial in experiment.list_trial_jobs()])
""",
        )
    )
    assert "ALL SUCCEEDED SUCCEEDED SUCCEEDED SUCCEEDED" in output
    assert len(azure.jobs) == 2


METRICS_TRIAL = """\
import nni
x = nni.get_next_parameter()["x"]
for step in range(3):
    nni.report_intermediate_result({"default": step / 2, "train loss (%)": 10 - step})
nni.report_final_result(1.5)
"""


def test_results_are_in_the_studio(stage: Any, azure: AmlStandIn) -> None:
    stage.write("trial.py", METRICS_TRIAL)
    stage.run(script(azure, "    assert on_azure(2, 2, reuse_mode=False).run(0)\n"))
    assert len(azure.jobs) == 2
    assert stage.is_quiet(60)
    for job in azure.jobs.values():
        assert [(metric["key"], metric["value"], metric["step"]) for metric in job.metrics] == [
            ("intermediate", 0.0, 0),
            ("train loss ___", 10.0, 0),
            ("intermediate", 0.5, 1),
            ("train loss ___", 9.0, 1),
            ("intermediate", 1.0, 2),
            ("train loss ___", 8.0, 2),
            ("final", 1.5, 3),
        ]
    assert not [said for said in azure.refused if "log-batch" in said]


def test_results_that_are_not_taken_disturb_nothing(stage: Any, azure: AmlStandIn) -> None:
    stage.write("trial.py", METRICS_TRIAL)
    azure.faults.path, azure.faults.status, azure.faults.fail_next = "log-batch", 429, 1_000_000
    output = stage.run(
        script(
            azure,
            """
    experiment = on_azure(3, 2)
    assert experiment.run(0)
    print("ALL", *[trial.status for trial in experiment.list_trial_jobs()])
""",
        )
    )
    assert "ALL SUCCEEDED SUCCEEDED SUCCEEDED" in output
    log = (stage.experiments / azure.folder.name / "log" / "nnimanager.log").read_text()
    assert log.count("results are not shown in Azure ML's studio for now; the experiment has them") == 1
    assert "21 results are not in Azure ML's studio" in log


def test_azure_ml_is_away_at_a_resume(stage: Any, azure: AmlStandIn, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    stage.write(
        "trial.py",
        f"""
        import nni, os, time
        x = nni.get_next_parameter()["x"]
        while not os.path.exists({str(gate)!r}):
            time.sleep(0.05)
        nni.report_final_result(x)
        """,
    )
    name = azure.folder.name
    stage.run(
        script(
            azure,
            f"""
    experiment = on_azure(2, 2, reuse_mode=False)
    experiment.start(0)
    while [trial.status for trial in experiment.list_trial_jobs()] != ["RUNNING"] * 2:
        time.sleep(0.1)
    os.kill(experiment.get_experiment_metadata({name!r})["pid"], signal.SIGKILL)
    os._exit(0)
""",
        )
    )
    azure.faults.status, azure.faults.fail_next = 503, 1_000_000
    stage.environment["NNI_SECRET_SHARED_STORAGE_STORAGE_ACCOUNT_KEY"] = azure.account.key
    with stage.start(f"    assert Experiment.resume({name!r}, 0)\n") as process:
        words = "does not answer: the workspace"
        assert stage.until(lambda: words in " ".join(stage.nnictl("status", name).stdout.split()))
        assert stage.nnictl("trial", "ls", name, "--json").stdout.count('"RUNNING"') == 2
        gate.touch()
        azure.faults.fail_next = 0
        output, _ = process.communicate(timeout=100)
    assert "2 succeeded" in output
    assert len(azure.jobs) == 2


def test_what_is_wrong_is_said_at_the_start(stage: Any, azure: AmlStandIn) -> None:
    """Row 181: never an empty error."""
    output = stage.run(
        script(
            azure,
            """
    for fields in ({"workspace_name": "other"}, {"compute_target": "cpu"}, {"gpus": 9}):
        service = place(**{name: value for name, value in fields.items() if name != "gpus"})
        service.trial_gpu_number = fields.get("gpus")
        try:
            on_azure(1, 1, service, id=next(iter(fields))).run(0)
        except Exception as error:
            print("SAID", " ".join(str(error).split()))
""",
        )
    )
    said = [line for line in output.splitlines() if line.startswith("SAID")]
    assert len(said) == 3, output
    assert 'workspace_name: the workspace "other": The Resource' in said[0]
    assert 'compute_target: "cpu" of ws: Requested compute cpu not found' in said[1]
    assert "each trial needs 9 GPUs" in said[2]
    assert azure.jobs == {}


def test_an_idle_manager_does_next_to_nothing(stage: Any, azure: AmlStandIn) -> None:
    """Row 178: what helped on Azure ML took a whole core, and stayed."""
    azure.faults.hold = True
    process = stage.start(script(azure, "    on_azure(1, 1).run(0)\n"))
    try:
        assert stage.until(lambda: any(job.status == "Queued" for job in azure.jobs.values()))
        managers = [
            psutil.Process(pid) for pid, line in stage.processes().items() if "-m nni_manager " in line
        ]
        (manager,) = managers
        time.sleep(5)  # what the start has left to do
        before, asked = manager.cpu_times(), len(azure.asked)
        time.sleep(20)
        after = manager.cpu_times()
        used = after.user + after.system - before.user - before.system
        memory = manager.memory_info().rss >> 20
        print(f"idle: {used:.2f} s of CPU in 20 s, {len(azure.asked) - asked} requests, {memory} MiB")
        assert used < 2.0
    finally:
        azure.release()
        process.communicate(timeout=100)
    assert stage.is_quiet()
