from __future__ import annotations

import os
import resource
import subprocess
import sys
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from nni_manager.engine.records import EndReason, MetricRecord, TrialRecord, TunerNote
from nni_manager.engine.statuses import Actor, MetricKind, ParameterSource, TrialStatus, TunerNoteKind
from nni_manager.storage.interface import StoredMetric
from workspace.benchmark import MARK
from workspace.chaos import checking
from workspace.chaos.checking import AttemptKey, Noted, Recorded, Result
from workspace.chaos.disk import small_disk
from workspace.chaos.faults import MANAGER_KILLED, Faults
from workspace.chaos.options import TUNERS, parse
from workspace.environments import ROOT
from workspace.launch import ToolError
from workspace.marked import marked_processes, wait_until

KEY = AttemptKey("a", 0)
RESULTS = [Result(7, 0), Result(7, 1), Result(8, 0)]
TRIAL = TrialRecord(
    trial_id="a",
    sequence_number=0,
    status=TrialStatus.SUCCEEDED,
    attempt=0,
    parameter_id=0,
    parameter_source=ParameterSource.ALGORITHM,
    parameters={"x": 1},
    created_at=1.0,
    end_reason=EndReason(Actor.TRIAL, "exit code 0", exit_code=0),
    has_final_result=True,
)
NOTES = [
    TunerNote(TunerNoteKind.PROPOSED, 0, (0,), "a"),
    TunerNote(TunerNoteKind.FINAL_RESULT, 2, (), "a"),
    TunerNote(TunerNoteKind.TRIAL_END, 3, (), "a"),
]
NOTED = Noted(runs=1, begun=set(RESULTS), reported=set(RESULTS), done=True)


def stored(results: list[Result], attempt: int = 0) -> list[StoredMetric]:
    return [
        StoredMetric(
            MetricRecord(
                "a", attempt, MetricKind.INTERMEDIATE, index, {"by": by, "number": number}, 1.0, late=False
            ),
            row=index + 1,
            revision=1,
        )
        for index, (by, number) in enumerate(results)
    ]


def wrong(
    trial: TrialRecord = TRIAL,
    results: list[Result] = RESULTS,
    notes: list[TunerNote] = NOTES,
    noted: Noted = NOTED,
    expected: int = 1,
) -> dict[str, int]:
    found = checking.check(Recorded([trial], stored(results), notes), {KEY: noted}, expected)
    assert len(found.lines) >= len(found.counts)
    return dict(found.counts)


def test_what_is_right_is_found_right() -> None:
    assert wrong() == {}
    # The second report was on its way when the trial was killed: it may be there, or not.
    killed = replace(TRIAL, status=TrialStatus.FAILED, has_final_result=False)
    own = Noted(runs=1, begun=set(RESULTS[:2]), reported=set(RESULTS[:1]))
    ends = [NOTES[0], NOTES[2]]
    assert wrong(killed, RESULTS[:1], ends, own) == wrong(killed, RESULTS[:2], ends, own) == {}


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        (RESULTS[1:], {checking.LOST: 1}),
        ([], {checking.LOST: 3}),
        ([*RESULTS, RESULTS[2]], {checking.DUPLICATES: 1}),
        ([RESULTS[1], RESULTS[0], RESULTS[2]], {checking.OUT_OF_ORDER: 1}),
        ([*RESULTS, Result(9, 0)], {checking.INVENTED: 1}),
    ],
)
def test_wrong_results_are_found(results: list[Result], expected: dict[str, int]) -> None:
    assert wrong(results=results) == expected


