"""Starts an experiment: its manager first, then its trials."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nni_config import ExperimentConfig
from nni_config.wire import config_to_message
from nni_proto.resource_names import experiment_name
from nni_proto.v1.experiment_service_pb2 import (
    CreateExperimentRequest,
    CreateSignInCodeRequest,
    StartExperimentRequest,
)

from nni_client.connection import Connection, load_grpc
from nni_client.errors import InvalidArgumentError, InvalidConfigError, ManagerUnreachableError
from nni_client.interrupts import Interrupts
from nni_client.launch import StartError, launch
from nni_client.manager_command import ManagerCommand
from nni_client.manager_output import log_ending
from nni_client.manager_process import ManagerProcess, describe_exit
from nni_client.methods import CREATE_EXPERIMENT, CREATE_SIGN_IN_CODE, START_EXPERIMENT
from nni_client.new_folder import NewFolder


@dataclass(frozen=True)
class StartedExperiment:
    """An experiment that runs.

    Attributes:
        manager: Its manager.
        connection: The way to its manager.
        url: The address of its page with a one-time sign-in code.
    """

    manager: ManagerProcess
    connection: Connection
    url: str


def start_experiment(
    config: ExperimentConfig,
    command: ManagerCommand,
    interrupts: Interrupts,
    *,
    inherit_output: bool,
    start_timeout: float | None,
    call_timeout: float | None,
) -> StartedExperiment:
    """Starts a manager and an experiment in it.

    A start that the user interrupts, or that is refused, leaves no new folder without a record.

    Args:
        config: The configuration in its canonical form.
        command: What the manager is to do.
        interrupts: Ctrl-C ends the manager again and is raised.
        inherit_output: Let the manager write where this process writes.
        start_timeout: How many seconds the manager may take to be ready; None for no limit of this call.
        call_timeout: How many seconds a call may take; None for the usual limit.

    Raises:
        StartError: The manager could not be started.
        CallError: It refused the experiment.
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    folder = NewFolder(command.log_directory.parent)
    try:
        return _start(config, command, interrupts, inherit_output, start_timeout, call_timeout)
    except (KeyboardInterrupt, InvalidArgumentError, InvalidConfigError):
        # Any other failure leaves its logs, which its text names.
        folder.remove()
        raise


def _start(
    config: ExperimentConfig,
    command: ManagerCommand,
    interrupts: Interrupts,
    inherit_output: bool,
    start_timeout: float | None,
    call_timeout: float | None,
) -> StartedExperiment:
    message = config_to_message(config)
    manager = launch(
        command,
        inherit_output=inherit_output,
        timeout=start_timeout,
        waiting=lambda: _making_ready(interrupts),
    )
    name = experiment_name(command.experiment_id)
    try:
        connection = Connection(manager.address, call_timeout)
        with interrupts.raised_here(), connection.session() as session:
            create = CreateExperimentRequest(
                request_id=str(uuid.uuid4()), experiment_id=command.experiment_id, config=message
            )
            session.call(CREATE_EXPERIMENT, create)
            session.call(START_EXPERIMENT, StartExperimentRequest(name=name))
            code = session.call(CREATE_SIGN_IN_CODE, CreateSignInCodeRequest(name=name))
    except ManagerUnreachableError as error:
        if not manager.wait(5.0):
            manager.end()
            raise
        how = describe_exit(manager.process.returncode)
        raise StartError(
            f"The manager ended before the experiment had started: {how}.\n"
            f"{log_ending(command.log_directory)}"
        ) from error
    except BaseException:
        manager.end()
        raise
    return StartedExperiment(manager, connection, code.url)


@contextmanager
def _making_ready(interrupts: Interrupts) -> Iterator[None]:
    load_grpc()  # the manager takes longer to start than this
    with interrupts.raised_here():
        yield
