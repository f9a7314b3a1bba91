"""Checks on a machine with NVIDIA GPUs that what we make of them is what the driver and CUDA make of them.

    python tools/check_gpu.py [--no-experiment]

It compares the machine's report with `nvidia-smi -L`, what CUDA_VISIBLE_DEVICES leaves with what CUDA says,
and a process on a GPU with what the report says of it, and runs an experiment whose trials want one GPU each.
It needs our packages and the driver, and takes less than a minute.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from nni.machine.devices import Device
from nni.machine.gpus import list_gpus
from nni.machine.nvidia_output import listed
from nni.machine.visible import visible_devices

TRIALS = 4

TRIAL = """\
import os, sys, time, nni
sys.path.insert(0, {folder!r})
import check_gpu
nni.get_next_parameter()
begin = time.time()
held = check_gpu.hold_memory()
time.sleep(1.5)
nni.report_final_result({{
    "default": held["count"], "visible": os.environ.get("CUDA_VISIBLE_DEVICES"), "uuid": held["uuid"],
    "begin": begin, "end": time.time(),
}})
"""


class Checks:
    """Counts what is as it should be."""

    failures = 0

    def equal(self, what: str, ours: Any, theirs: Any) -> None:
        """Prints whether two things are equal, and counts them."""
        good = ours == theirs
        self.failures += not good
        print(f"{'ok  ' if good else 'FAIL'} {what}: {ours!r}" + ("" if good else f", expected {theirs!r}"))


def hold_memory(mebibytes: int = 256) -> dict[str, Any]:
    """Takes memory of the first GPU that CUDA sees, until this process ends.

    Returns:
        "count", how many GPUs CUDA sees, and "uuid", that of the first one, "" if there is none.
    """
    cuda = ctypes.CDLL("libcuda.so.1")
    count = ctypes.c_int(0)
    if cuda.cuInit(0) != 0 or cuda.cuDeviceGetCount(ctypes.byref(count)) != 0 or count.value == 0:
        return {"count": 0, "uuid": ""}
    device, context, memory = ctypes.c_int(0), ctypes.c_void_p(), ctypes.c_void_p()
    uuid = ctypes.create_string_buffer(16)
    codes = [cuda.cuDeviceGet(ctypes.byref(device), 0), cuda.cuDeviceGetUuid_v2(uuid, device)]
    if mebibytes:
        codes.append(cuda.cuCtxCreate_v2(ctypes.byref(context), 0, device))
        codes.append(cuda.cuMemAlloc_v2(ctypes.byref(memory), ctypes.c_size_t(mebibytes << 20)))
    if any(codes):
        raise RuntimeError(f"CUDA refuses: {codes}")
    text = uuid.raw.hex()
    parts = (text[:8], text[8:12], text[12:16], text[16:20], text[20:])
    return {"count": count.value, "uuid": "GPU-" + "-".join(parts)}


def main() -> int:
    """Runs the command line and returns 1 if anything is not as it should be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--no-experiment", action="store_true", help="leave the experiment out")
    options = parser.parse_args()
    checks = Checks()
    rows = check_report(checks)
    if rows:
        check_visible(checks, rows)
        check_users(checks)
        if not options.no_experiment:
            check_experiment(checks, len(rows))
    print(f"{checks.failures} of the checks failed")
    return 1 if checks.failures or not rows else 0


