"""Population based training with real trials that save checkpoints and load those of others."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

STEP = """\
import json, os, sys, time
from pathlib import Path
import nni
parameters = nni.get_next_parameter()
load, save = Path(parameters["load_checkpoint_dir"]), Path(parameters["save_checkpoint_dir"])
member, generation = save.parts[-2:]
steps = json.loads((load / "steps").read_text()) if (load / "steps").exists() else []
began = time.time()
while (Path("wait") / generation).exists():
    time.sleep(0.05)
if (Path("fail") / f"{member}-{generation}").exists():
    sys.exit("bad luck")
(save / "steps").write_text(json.dumps([*steps, f"{member}-{generation}"]))
nni.report_final_result(float(member))
with open("ran", "a") as file:
    run = [int(member), int(generation), [*load.parts[-2:]], steps, began, time.time()]
    file.write(json.dumps(run) + "\\n")
"""

SETUP = """
experiment = make("python3 step.py", trials={trials}, concurrency={concurrency}, id="mine")
experiment.config.tuner.name = "PBT"
experiment.config.tuner.class_args.update(population_size=4, seed=3)
"""


def runs_of(stage) -> list[tuple[int, int, list[str], list[str], float, float]]:
    return [tuple(json.loads(line)) for line in (stage.folder / "ran").read_text().splitlines()]


def generations_follow(runs) -> bool:
    """Whether no trial began before the last one of the generation before had ended."""
    ends = {number: max(run[5] for run in runs if run[1] == number) for number in {run[1] for run in runs}}
    return all(run[4] > ends.get(run[1] - 1, 0) - 0.001 for run in runs)


@pytest.mark.parametrize("concurrency", [2, 4, 6])
def test_three_generations_of_four(stage, concurrency):
    """Row 94: all twelve trials run, each generation after the last one of the one before."""
    stage.write("step.py", STEP)
    output = stage.run(
        SETUP.format(trials=12, concurrency=concurrency)
        + "print('RESULT', experiment.run(0), experiment.get_status())\n"
    )
    assert "RESULT True DONE" in output
    runs = runs_of(stage)
    assert sorted(run[:2] for run in runs) == [(member, number) for member in range(4) for number in range(3)]
    assert generations_follow(runs)
    for member, number, load, steps, *_ in runs:
        # The worst, 0, takes over what the best, 3, has learned; the others go on.
        source = member if member or number == 0 else 3
        assert load == [str(source), str(max(number - 1, 0))]
        assert len(steps) == number
    folder = stage.experiments / "mine" / "checkpoint"
    assert sorted(str(each.relative_to(folder)) for each in folder.glob("*/*/steps")) == [
        f"{member}/{number}/steps" for member in range(4) for number in range(3)
    ]
    assert {each.stat().st_mode & 0o777 for each in [folder, *folder.glob("*"), *folder.glob("*/*")]} == {
        0o700
    }
    assert stage.is_quiet(), stage.processes()


def test_a_failure_holds_up_nothing_and_the_limit_need_not_fit(stage):
    """Rows 94: also when one fails. 10 trials are two and a half generations; two more finish the third."""
    stage.write("step.py", STEP)
    (stage.folder / "fail").mkdir()
    for failing in ("1-0", "3-1"):
        (stage.folder / "fail" / failing).touch()
    output = stage.run(
        SETUP.format(trials=10, concurrency=3)
        + """
print('FIRST', experiment.run(0), experiment.get_status(), len(experiment.list_trial_jobs()))
experiment.config.max_trial_number = 16
print('THEN', experiment.resume(0), experiment.get_status(), len(experiment.list_trial_jobs()))
"""
    )
    assert "FIRST True DONE 10" in output
    assert "THEN True DONE 16" in output
    runs = runs_of(stage)
    failed = {(1, 0), (3, 1)}
    whole = {(member, number) for member in range(4) for number in range(4)}
    assert Counter(run[:2] for run in runs) == Counter(whole - failed)
    assert generations_follow(runs)
    loads = {run[:2]: run[2] for run in runs}
    assert loads[1, 1] == ["1", "1"], "what failed in the first generation starts anew"
    assert loads[3, 2] == ["2", "1"], "later it copies the best that did not fail"
    assert stage.is_quiet(), stage.processes()


def test_a_raised_limit_goes_on_with_the_generation_that_was_cut(stage):
    stage.write("step.py", STEP)
    output = stage.run(
        SETUP.format(trials=6, concurrency=4)
        + """
experiment.start(0)
def done(): return experiment.get_status() == "DONE"
while not done(): time.sleep(0.1)
print("FIRST", len(experiment.list_trial_jobs()))
experiment.update_max_trial_number(12)
while done(): time.sleep(0.1)
while not done(): time.sleep(0.1)
print("THEN", len(experiment.list_trial_jobs()))
experiment.stop()
"""
    )
    assert "FIRST 6" in output and "THEN 12" in output
    assert Counter(run[:2] for run in runs_of(stage)) == Counter((i, n) for i in range(4) for n in range(3))
    assert stage.is_quiet(), stage.processes()


def test_a_half_finished_generation_goes_on_after_a_resume(stage):
    """The manager and the tuner are killed while two members of the second generation run on."""
    stage.write("step.py", STEP)
    (stage.folder / "wait").mkdir()
    (stage.folder / "wait" / "1").touch()
    with stage.start(
        SETUP.format(trials=12, concurrency=2)
        + """
experiment.start(0)
time.sleep(100)
"""
    ) as script:
        assert stage.until(lambda: (stage.folder / "ran").exists() and len(runs_of(stage)) == 4)
        checkpoints = stage.experiments / "mine" / "checkpoint"
        assert stage.until(lambda: len(list(checkpoints.glob("*/1"))) >= 2)
        folder = stage.experiments / "mine"
        manager = json.loads((folder / "manager.json").read_text())["pid"]
        script.kill()
        os.kill(manager, signal.SIGKILL)
    (stage.folder / "wait" / "1").unlink()
    assert "RESULT True" in stage.run("print('RESULT', Experiment.resume('mine', 0))")
    runs = runs_of(stage)
    assert Counter(run[:2] for run in runs) == Counter((i, n) for i in range(4) for n in range(3))
    assert generations_follow(runs)
    assert [run[2] for run in runs if run[:2] == (0, 1)] == [["3", "0"]]
    assert stage.is_quiet(), stage.processes()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("assessor = {'name': 'Medianstop'}", "Assessor must not be used with PBT"),
        ("tuner.class_args['all_checkpoint_dir'] = 'here'", "the absolute path of a folder"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_starts(stage, change, text):
    output = stage.run(
        SETUP.format(trials=4, concurrency=2)
        + f"""
experiment.config.{change}
try:
    experiment.run(0)
except Exception as error:
    print("REFUSED", error)
"""
    )
    assert "REFUSED" in output and text in output
    assert not (stage.experiments / "mine" / "db").exists()


def test_the_example(stage):
    example = Path(__file__).parents[2] / "examples" / "pbt"
    done = stage.nnictl("create", "--config", str(example / "config.yml"), "--foreground", "--port", "0")
    assert "40 succeeded" in done.stdout
