"""Asks the command-line tools of GPU drivers, which may hang, fail or print anything."""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import shutil
import signal
import subprocess
import time
from typing import Any, Dict, List, NamedTuple, Sequence

from nni import processes

PLACES = (
    "/usr/bin",
    "/usr/local/bin",
    "/usr/local/cuda/bin",
    "/usr/local/nvidia/bin",
    "/opt/bin",
    "/opt/rocm/bin",
    "/usr/lib/wsl/lib",
    "/run/nvidia/driver/usr/bin",
)
"""Where tools are looked for after PATH; a shell that is no login shell often has a short one."""

ASKING_SECONDS = 10.0
"""How long a tool may take to answer."""

_MAX_BYTES = 4 << 20
_MAX_SAID = 300
_POLL_SECONDS = 0.05
_DYING_SECONDS = 1.0
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_NOT_FOR_TOOLS = ("PYTHONHOME", "PYTHONPATH")


class Answer(NamedTuple):
    """What a tool answered.

    Attributes:
        output: What it printed, as far as it can be read.
        problem: Why it does not count as a success, in words that begin with its path; "" if it does.
        hung: Whether it had not answered in time.
    """

    output: str
    problem: str = ""
    hung: bool = False


class Deadline:
    """A moment after which nothing is asked any more."""

    def __init__(self, seconds: float) -> None:
        """Begins to count."""
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Returns the seconds until then, at least 0."""
        return max(0.0, self._end - time.monotonic())


def find_tool(name: str, places: Sequence[str] = PLACES) -> List[str]:
    """Returns where a tool is: the one on PATH first, each file once."""
    candidates = [shutil.which(name), *(shutil.which(name, path=place) for place in places)]
    found: Dict[str, str] = {}
    for candidate in candidates:
        if candidate is not None:
            found.setdefault(os.path.realpath(candidate), candidate)
    return list(found.values())


def ask(commands: Sequence[Sequence[str]], deadline: Deadline) -> List[Answer]:
    """Runs tools side by side and returns their answers in order.

    Args:
        commands: Each tool's path with its arguments.
        deadline: When to give up, if that is before ASKING_SECONDS have passed.
    """
    limit = min(ASKING_SECONDS, deadline.left())
    if limit <= 0:
        return [Answer("", f"no time was left to ask {command[0]}", hung=True) for command in commands]
    until = Deadline(limit)
    running: List[_Running] = []
    try:
        running += [_Running(command) for command in commands]
        while until.left() > 0 and sum(not each.is_done() for each in running):
            _read_some(running)
        return [each.answer(limit) for each in running]
    finally:
        for each in running:
            each.end()


class _Running:
    """A tool that runs."""

    def __init__(self, command: Sequence[str]) -> None:
        self.path = command[0]
        self.parts: Dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self.open = set(self.parts)
        self.process: Any = None
        self.problem = ""
        self.finished = False
        environment = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_TOOLS}
        environment["LC_ALL"] = "C"
        try:
            self.process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
            )
        except OSError as error:
            self.problem = f"{self.path} cannot be run: {error.strerror or error}"
            self.finished = True

    def is_done(self) -> bool:
        """Returns whether there is nothing more to wait for."""
        if not self.finished and self.process.poll() is not None:
            self._read_rest()
            self.finished = True
        return self.finished

    def take(self, name: str, data: bytes) -> None:
        """Keeps what it wrote, nothing when it closed the pipe; gives up on one that writes without end."""
        self.parts[name] += data
        if not data:
            self.open.discard(name)
        if len(self.parts[name]) > _MAX_BYTES and not self.finished:
            self.problem = f"{self.path} prints more than {_MAX_BYTES >> 20} MiB"
            self.finished = True

    def answer(self, seconds: float) -> Answer:
        """Returns its answer, when it is done or has had so many seconds."""
        output = clean(bytes(self.parts["stdout"]))
        if not self.finished:
            return Answer("", f"{self.path} does not answer within {seconds:.0f} s", hung=True)
        if self.problem:
            return Answer("", self.problem)
        code = self.process.returncode
        if code == 0:
            return Answer(output)
        said = " ".join((output + "\n" + clean(bytes(self.parts["stderr"]))).split())
        said = said if len(said) <= _MAX_SAID else said[:_MAX_SAID] + "..."
        how = f"is killed by signal {-code}" if code < 0 else f"fails with exit code {code}"
        return Answer(output, f"{self.path} {how}: {said}" if said else f"{self.path} {how}")

    def end(self) -> None:
        """Ends it, with what it started. One that hangs in the driver is left: no signal reaches it."""
        if self.process is None:
            return
        if self.process.poll() is None:
            pid = self.process.pid
            for each in [pid, *processes.descendants(processes.all_processes(), [pid])]:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(each, signal.SIGKILL)
            try:
                self.process.wait(_DYING_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.returncode = -signal.SIGKILL  # so that nothing waits for it later
        self.process.stdout.close()
        self.process.stderr.close()

    def _read_rest(self) -> None:
        # Not until the end of the pipe: what it started may hold that open.
        for name in sorted(self.open):
            pipe = getattr(self.process, name)
            os.set_blocking(pipe.fileno(), False)
            while not self.finished:
                try:
                    data = os.read(pipe.fileno(), 1 << 16)
                except BlockingIOError:
                    break
                if not data:
                    break
                self.take(name, data)


def _read_some(running: List[_Running]) -> None:
    """Waits a moment for output of any of them."""
    with selectors.DefaultSelector() as selector:
        for each in running:
            if not each.finished:
                for name in each.open:
                    selector.register(getattr(each.process, name), selectors.EVENT_READ, (each, name))
        for key, _ in selector.select(_POLL_SECONDS):
            each, name = key.data
            each.take(name, os.read(key.fd, 1 << 16))


def clean(output: bytes) -> str:
    """Returns output as text with plain lines: no colours, no control characters, no byte order mark."""
    if output.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = output.decode("utf-16", "replace")
    else:
        text = output.decode("utf-8-sig", "replace")
    text = _ESCAPES.sub("", text)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(letter for letter in text if letter >= " " or letter in "\n\t")
