"""A courier, and what gives us files, as commands that run on another machine."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from nni_manager.training.ssh.process import SshProcess

_TOKEN = "nni-begins-here"


@dataclass(frozen=True, slots=True)
class CourierRules:
    """What a courier is to know.

    Attributes:
        grace_seconds: How long processes that a trial left behind have after SIGTERM.
        reuse_mode: Whether processes may ask for more trials.
        unattended_limit: After so many seconds without us trials are stopped there.
        stop_signal: The first signal to them then.
    """

    grace_seconds: float
    reuse_mode: bool
    unattended_limit: float
    stop_signal: int


@dataclass(frozen=True, slots=True)
class RemotePlace:
    """Where things are on a machine.

    Attributes:
        experiment_id: The experiment.
        directory: The experiment's folder there.
        run_directory: In it, the folder of what runs on this machine alone.
        python: The Python interpreter for what is ours.
        sdk_directory: The folder with our package nni.
        python_path: The folder that comes first on PATH, "" for none.
    """

    experiment_id: str
    directory: str
    run_directory: str
    python: str
    sdk_directory: str
    python_path: str = ""

    def command(self, module: str, arguments: Sequence[str]) -> str:
        """Returns the command for /bin/sh that runs a module of ours with the environment of a login shell.

        What the user's profile writes goes to stderr, and it cannot read what is for the module.

        Args:
            module: The module.
            arguments: Its arguments.
        """
        path = f"export PATH={shlex.quote(self.python_path)}:$PATH; " if self.python_path else ""
        program = [self.python, "-S", "-u", "-m", module, *arguments]
        # With SSH_CLIENT set, bash takes each trial for a sign-in and runs ~/.bashrc before it.
        inner = (
            f"unset SSH_CLIENT SSH2_CLIENT; {path}"
            f"export PYTHONPATH={shlex.quote(self.sdk_directory)}${{PYTHONPATH:+:$PYTHONPATH}}; "
            f"cd {shlex.quote(self.directory)} && exec {shlex.join(program)} >&3 <&4 3>&- 4<&-"
        )
        login = f"-lc {shlex.quote(inner)}"
        return (
            f"exec 3>&1 4<&0 1>&2 </dev/null; echo {_TOKEN} >&3; "
            f"if [ -x /bin/bash ]; then exec /bin/bash {login}; else exec /bin/sh {login}; fi"
        )

    def courier(self, rules: CourierRules) -> str:
        """Returns the command of a courier."""
        arguments = [
            *self._place(),
            f"--grace-seconds={rules.grace_seconds}",
            f"--unattended-limit={rules.unattended_limit}",
            f"--stop-signal={rules.stop_signal}",
        ]
        return self.command("nni.courier", [*arguments, *(["--reuse"] if rules.reuse_mode else [])])

    def files(self) -> str:
        """Returns the command of what gives us files."""
        return self.command("nni.courier.files", self._place())

    def report(self) -> str:
        """Returns the command that lists the machine's GPUs."""
        return self.command(
            "nni.machine_report", [f"--experiment-id={self.experiment_id}", f"--directory={self.directory}"]
        )

    def _place(self) -> list[str]:
        return [
            f"--experiment-id={self.experiment_id}",
            f"--experiment-directory={self.directory}",
            f"--run-directory={self.run_directory}",
        ]


def after_token(output: bytes) -> bytes | None:
    """Returns what follows the line before which nothing is ours, None while that has not come."""
    _, found, rest = output.partition(f"{_TOKEN}\n".encode("ascii"))
    return rest if found else None


class RemoteProcess:
    """A command of RemotePlace that runs, as a CourierProcess."""

    def __init__(self, process: SshProcess) -> None:
        """Takes over a process that was just started."""
        self._process = process
        self._before: bytes | None = b""

    async def read(self) -> bytes:
        """Returns what it wrote since, b"" when it has ended."""
        while self._before is not None:
            data = await self._process.read()
            if not data:
                return b""
            self._before += data
            rest = after_token(self._before)
            if rest is not None:
                self._before = None
                if rest:
                    return rest
        return await self._process.read()

    def write(self, data: bytes) -> None:
        """Sends to it; what a dead one would get is lost."""
        self._process.write(data)

    def close_input(self) -> None:
        """Says that nothing more is sent."""
        self._process.close_input()

    async def stop(self, patience: float) -> str:
        """Waits until it has ended, kills it after so many seconds, and returns how it ended."""
        return await self._process.stop(patience)
