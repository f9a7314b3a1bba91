from __future__ import annotations

import sys
from pathlib import Path

import pytest
from workspace.launch import ToolError
from workspace.progress import run_quietly, table
from workspace.steps import Runner


def test_all_steps_run_and_the_failed_one_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = Runner(tmp_path)
    assert steps.command("first", [sys.executable, "-c", "print('hello')"])
    assert not steps.command("second", [sys.executable, "-c", "raise SystemExit(3)"])
    assert steps.command("third", [sys.executable, "-c", ""])
    assert steps.finish() == 1
    output = capsys.readouterr().out
    assert "hello" in output
    assert "exit code 3" in output
    assert output.splitlines()[-1] == "failed: second"


def test_a_tool_error_fails_its_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def action() -> None:
        raise ToolError("no registry")

    steps = Runner(tmp_path)
    assert not steps.action("install", action)
    assert steps.finish() == 1
    assert "error: no registry" in capsys.readouterr().out


def test_no_failure_is_success(tmp_path: Path) -> None:
    steps = Runner(tmp_path)
    assert steps.action("nothing", lambda: None)
    assert steps.finish() == 0


@pytest.mark.parametrize(
    "line",
    [
        "====== 9 failed, 1604 passed, 5 deselected, 2 errors in 559.84s (0:09:19) ======",
        "3 passed in 0.05s",
        "1622/1627 tests collected (5 deselected) in 16.78s",
        "1 error in 0.20s",
    ],
)
def test_the_line_in_which_pytest_counts_is_found_among_what_follows_it(line: str, tmp_path: Path) -> None:
    steps = Runner(tmp_path)
    steps.command("pytest", [sys.executable, "-c", f"print({line!r}); print('a warning at the end')"])
    assert steps.summary_of_pytest() == line


def test_a_pytest_that_broke_has_no_summary(tmp_path: Path) -> None:
    steps = Runner(tmp_path)
    steps.command("pytest", [sys.executable, "-c", "print('ERROR: no such option')"])
    assert steps.summary_of_pytest() == ""


def test_variables_reach_the_command(tmp_path: Path) -> None:
    steps = Runner(tmp_path)
    steps.command("show", [sys.executable, "-c", "import os; print(os.environ['GIVEN'])"], {"GIVEN": "yes"})
    assert steps.output == ["yes"]


def test_a_quiet_command_shows_its_output_only_when_it_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_quietly("working", [sys.executable, "-c", "print('detail')"], tmp_path)
    assert "detail" not in capsys.readouterr().out
    with pytest.raises(ToolError, match=r"working failed \(exit code 1\):\ndetail"):
        run_quietly("working", [sys.executable, "-c", "print('detail'); raise SystemExit(1)"], tmp_path)


def test_a_table_has_straight_columns() -> None:
    assert table([("a", "1.0 s", "ok"), ("long", "10.0 s", "ok")]) == "a      1.0 s  ok\nlong  10.0 s  ok"
