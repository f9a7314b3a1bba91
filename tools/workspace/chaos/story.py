"""One run of the chaos command, in an interpreter that has the packages.

python -m workspace.chaos.story OPTION...
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

from workspace.benchmark import MARK
from workspace.chaos import __doc__ as description
from workspace.chaos.checking import ZEROS, check, read_notes, read_record
from workspace.chaos.disk import SmallDisk, small_disk
from workspace.chaos.faults import Faults
from workspace.chaos.keeping import GivenUp, Keeper
from workspace.chaos.options import Options, parse
from workspace.launch import run
from workspace.marked import end, others, wait_until
from workspace.progress import table

_MIB = 2**20
_BYTES_PER_TRIAL = 160 * 1024
_BYTES_BESIDE = 12 * _MIB
_SECONDS_TO_END = 10.0
_MOST_GROWTH = 24 * _MIB
_REPLAY_DIFFERED = "replay of its history differed"
_SURPRISES = "surprises"
_LEFT = "processes left"


def story(options: Options, mark: str, disk: SmallDisk, folder: Path) -> dict[str, Any]:
    """Runs the experiment while harm is done to it; returns all that came of it, by name."""
    began = time.monotonic()
    keeper = Keeper(options, mark, disk.folder, folder)
    faults = Faults(options.seed, mark, disk, options.kills, keeper)
    status = "given up"
    keeper.start()
    faults.start()
    try:
        keeper.keep(faults)
        faults.end()
        status = keeper.finish()
    except GivenUp as error:
        keeper.surprises.append(str(error))
    finally:
        faults.end()
    wait_until(lambda: not others(mark), _SECONDS_TO_END)
    left = others(mark)
    recorded = read_record(keeper.folder / "db" / "experiment.sqlite")
    noted = read_notes(keeper.notes)
    findings = check(recorded, noted, options.trials)
    surprises = [*keeper.surprises, *_strange(keeper.warnings(), keeper.folder, keeper.memory)]
    attempts = sum(trial.attempt for trial in recorded.trials)
    zeros = {**{kind: findings.counts[kind] for kind in ZEROS}, _LEFT: len(left), _SURPRISES: len(surprises)}
    lines = [*findings.lines, *surprises, *(f"left: {each}" for each in left)]
    is_right = status == "DONE" and not any(zeros.values())
    found = {
        "seed": options.seed,
        "tuner": options.tuner,
        "disk": disk.description,
        "faults": dict(sorted(faults.counts.items())),
        "faults injected": sum(faults.counts.values()),
        "experiment": status,
        "trials": len(recorded.trials),
        "attempts run again": attempts,
        "resumes": keeper.lives - 1,
        "errors resumed after": dict(keeper.errors),
        "values reported": sum(len(own.reported) for own in noted.values()),
        "zeros": zeros,
        "memory": _memory(keeper.memory),
        "seconds": round(time.monotonic() - began, 1),
        "wrong": lines,
        "is right": is_right,
    }
    if not is_right:
        found["kept"] = _keep(disk.folder, folder, faults.log)
    return found


def report(found: Mapping[str, Any]) -> str:
    """Returns the text that tells what came of a run."""
    memory = found["memory"]
    rows = [
        ("seed", str(found["seed"])),
        ("tuner", found["tuner"]),
        ("disk", found["disk"]),
        ("faults injected", f"{found['faults injected']:,}"),
        *((f"  {kind}", f"{number:,}") for kind, number in found["faults"].items()),
        ("experiment", found["experiment"]),
        ("trials", f"{found['trials']:,}"),
        ("attempts run again after a kill", f"{found['attempts run again']:,}"),
        ("times resumed", f"{found['resumes']:,}"),
        *((f"  after: {text}", f"{number:,}") for text, number in found["errors resumed after"].items()),
        ("values reported", f"{found['values reported']:,}"),
        *((kind, f"{number:,}") for kind, number in found["zeros"].items()),
        ("memory of the manager, first and last (MiB)", f"{memory['first']:.1f} {memory['last']:.1f}"),
        ("growth of it per trial (KiB)", f"{memory['KiB per trial']:.1f}"),
        ("duration (s)", f"{found['seconds']:.1f}"),
    ]
    lines = [table(rows), *found["wrong"]]
    if "kept" in found:
        lines.append(f"kept for a closer look: {found['kept']}")
    return "\n".join(lines)


def _strange(warnings: Sequence[str], folder: Path, memory: Sequence[tuple[int, int]]) -> list[str]:
    """Returns what has to be looked into although no value is wrong."""
    found = [f"warned: {warning}" for warning in warnings if _REPLAY_DIFFERED in warning]
    log = (folder / "log" / "nnimanager.log").read_text(errors="replace").splitlines()
    found += [f"logged: {line}" for line, after in pairwise(log) if line and after.startswith("Traceback ")]
    numbers = _memory(memory)
    if (numbers["last"] - numbers["first"]) * _MIB > _MOST_GROWTH:
        found.append(f"the memory of the manager has grown: {numbers}")
    return found


def _memory(samples: Sequence[tuple[int, int]]) -> dict[str, float]:
    """Returns the manager's memory at first and at last in MiB, and its growth over all its lives."""
    counts = [count for count, _ in samples]
    sizes = [size for _, size in samples]
    if len(set(counts)) < 2:
        return {"first": 0.0, "last": 0.0, "KiB per trial": 0.0}
    slope, start = statistics.linear_regression(counts, sizes)
    first, last = start + slope * min(counts), start + slope * max(counts)
    return {"first": first / _MIB, "last": last / _MIB, "KiB per trial": slope / 1024}


def _keep(experiments: Path, folder: Path, log: Sequence[tuple[float, str, int]]) -> str:
    """Copies what is to be looked at, since the disk ends with this process; returns where it is."""
    kept = Path(tempfile.mkdtemp(prefix="nni-chaos-kept-"))
    (kept / "faults.json").write_text("\n".join(json.dumps(entry) for entry in log))
    shutil.copytree(experiments, kept / "experiments", symlinks=True)
    shutil.copytree(folder / "notes", kept / "notes")
    shutil.copy(folder / "client.log", kept)
    return str(kept)


def main(arguments: Sequence[str]) -> int:
    """Runs the command line and returns its exit code: 1 if anything is wrong."""
    options = parse(arguments, description or "")
    print(f"seed {options.seed}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="nni-chaos-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # Neither the user's folders nor other managers are ours to meddle with. Sockets lie in the second.
        os.environ["HOME"] = name
        os.environ["NNI_RUNTIME_DIR"] = f"{name}/run"
        mark = os.environ[MARK]
        size = _BYTES_BESIDE + options.trials * _BYTES_PER_TRIAL
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with closing(small_disk(folder / "disk", size, mark, options.small_disk)) as disk:
            try:
                found = story(options, mark, disk, folder)
            finally:
                end(mark)
    print(json.dumps(found, indent=1) if options.as_json else report(found))
    return 0 if found["is right"] else 1


if __name__ == "__main__":
    run("workspace.chaos.story")