def check_report(checks: Checks) -> list[dict[str, Any]]:
    """Compares the machine's report with nvidia-smi -L, and returns the GPUs."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "nni.machine_report"], capture_output=True, text=True, check=True
    )
    seconds = time.monotonic() - began
    report = json.loads(done.stdout)
    print(json.dumps(report, indent=2))
    print(f"the report took {seconds:.2f} s")
    checks.equal("problem of the GPUs", report["gpu_problem"], "")
    checks.equal("warnings", report["gpu_warnings"], [])
    if not report["gpus"]:
        return []
    asked = subprocess.run([report["gpu_tool"], "-L"], capture_output=True, text=True, check=True)
    print(asked.stdout.rstrip())
    theirs = [(gpu.number, gpu.uuid, gpu.name) for gpu in listed(asked.stdout)[0]]
    ours = [(row["index"], row["uuid"], row["name"]) for row in report["gpus"]]
    if not any(row["uuid"].startswith("MIG-") for row in report["gpus"]):
        checks.equal("GPUs", ours, theirs)
    checks.equal("memory is known", all(row["memory_total"] for row in report["gpus"]), True)
    return [row for row in report["gpus"] if not row["problem"]]


def check_visible(checks: Checks, rows: list[dict[str, Any]]) -> None:
    """Compares what lists of GPUs leave with how many CUDA sees under them, and which is the first."""
    devices = [Device(row["index"], str(row["index"]), row["uuid"]) for row in rows]
    number, uuid = str(devices[0].number), devices[0].uuid
    for text in (
        *(number, f" {number} ", f"+{number}", f"{number}gpu", f"{number},-1", f"{number},,", f"{number},99"),
        *("", "-1", "99", f"99,{number}", f"-1,{number}", f"{number},{number}", "NoDevFiles", f"x{number}"),
        *(
            uuid,
            uuid[:12],
            uuid[:5],
            f"{uuid},{number}",
            f"{number},{uuid}",
            f"{uuid},{uuid}",
            "GPU-",
            "GPU-zz",
        ),
        *(uuid.upper(), uuid[4:], f"{uuid}0", ",".join(row["uuid"] for row in rows)),
    ):
        left = [device for device in visible_devices(devices, text) if not device.problem]
        seen = _cuda_sees(CUDA_VISIBLE_DEVICES=text)
        checks.equal(f"CUDA_VISIBLE_DEVICES={text!r}", len(left), seen["count"])


def check_users(checks: Checks) -> None:
    """Compares what is said of a GPU before, while and after a process computes on it."""
    before = list_gpus("abc").gpus[0]
    for owner, others in (("abc", 0), ("abcd", 1)):
        environment = {**os.environ, "NNI_EXP_ID": owner, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
        command = "import check_gpu; print(check_gpu.hold_memory(), flush=True); input()"
        process = _python(command, environment, stdin=subprocess.PIPE)
        assert process.stdout is not None
        print(process.stdout.readline().rstrip())
        row = list_gpus("abc").gpus[0]
        asked = subprocess.run(
            ["nvidia-smi", "--query-compute-apps=gpu_uuid,pid,used_memory", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=False,
        )
        print(f"nvidia-smi says of process {process.pid}: {asked.stdout.strip()!r}")
        used = (row["memory_used"] or 0) - (before["memory_used"] or 0)
        checks.equal(f"a process of {owner} takes memory", used >= 200 << 20, True)
        if str(process.pid) in asked.stdout:
            checks.equal(f"others than abc, with {owner}'s", row["used_by_others"], others)
        else:
            print("--   which process is whose cannot be checked: nvidia-smi does not tell of it here")
        process.communicate("\n")
    checks.equal("others afterwards", list_gpus("abc").gpus[0]["used_by_others"], before["used_by_others"])


def check_experiment(checks: Checks, gpus: int) -> None:
    """Runs an experiment that has more trials at a time than there are GPUs."""
    from nni.experiment import Experiment

    with tempfile.TemporaryDirectory(prefix="nni-check-gpu-") as name:
        folder = Path(name)
        code = folder / "code"
        code.mkdir()
        (code / "trial.py").write_text(
            TRIAL.format(folder=str(Path(__file__).resolve().parent)), encoding="utf-8"
        )
        experiment = Experiment("local")
        config = experiment.config
        config.experiment_working_directory = folder / "experiments"
        config.trial_command = f"{sys.executable} trial.py"
        config.trial_code_directory = code
        config.trial_concurrency = gpus + 1
        config.max_trial_number = max(TRIALS, gpus + 1)
        config.trial_gpu_number = 1
        config.training_service.use_active_gpu = False
        config.search_space = {"x": {"_type": "uniform", "_value": [0, 1]}}
        config.tuner.name = "Random"
        try:
            experiment.start(0)
            waited = set()
            while experiment.get_status() not in ("DONE", "ERROR", "STOPPED"):
                waited |= {it.message for it in experiment.list_trial_jobs() if it.status == "WAITING"}
                time.sleep(0.2)
            trials = experiment.list_trial_jobs()
        finally:
            experiment.stop()
    finals = [result.data for trial in trials for result in trial.finalMetricData]
    print(f"trials waited because of: {sorted(waited)}")
    checks.equal("trials", [trial.status for trial in trials], ["SUCCEEDED"] * len(trials))
    for final in finals:
        print(final)
        checks.equal("CUDA sees so many GPUs in a trial", final["default"], 1)
    spans = sorted((final["visible"], final["begin"], final["end"]) for final in finals)
    overlaps = [
        (one, other) for one, other in itertools.pairwise(spans) if one[0] == other[0] and other[1] < one[2]
    ]
    checks.equal("trials on one GPU at a time", overlaps, [])


def _cuda_sees(**environment: str) -> dict[str, Any]:
    code = "import check_gpu, json; print(json.dumps(check_gpu.hold_memory(0)))"
    process = _python(code, {**os.environ, "CUDA_DEVICE_ORDER": "PCI_BUS_ID", **environment})
    found: dict[str, Any] = json.loads(process.communicate()[0])
    return found


def _python(code: str, environment: dict[str, str], stdin: int | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=Path(__file__).resolve().parent,
        env=environment,
        stdin=stdin,
        stdout=subprocess.PIPE,
        text=True,
    )


if __name__ == "__main__":
    sys.exit(main())