def test_results_of_another_attempt_are_no_substitute() -> None:
    found = checking.check(Recorded([TRIAL], stored(RESULTS, attempt=1), NOTES), {KEY: NOTED}, 1)
    assert found.counts == {checking.LOST: 3, checking.INVENTED: 3}


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"trial": replace(TRIAL, status=TrialStatus.RUNNING)}, checking.WRONG_STATE),
        ({"trial": replace(TRIAL, status=TrialStatus.UNKNOWN)}, checking.WRONG_STATE),
        ({"trial": replace(TRIAL, attempt=1)}, checking.WRONG_STATE),
        ({"noted": replace(NOTED, done=False)}, checking.WRONG_STATE),
        ({"noted": replace(NOTED, runs=2)}, checking.RUN_TWICE),
        ({"trial": replace(TRIAL, trial_id="b")}, checking.UNRECORDED),
        ({"trial": replace(TRIAL, sequence_number=1)}, checking.WRONG_NUMBERS),
        ({"expected": 2}, checking.WRONG_NUMBERS),
        ({"notes": [*NOTES, NOTES[2]]}, checking.TOLD_WRONGLY),
        ({"notes": NOTES[:2]}, checking.TOLD_WRONGLY),
        ({"trial": replace(TRIAL, has_final_result=False)}, checking.TOLD_WRONGLY),
    ],
)
def test_wrong_trials_are_found(changes: dict[str, object], kind: str) -> None:
    assert wrong(**changes)[kind] > 0  # type: ignore[arg-type]


def test_notes_of_trials_are_read_without_a_line_that_was_cut_short(tmp_path: Path) -> None:
    (tmp_path / "x-y-1").write_text("runs 7 0\nreporting 7 0\nreported 7 0\nreporting 7 1\nrepo")
    assert checking.read_notes(tmp_path) == {
        AttemptKey("x-y", 1): Noted(1, {Result(7, 0), Result(7, 1)}, {Result(7, 0)})
    }


def test_the_seed_chooses_the_tuner_unless_one_is_named() -> None:
    assert [parse(["--seed", str(seed)], "").tuner for seed in range(3)] == list(TUNERS)
    assert parse(["--seed", "0", "--tuner", "Random"], "").tuner == "Random"
    assert parse(["--long"], "").kills == 100
    with pytest.raises(ToolError):
        parse(["--trials", "0"], "")


def test_the_manager_is_due_to_be_killed_as_the_run_goes_on(tmp_path: Path) -> None:
    class Run:
        lives = 1
        progress = iter((0.0, 0.3, 0.5, 1.0, 1.0)).__next__

    disk = small_disk(tmp_path / "disk", 0, "nobody", may_mount=False)
    faults = Faults(1, "nobody", disk, 3, Run())
    due = []
    for _ in range(4):
        due.append(faults._is_behind())
        faults.counts[MANAGER_KILLED] += due[-1]
    assert due == [False, True, True, True]
    assert faults.has_killed_enough
    assert not faults._is_behind()


USE_A_DISK = """
import sys
from pathlib import Path
from workspace.chaos.disk import LimitedFiles, small_disk

disk = small_disk(Path(sys.argv[1]), 1 << 20, "nobody", may_mount=True)
if isinstance(disk, LimitedFiles):
    sys.exit("no disk may be mounted here")
file = disk.folder / "file"
file.write_text("before")
for _ in range(2):
    disk.fill()
try:
    (disk.folder / "other").write_text("while it is full")
except OSError as error:
    print(error.strerror)
disk.free()
file.write_bytes(bytes(500_000))
disk.close()
print(file.exists())
"""


def test_a_small_disk_is_full_until_it_is_freed_and_nobody_else_sees_it(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    done = subprocess.run(
        [sys.executable, "-c", USE_A_DISK, str(disk)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools")},
        capture_output=True,
        text=True,
    )
    assert list(disk.iterdir()) == []
    if done.returncode == 0:
        assert done.stdout.splitlines() == ["No space left on device", "False"]
    else:
        assert done.stderr == "no disk may be mounted here\n"


def test_where_no_disk_may_be_mounted_managers_may_not_write(tmp_path: Path) -> None:
    mark = uuid.uuid4().hex
    disk = small_disk(tmp_path / "disk", 0, mark, may_mount=False)
    with subprocess.Popen(
        [sys.executable, "-c", "input()", "-m nni_manager"],
        env={**os.environ, MARK: mark},
        stdin=subprocess.PIPE,
    ) as process:
        assert wait_until(lambda: [each.kind for each in marked_processes(mark)] == ["manager"], 10)
        before = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        disk.fill()
        assert resource.prlimit(process.pid, resource.RLIMIT_FSIZE)[0] == 0
        disk.free()
        assert resource.prlimit(process.pid, resource.RLIMIT_FSIZE) == before
        process.communicate(b"\n")
