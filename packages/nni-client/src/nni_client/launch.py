"""Starts a manager and waits until it is ready."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from nni_client.address import ManagerAddress, host_to_call
from nni_client.manager_command import ManagerCommand
from nni_client.manager_process import ManagerProcess, describe_exit, end_process, log_ending
from nni_client.settings import START_TIMEOUT, seconds_from_environment

_ENDING_SECONDS = 10.0


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
    reaches only the script.

    Args:
        command: What the manager is to do.
        inherit_output: Let the manager write where this process writes, not to files in the log folder.
        timeout: How many seconds it may take. None for what NNI_START_TIMEOUT says, else for ever.
        waiting: The block in which it is waited for; KeyboardInterrupt may be raised within.

    Raises:
        StartError: It ended before it was ready, or took too long; the text has its own reason, its exit
            code, the last lines of its logs and where these are.
        ValueError: NNI_START_TIMEOUT is not a number above 0.
    """
    limit = timeout or seconds_from_environment(START_TIMEOUT, None)
    reading, writing = os.pipe()
    with ExitStack() as stack:
        pipe = stack.enter_context(os.fdopen(reading, "rb"))
        writing_end = stack.enter_context(os.fdopen(writing, "wb"))
        output = None if inherit_output else stack.enter_context(_open_log(command, "nnictl_stdout.log"))
        errors = None if inherit_output else stack.enter_context(_open_log(command, "nnictl_stderr.log"))
        process = subprocess.Popen(
            command.arguments(writing),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            pass_fds=(writing,),
            start_new_session=True,
        )
        writing_end.close()
        try:
            with waiting():
                answer = _ready_answer(pipe, limit)
        except BaseException:
            # Ctrl-C while waiting, for one.
            end_process(process, _ENDING_SECONDS)
            raise
    if answer is None:
        end_process(process, _ENDING_SECONDS)
        raise StartError(
            f"The manager was not ready within {limit:g} s; the environment variable {START_TIMEOUT} sets "
            f"the limit.\n{log_ending(command.log_directory)}"
        )
    if "token" not in answer:
        raise StartError(_failure(process, str(answer.get("error", "")), command.log_directory))
    address = ManagerAddress(host_to_call(command.bind), int(answer["port"]), str(answer["token"]))
    return ManagerProcess(process, address, str(answer.get("version", "")), command.log_directory)


def _ready_answer(pipe: BinaryIO, timeout: float | None) -> dict[str, Any] | None:
    """Returns what the manager wrote, {} when it ended without a word, None when the time was over."""
    deadline = None if timeout is None else time.monotonic() + timeout
    text = b""
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not select.select([pipe], [], [], left)[0]:
            return None
        part = os.read(pipe.fileno(), 65536)
        if not part:
            break
        text += part
    try:
        answer = json.loads(text)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _failure(process: subprocess.Popen[bytes], reason: str, log_directory: Path) -> str:
    try:
        how = describe_exit(process.wait(_ENDING_SECONDS))
    except subprocess.TimeoutExpired:
        end_process(process, _ENDING_SECONDS)
        how = "it did not end by itself"
    if reason:
        return f"The manager could not start: {reason} ({how}; logs are in {log_directory})"
    return f"The manager ended before it was ready: {how}.\n{log_ending(log_directory)}"


def _open_log(command: ManagerCommand, name: str) -> BinaryIO:
    command.log_directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = command.log_directory / name
    log = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb", buffering=0)
    if not command.view:
        now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        log.write(f"{'-' * 72}\nExperiment {command.experiment_id} start: {now}\n".encode())
    return log
