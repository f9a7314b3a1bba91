"""Runs named steps one after the other and says at the end what failed and what took long."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workspace.launch import ToolError
from workspace.progress import table


@dataclass
class Step:
    """One step that has ended.

    Attributes:
        name: Its name.
        seconds: How long it took.
        problem: What went wrong; empty if nothing did.
        remark: What is shown of one that went well.
    """

    name: str
    seconds: float
    problem: str = ""
    remark: str = "ok"


class Runner:
    """Runs steps and keeps what became of them. A failed step does not stop those after it.

    Attributes:
        steps: The steps that have ended.
        output: The lines that the last command printed.
    """

    def __init__(self, folder: Path) -> None:
        """Makes a runner whose commands start in `folder`."""
        self.steps: list[Step] = []
        self.output: list[str] = []
        self._folder = folder

    def action(self, name: str, function: Callable[[], None]) -> bool:
        """Runs a function as a step; a ToolError fails it. Returns whether it went well."""
        started = self._begin(name)
        problem = ""
        try:
            function()
        except ToolError as error:
            problem = "failed"
            print(f"error: {error}")
        return self._end(name, started, problem)

    def command(self, name: str, command: Sequence[str], variables: Mapping[str, str] | None = None) -> bool:
        """Runs a command as a step and passes its output on. Returns whether it went well.

        Args:
            name: The step's name.
            command: The program and its arguments.
            variables: Environment variables for it, beside those of this process.
        """
        started = self._begin(name)
        self.output = []
        with subprocess.Popen(
            command,
            cwd=self._folder,
            env={**os.environ, **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                sys.stdout.write(line)
                self.output.append(line.rstrip("\n"))
        code = process.returncode
        return self._end(name, started, f"exit code {code}" if code else "")

    def pardon(self, name: str, remark: str) -> None:
        """Takes a failed step for one that went well, with a remark that says in how far."""
        step = next(step for step in self.steps if step.name == name)
        step.problem, step.remark = "", remark

    def finish(self) -> int:
        """Prints the table of steps and what failed; returns the exit code of the whole."""
        print(
            "\n"
            + table(
                [(step.name, f"{step.seconds:.1f} s", step.problem or step.remark) for step in self.steps]
            )
        )
        failed = [step.name for step in self.steps if step.problem]
        print(f"failed: {', '.join(failed)}" if failed else "all steps passed")
        return 1 if failed else 0

    def summary_of_pytest(self) -> str:
        """Returns the line in which the last command, a pytest, counted its tests; "" if it did not."""
        counted = re.compile(r"\d+ (passed|failed|errors?|skipped|deselected)\b.* in [\d.]+s|no tests ran")
        return next((line for line in reversed(self.output) if counted.search(line)), "")

    def _begin(self, name: str) -> float:
        print(f"\n=== {name}")
        return time.monotonic()

    def _end(self, name: str, started: float, problem: str) -> bool:
        self.steps.append(Step(name, time.monotonic() - started, problem))
        return not problem
