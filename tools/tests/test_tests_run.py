from __future__ import annotations

from pathlib import Path

import pytest
from workspace.steps import Runner
from workspace.tests_run import MOST_REPEATED, run_tests

STEADY = "def test_steady():\n    pass\n"
BROKEN = "def test_broken():\n    assert False\n"
UNSTEADY = """
from pathlib import Path

def test_unsteady():
    met = Path(__file__).with_name("met")
    first = not met.exists()
    met.touch()
    assert not first
"""


def run(folder: Path, *sources: str) -> tuple[Runner, list[str]]:
    (folder / "pytest.ini").write_text("[pytest]\n")
    for number, source in enumerate(sources):
        (folder / f"test_{number}.py").write_text(source)
    steps = Runner(folder)
    return steps, run_tests(
        steps, True, [str(folder), "--rootdir", str(folder), "-c", str(folder / "pytest.ini")]
    )


def test_nothing_is_repeated_when_all_pass(tmp_path: Path) -> None:
    steps, unsteady = run(tmp_path, STEADY)
    assert steps.finish() == 0 and not unsteady
    assert [step.name for step in steps.steps] == ["pytest"]


def test_one_that_passes_alone_is_named_and_fails_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps, unsteady = run(tmp_path, STEADY, UNSTEADY)
    assert unsteady == ["test_1.py::test_unsteady"]
    assert "1 failed, 1 passed" in steps.summary_of_pytest()
    capsys.readouterr()
    assert steps.finish() == 0
    assert "ok, 1 unsteady" in capsys.readouterr().out


def test_one_that_fails_again_fails_the_run(tmp_path: Path) -> None:
    steps, unsteady = run(tmp_path, UNSTEADY, BROKEN)
    assert steps.finish() == 1 and not unsteady


def test_many_failures_are_not_repeated(tmp_path: Path) -> None:
    steps, unsteady = run(tmp_path, *[BROKEN] * (MOST_REPEATED + 1))
    assert steps.finish() == 1 and not unsteady
    assert [step.name for step in steps.steps] == ["pytest"]


def test_a_file_that_cannot_be_imported_fails_the_run(tmp_path: Path) -> None:
    steps, unsteady = run(tmp_path, STEADY, "import no_such_module_at_all\n")
    assert steps.finish() == 1 and not unsteady
