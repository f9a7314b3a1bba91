"""Starts a manager and waits until it is ready."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, BinaryIO

from nni_client.address import ManagerAddress, host_to_call
from nni_client.limits import open_files_problem
from nni_client.manager_command import ManagerCommand
from nni_client.manager_output import ManagerOutput
from nni_client.manager_process import (
    LastingProcess,
    ManagerProcess,
    close_lifeline,
    describe_exit,
    end_process,
)
from nni_client.new_folder import NewFolder
from nni_client.settings import START_TIMEOUT, seconds_from_environment

_ENDING_SECONDS = 10.0
_POLL_SECONDS = 0.2


class StartError(RuntimeError):
    """The manager could not be started; the text says why."""


def launch(
    command: ManagerCommand,
    *,
    inherit_output: bool = False,
    timeout: float | None = None,
    waiting: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> ManagerProcess:
    """Starts a manager and returns once it answers calls.

    It is waited for as long as it lives. It has a session of its own, so that Ctrl-C in a terminal
    reaches only the script. One that only shows an experiment ends with this process, however that ends.

    Args:
        command: What the manager is to do.
        inherit_output: Let the manager write where this process writes, not to files in the log folder.
        timeout: How many seconds it may take. None for what NNI_START_TIMEOUT says, else for ever.
        waiting: The block in which it is waited for; KeyboardInterrupt may be raised within.

    Raises:
        StartError: Too few files may be open; the experiment's folder cannot be made or written to; the
            interpreter cannot be run; or the manager ended before it was ready, or took too long, and the
            text has its own reason, its exit code, the last lines of its logs and where these are.
        ValueError: NNI_START_TIMEOUT is not a number above 0.
    """
    limit = timeout or seconds_from_environment(START_TIMEOUT)
    if sys.platform == "win32":
        raise StartError("Experiments do not run on Windows itself. Run the script in WSL2, where they do.")
    if (problem := open_files_problem()) is not None:
        raise StartError(problem)
    folder = NewFolder(command.log_directory.parent)
    opened = _open_output(command, inherit_output)
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe, opened as output:
        with os.fdopen(writing, "wb"):
            try:
                process = _start_process(command, writing, output)
            except StartError:
                folder.remove()  # nothing has been written to the logs in it
                raise
        try:
            with waiting():
                answer = _ready_answer(pipe, process, limit)
        except BaseException:
            # Ctrl-C while waiting, for one.
            end_process(process, _ENDING_SECONDS)
            raise
        if answer is None or "token" not in answer:
            text = _failure(process, answer, limit, output)
            close_lifeline(process)
            raise StartError(text)
    address = ManagerAddress(
        host_to_call(command.bind),
        int(answer["port"]),
        str(answer["token"]),
        str(answer.get("ca_file", "")),
        str(answer.get("tls_name", "")),
    )
    return ManagerProcess(process, address, str(answer.get("version", "")), command.log_directory)


def _start_process(command: ManagerCommand, writing: int, output: ManagerOutput) -> LastingProcess:
    if not sys.executable:
        raise StartError("Python does not know its own interpreter: sys.executable is empty.")
    try:
        return LastingProcess(
            command.arguments(writing),
            stdin=subprocess.PIPE if command.view else subprocess.DEVNULL,  # the lifeline of a view
            stdout=output.stdout,
            stderr=output.stderr,
            pass_fds=(writing,),
            start_new_session=True,
            # `python -m` looks for modules in its working directory first: not in the user's.
            cwd=command.log_directory if command.log_directory.is_dir() else "/",
        )
    except OSError as error:
        raise StartError(
            f"The manager could not be started with the interpreter {sys.executable}, which sys.executable "
            f"names: {error.strerror or error}."
        ) from error


def _open_output(command: ManagerCommand, inherit: bool) -> ManagerOutput:
    try:
        return ManagerOutput(command, inherit)
    except OSError as error:
        reason = error.strerror or str(error)
        if error.filename is not None:
            reason += f": {error.filename}"
        if command.view:
            raise StartError(f"No temporary file can be made: {reason}") from error
        raise StartError(
            f"The experiment's folder {command.log_directory.parent} cannot be made or written to: {reason}."
            " experiment_working_directory is the folder that it goes into."
        ) from error


def _ready_answer(
    pipe: BinaryIO, process: subprocess.Popen[bytes], timeout: float | None
) -> dict[str, Any] | None:
    """Returns what the manager wrote, {} when it ended without a word, None when the time was over."""
    deadline = None if timeout is None else time.monotonic() + timeout
    text = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while not text.endswith(b"\n"):
            # Not the end of the pipe alone: a child forked meanwhile may hold it open.
            has_ended = process.poll() is not None
            if selector.select(0.0 if has_ended else _POLL_SECONDS):
                part = os.read(pipe.fileno(), 65536)
                if not part:
                    break
                text += part
            elif has_ended:
                break
            elif deadline is not None and time.monotonic() > deadline:
                return None
    try:
        answer = json.loads(text)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _failure(
    process: subprocess.Popen[bytes],
    answer: dict[str, Any] | None,
    limit: float | None,
    output: ManagerOutput,
) -> str:
    if answer is None:
        end_process(process, _ENDING_SECONDS)
        return (
            f"The manager was not ready within {limit:g} s; the environment variable {START_TIMEOUT} sets "
            f"the limit.\n{output.ending()}"
        )
    try:
        how = describe_exit(process.wait(_ENDING_SECONDS))
    except subprocess.TimeoutExpired:
        end_process(process, _ENDING_SECONDS)
        how = "it had to be ended"
    reason = answer.get("error")
    what = f"The manager could not start: {reason}" if reason else "The manager ended before it was ready"
    return f"{what} ({how}).\n{output.ending(reason or '')}"
