"""Runs one attempt of a trial: a small process beside the trial that outlives manager and courier.

The runner is forked (not started anew, which would cost every trial an interpreter start). It makes a
session of its own, becomes the reaper of everything that the trial leaves behind, starts the command by a
shell, and writes down who runs and how it ended. exit.json appears when the last process has gone.

Signal SIGTERM to the runner means: stop the trial as cancel.json says.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import time
import traceback
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Tuple

from nni import _open_files, processes
from nni.full_disk import full_disk
from nni.supervision import Members, Supervisor
from nni.trial_folder import TrialFolder, lacks_room, read_json, write_json

try:
    import ctypes

    _libc: Optional[Any] = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
except (ImportError, OSError):  # a Python built without libffi, or a static libc
    _libc = None

WAIT_FOR_ROOM_SECONDS = 0.5
"""How long after a try the end of a trial is noted again, while the disk is full."""

_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36

_RESET_IN_TRIAL = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}


@dataclass(frozen=True)
class Run:
    """What a runner is to do.

    Attributes:
        folder: The attempt's folder, created before.
        shell: The path of the shell.
        command: The command, run by `<shell> -c`.
        working_directory: Where it runs.
        environment: The whole environment of the trial.
        tags: Of the `NAME=value` in it, the ones that tell the trial's processes from all others; each tag
            does so by itself.
        grace_seconds: How long processes that the command left behind have after SIGTERM.
        notes: What run.json says besides.
    """

    folder: TrialFolder
    shell: str
    command: str
    working_directory: str
    environment: Dict[str, str]
    tags: List[List[bytes]]
    grace_seconds: float
    notes: Dict[str, Any] = field(default_factory=dict)


def start(run: Run) -> Tuple[int, int]:
    """Forks a runner that runs a trial.

    Returns:
        The runner's process id, and a pipe on which it says, as lines of JSON objects, what its files do not:
        "started", the content of run.json once it is there; "outcome" and "unwritten" if exit.json cannot be
        written, its content and why; "problem" if the runner itself fails.

    Raises:
        OSError: The machine has no room for another process.
    """
    reader, writer = os.pipe()
    try:
        pid = _fork(
            run.folder, writer, lambda supervisor: _end(run.folder, writer, _run(run, supervisor, writer))
        )
    except OSError:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    return pid, reader


def start_cleaner(folder: TrialFolder, tags: List[List[bytes]], grace_seconds: float, problem: str) -> int:
    """Forks a runner that stops what is left of a trial whose runner is lost, and writes its exit.json.

    Args:
        folder: The attempt's folder.
        tags: The `NAME=value` in the environment of the trial's processes, as in a Run.
        grace_seconds: How long they have after SIGTERM.
        problem: What exit.json says about the trial.

    Returns:
        The process id.

    Raises:
        OSError: The machine has no room for another process.
    """

    def work(supervisor: Supervisor) -> None:
        outcome = supervisor.run(_lost_members(folder, tags), grace_seconds, lost=True)
        write_json(folder.exit_file, {**outcome, "problem": problem})

    return _fork(folder, None, work)


def _fork(folder: TrialFolder, kept: Optional[int], work: Callable[[Supervisor], None]) -> int:
    # SIGTERM waits until the child has a handler of its own; in between it would run the parent's.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        pid = os.fork()
        if pid == 0:
            _live(folder, kept, work)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def _live(folder: TrialFolder, kept: Optional[int], work: Callable[[Supervisor], None]) -> None:
    """Is the whole life of the forked process; never returns."""
    code = 1
    try:
        gc.disable()  # a collection would touch, and so copy, every page shared with the courier
        signal.set_wakeup_fd(-1)
        os.setsid()
        _prctl(_PR_SET_NAME, processes.RUNNER_NAME.encode())
        reaps_orphans = _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        _take_descriptors(folder, kept)
        work(Supervisor(folder, reaps_orphans))
        code = 0
    except BaseException as error:
        if kept is not None:
            _tell(kept, {"problem": str(error) or repr(error)})
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _take_descriptors(folder: TrialFolder, kept: Optional[int]) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    if kept is None:  # a cleaner, which has to work where the files cannot be written
        stdout = stderr = os.open(os.devnull, os.O_WRONLY)
    else:
        stdout, stderr = (
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            for path in (folder.stdout, folder.stderr)
        )
    for number, descriptor in enumerate((nothing, stdout, stderr)):
        os.dup2(descriptor, number)
    for name in os.listdir("/dev/fd"):
        if int(name) > 2 and int(name) != kept:
            try:
                os.close(int(name))
            except OSError:  # the one that listed the folder
                continue


def _run(run: Run, supervisor: Supervisor, pipe: int) -> Dict[str, Any]:
    """Runs the command and returns the content of exit.json."""
    record: Dict[str, Any] = {
        **run.notes,
        "boot_id": processes.boot_id(),
        "folder_id": run.folder.experiment_folder_id(),
        "runner": {"pid": os.getpid(), "start_time": processes.start_time(os.getpid())},
        "stderr_offset": os.fstat(2).st_size,
    }
    older = frozenset(processes.all_pids())
    since = time.monotonic()
    try:
        pid = _spawn(run)
    except (OSError, ValueError) as error:
        return {"problem": _start_problem(run, error), "ended_at": time.time()}
    record["command"] = {"pid": pid, "start_time": processes.start_time(pid)}
    record["started_at"] = time.time()
    members = Members(os.getpid(), pid, run.tags, supervisor.reaps_orphans, older, since)
    try:
        write_json(run.folder.run_file, record)
    except OSError as error:
        # Nobody could find the trial again.
        outcome = supervisor.run(members, run.grace_seconds, lost=True)
        outcome.pop("exit_code", None)
        outcome.pop("signal", None)
        return {**outcome, "problem": f"the trial was stopped, since its start cannot be noted: {error}"}
    _tell(pipe, {"started": record})
    return _explained(run, supervisor.run(members, run.grace_seconds))


def _explained(run: Run, outcome: Dict[str, Any]) -> Dict[str, Any]:
    """Returns the outcome of a trial, with the full disk that it may have failed for."""
    if outcome.get("exit_code") == 0 or os.path.exists(run.folder.cancel_file):
        return outcome
    temporary = run.environment.get("TMPDIR") or "/tmp"
    problem = full_disk([run.folder.system_directory, run.working_directory, temporary])
    return {**outcome, "problem": problem} if problem else outcome


def _end(folder: TrialFolder, pipe: int, outcome: Dict[str, Any]) -> None:
    """Notes how the trial ended. On a full disk that waits for room: whoever was told could die as well."""
    while True:
        try:
            write_json(folder.exit_file, outcome)
            return
        except OSError as error:
            if not lacks_room(error):
                if not _tell(pipe, {"outcome": outcome, "unwritten": str(error)}):
                    raise
                return
        time.sleep(WAIT_FOR_ROOM_SECONDS)


def _tell(pipe: int, words: Dict[str, Any]) -> bool:
    """Says something to the courier; returns False if that has gone."""
    try:
        os.write(pipe, json.dumps(words).encode("ascii") + b"\n")
    except OSError:
        return False
    return True


def _spawn(run: Run) -> int:
    shared, inherited = _share_files(run.folder)
    os.chdir(run.working_directory)
    try:
        # A process group of its own: a script's `kill 0` is meant for itself and not for the runner.
        return os.posix_spawn(
            run.shell,
            [run.shell, "-c", run.command],
            {**run.environment, _open_files.VARIABLE: shared},
            setpgroup=0,
            setsigmask=[],
            setsigdef=_RESET_IN_TRIAL,
        )
    finally:
        os.chdir("/")
        for number in inherited:
            os.close(number)


def _share_files(folder: TrialFolder) -> Tuple[str, List[int]]:
    try:
        return _open_files.share(
            [
                ("parameters.json", folder.parameters_file, os.O_RDONLY),
                ("reports.jsonl", folder.reports, os.O_RDWR | os.O_CREAT | os.O_APPEND),
            ]
        )
    except OSError:  # on a full disk, say; who may open the files by their paths does without
        return "", []


def _start_problem(run: Run, error: Exception) -> str:
    if isinstance(error, OSError) and error.filename == run.working_directory:
        return f"the trial's working directory cannot be used: {run.working_directory}: {error.strerror}"
    return f"the trial's command cannot be started: {error}"


def _lost_members(folder: TrialFolder, tags: List[List[bytes]]) -> Members:
    record = read_json(folder.run_file) or {}
    command = record.get("command") or {}
    pid = command.get("pid", 0)
    # In a copy of the experiment's folder the record is of a trial of another experiment, which may run.
    is_ours = (record.get("boot_id"), record.get("folder_id")) == (
        processes.boot_id(),
        folder.experiment_folder_id(),
    )
    if not is_ours or processes.start_time(pid) != command.get("start_time"):
        pid = 0
    return Members(os.getpid(), pid, tags)


def _prctl(option: int, argument: Any) -> bool:
    return _libc is not None and _libc.prctl(option, argument, 0, 0, 0) == 0
