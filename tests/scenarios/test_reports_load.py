"""Field reports on many results and many trials, and on forks while results are on their way."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from workspace import simulate

HELPERS = """
import json, time
from pathlib import Path
import psutil

class Memory:
    "The memory of a manager and its courier in MiB, without what they share."

    def __init__(self, experiment):
        folder = Path(experiment.get_experiment_profile()["logDir"])
        manager = psutil.Process(json.loads((folder / "manager.json").read_text())["pid"])
        (courier,) = (each for each in manager.children() if "nni.courier" in each.cmdline())
        self._processes = {"manager": manager, "courier": courier}
        self.samples = {name: [] for name in self._processes}

    def sample(self):
        for name, process in self._processes.items():
            self.samples[name].append(process.memory_full_info().uss / 2**20)

    def growth(self, name):
        "By how much more it ever had than in its first tenth."
        samples = self.samples[name]
        return max(samples) - max(samples[: len(samples) // 10 + 1])
"""


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(5_000, id="quick"),
        pytest.param(
            int(os.environ.get("NNI_TEST_REPORTS", "25000")),
            id="full",
            marks=[pytest.mark.slow, pytest.mark.timeout(1800)],
        ),
    ],
)
def test_results_without_a_pause(stage, count):
    """Row 20: eight trials report as fast as they can; all of it is stored in order, in bounded memory.

    NNI_TEST_REPORTS is how much each of them reports in the slow form.
    """
    stage.write("helpers.py", HELPERS)
    stage.write(
        "trial.py",
        f"""
        import nni
        nni.get_next_parameter()
        for step in range({count}):
            nni.report_intermediate_result(step)
        nni.report_final_result({count})
        """,
    )
    output = stage.run(
        f"""
        from helpers import Memory
        experiment = make(trials=8, concurrency=8)
        experiment.start(0)
        memory = Memory(experiment)
        while experiment.get_status() not in ("DONE", "ERROR"):
            memory.sample()
            time.sleep(0.2)
        jobs = experiment.list_trial_jobs()
        assert [job.status for job in jobs] == ["SUCCEEDED"] * 8
        assert [job.finalMetricData[0].data for job in jobs] == [{count}] * 8
        for job in jobs:
            metrics = experiment.get_job_metrics(job.trialJobId)[job.trialJobId]
            assert [metric.data for metric in metrics] == list(range({count} + 1))
            assert [metric.sequence for metric in metrics] == [*range({count}), 0]
            del metrics
        print("MEMORY", {{name: (max(each), memory.growth(name)) for name, each in memory.samples.items()}})
        assert max(memory.samples["manager"]) < 150 and max(memory.samples["courier"]) < 60
        if {count} > 10_000:
            assert memory.growth("manager") < 40 and memory.growth("courier") < 20
        """,
        timeout=1700,
    )
    assert "MEMORY" in output
    assert stage.is_quiet(), stage.processes()


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(60, id="quick"),
        pytest.param(3_000, id="full", marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
def test_many_trials(stage, count):
    """Row 21: the memory of the manager does not grow with the trials that have ended."""
    stage.write("helpers.py", HELPERS)
    line = '{"k":"%s","r":"%s","n":%s,"t":1.0,"v":0.5}\\n'
    stage.write(
        "trial.sh",
        f"for n in 0 1 2 3 4; do printf '{line}' i $$ $n; done > $NNI_SYS_DIR/reports.jsonl\n"
        f"printf '{line}' f $$ 5 >> $NNI_SYS_DIR/reports.jsonl\n",
    )
    stage.run(
        f"""
        from helpers import Memory
        experiment = make("source ./trial.sh", trials={count}, concurrency=4)
        experiment.start(0)
        memory = Memory(experiment)
        while experiment.get_status() not in ("DONE", "ERROR"):
            memory.sample()
            time.sleep(0.2)
        jobs = experiment.list_trial_jobs()
        assert [job.sequenceId for job in jobs] == list(range({count}))
        assert {{job.status for job in jobs}} == {{"SUCCEEDED"}}
        metrics = experiment.get_job_metrics()
        assert {{len(each) for each in metrics.values()}} == {{6}} and len(metrics) == {count}
        if {count} > 1000:
            assert memory.growth("manager") < 20 and memory.growth("courier") < 10, memory.samples
        """,
        timeout=800,
    )
    assert stage.is_quiet(), stage.processes()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_many_simulated_trials():
    """Row 21: no history of trials is kept in memory. The whole row: `tools/simulate --trials 50000`.

    The manager's engine, runner, record and tuner are real; the trials, of 5 intermediates each, are events.
    """
    command = simulate.command(sys.executable, ["5000", "100"])
    done = subprocess.run(command, env=simulate.environment(), capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    pairs = (line.rsplit(maxsplit=1) for line in done.stdout.splitlines() if "  " in line.strip())
    rows = {name.strip(): value.replace(",", "") for name, value in pairs}
    assert (rows["experiment"], rows["trials"]) == ("DONE", "5000")
    assert int(rows["succeeded"]) + int(rows["failed"]) == 5000 and int(rows["results"]) > 25_000
    assert float(rows["growth for each trial (bytes)"]) < 1000, rows
    assert float(rows["memory at the most (MiB)"]) < 150, rows


LOOP = """
import os, nni
while (parameters := nni.get_next_parameter()) is not None:
    for step in range(10):
        nni.report_intermediate_result(step)
    nni.report_final_result(parameters["x"])
    print(os.getpid())
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_many_samples_without_a_pause(stage):
    """Row 30: samples of no time, 10 steps each, in processes that stay; their courier dies in the midst.

    The whole row: `NNI_TEST_SAMPLES=10000 tools/test --all -- -k many_samples tests/scenarios`.
    """
    count = int(os.environ.get("NNI_TEST_SAMPLES", "500"))
    stage.write("loop.py", LOOP)
    stage.write("helpers.py", HELPERS)
    output = stage.run(
        f"""
        from helpers import Memory
        experiment = make("python3 loop.py", trials={count}, concurrency=4)
        experiment.config.training_service.reuse_mode = True
        experiment.start(0)
        memory = Memory(experiment)
        courier = memory._processes.pop("courier")
        killed = False
        while experiment.get_status() not in ("DONE", "ERROR"):
            memory.sample()
            if not killed and len(experiment.list_trial_jobs()) >= {count} // 2:
                courier.kill()
                killed = True
            time.sleep(0.2)
        assert killed
        jobs = experiment.list_trial_jobs()
        assert [job.status for job in jobs] == ["SUCCEEDED"] * {count}
        metrics = experiment.get_job_metrics()
        assert len(metrics) == {count}
        for job in jobs:
            x = job.hyperParameters[0].parameters["x"]
            assert [metric.data for metric in metrics[job.trialJobId]] == [*range(10), x], job.trialJobId
        processes = {{Path(job.logPath, "stdout").read_text().split()[0] for job in jobs}}
        print("PROCESSES", len(processes), "MEMORY", memory.growth("manager"))
        assert len(processes) == 4, "they come back to the next courier"
        assert memory.growth("manager") < 20 + 1000 * {count} / 2**20
        """,
        timeout=800,
    )
    assert "PROCESSES 4" in output
    assert stage.is_quiet(), stage.processes()


FORKING = """
import os, sys, threading, time, nni
{imports}
nni.get_next_parameter()
{before}
ending = threading.Event()
count = 0

def report():
    global count
    while not ending.is_set():
        nni.report_intermediate_result({{"default": count, "from": "parent"}})
        count += 1

threads = [threading.Thread(target=report)]
threads[0].start()
for number in range({forks}):
    nni.report_intermediate_result({{"default": number, "from": "main"}})
    child = os.fork()
    if child == 0:
        for step in range(3):
            nni.report_intermediate_result({{"default": step, "from": number}})
        if number % 3:
            os._exit(0)
        sys.stdout.flush()
        sys.exit(0)
    {between}
    assert os.waitpid(child, 0) == (child, 0), number
ending.set()
threads[0].join()
nni.report_final_result(count)
{after}
"""

GRPC = {
    "imports": "import grpc\nfrom concurrent import futures",
    "before": """
class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: request)

server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Echo()])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
channel = grpc.insecure_channel(f"127.0.0.1:{port}")
call = channel.unary_unary("/echo.Echo/Echo")
assert call(b"before", timeout=30) == b"before"
print("grpcio", grpc.__version__)
""",
    "between": "",
    "after": "os._exit(0)",
}
NONE = dict.fromkeys(GRPC, "")


def _forks(stage, python, forks, parts):
    stage.write("trial.py", FORKING.format(forks=forks, **parts))
    stage.environment["PYTHONWARNINGS"] = "default"
    return stage.run(
        f"""
        experiment = make("{python} trial.py", trials=2)
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        for job in experiment.list_trial_jobs():
            assert job.status == "SUCCEEDED", Path(job.logPath, "stderr").read_text()[-3000:]
            print(Path(job.logPath, "stdout").read_text())
            *steps, final = [m.data for m in experiment.get_job_metrics(job.trialJobId)[job.trialJobId]]
            for number in range({forks}):
                assert [m["default"] for m in steps if m["from"] == number] == [0, 1, 2], number
            parents = [m["default"] for m in steps if m["from"] == "parent"]
            assert parents == list(range(final)) and len(steps) == final + 4 * {forks}, len(steps)
            assert [m["default"] for m in steps if m["from"] == "main"] == list(range({forks}))
        """,
        timeout=500,
    )


def test_forks_while_reporting(stage):
    """Rule T10: a process may fork at any moment; no process hangs and no result is lost or doubled."""
    _forks(stage, sys.executable, 50, NONE)
    assert stage.is_quiet(), stage.processes()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("requirement", ["grpcio==1.71.2", "grpcio"], ids=["oldest", "newest"])
def test_forks_of_a_process_that_uses_grpc(stage, tmp_path, requirement):
    """Rule T10: the same when the trial itself has a gRPC channel and a server open.

    NNI_TEST_FORKS is how often each of its two trials forks.
    """
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    subprocess.run([*pip, "install", "-q", "--no-compile", requirement], check=True)
    output = _forks(stage, python, int(os.environ.get("NNI_TEST_FORKS", "60")), GRPC)
    version = requirement.partition("==")[2] or "1."
    assert output.count(f"grpcio {version}") == 2, output
    assert stage.is_quiet(), stage.processes()
