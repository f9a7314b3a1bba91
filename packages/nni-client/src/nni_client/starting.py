"""Starts an experiment, goes on with one, or shows one: its manager first."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nni_config import ExperimentConfig
from nni_config.experiment_folders import remember_experiments_directory
from nni_config.secret_fields import missing_secrets, secret_fields, take_secrets_from_environment
from nni_config.wire import config_from_message, config_to_message
from nni_proto.resource_names import experiment_name
from nni_proto.v1.experiment_pb2 import Experiment
from nni_proto.v1.experiment_service_pb2 import (
    CreateExperimentRequest,
    CreateSignInCodeRequest,
    GetExperimentRequest,
    ResumeExperimentRequest,
    StartExperimentRequest,
)

from nni_client.algorithm_instances import pickled_instances
from nni_client.class_files import ClassFiles, remove_unused
from nni_client.connection import Connection, Session, load_grpc
from nni_client.errors import (
    InvalidArgumentError,
    InvalidConfigError,
    ManagerUnreachableError,
)
from nni_client.interrupts import Interrupts
from nni_client.launch import StartError, launch
from nni_client.main_classes import main_classes
from nni_client.manager_command import ManagerCommand
from nni_client.manager_output import log_ending
from nni_client.manager_process import ManagerProcess, describe_exit
from nni_client.methods import (
    CREATE_EXPERIMENT,
    CREATE_SIGN_IN_CODE,
    GET_EXPERIMENT,
    RESUME_EXPERIMENT,
    START_EXPERIMENT,
)
from nni_client.new_folder import NewFolder
from nni_client.settings import BEGIN_TIMEOUT, CALL_TIMEOUT, RESUME_TIMEOUT, seconds_from_environment
from nni_client.slow_call import told_while_it_takes_long

_MISSING_SECRETS = (
    "From Python: experiment.load_checkpoint(), set them in experiment.config, then experiment.resume()."
)

_MOST_NAMES = 4


@dataclass(frozen=True)
class StartOptions:
    """How an experiment is started, whatever is started.

    Attributes:
        inherit_output: Let the manager write where this process writes.
        start_timeout: How many seconds the manager may take to be ready; None for no limit of this call.
        call_timeout: How many seconds a call may take; None for the usual limit.
    """

    inherit_output: bool = False
    start_timeout: float | None = None
    call_timeout: float | None = None


@dataclass(frozen=True)
class StartedExperiment:
    """An experiment that a manager of this process runs or shows.

    Attributes:
        manager: Its manager.
        connection: The way to its manager.
        url: The address of its page with a one-time sign-in code.
        before: The experiment as it was recorded, when one is gone on with.
    """

    manager: ManagerProcess
    connection: Connection
    url: str
    before: Experiment | None = None


def start_experiment(
    config: ExperimentConfig, command: ManagerCommand, interrupts: Interrupts, options: StartOptions
) -> StartedExperiment:
    """Starts a manager and an experiment in it.

    A start that the user interrupts, or that is refused, leaves no new folder without a record.

    Args:
        config: The configuration in its canonical form.
        command: What the manager is to do.
        interrupts: Ctrl-C ends the manager again and is raised.
        options: How to start it.

    Raises:
        StartError: The manager could not be started.
        CallError: It refused the experiment.
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    files = _class_files(config, command)
    message = config_to_message(config)
    name = experiment_name(command.experiment_id)
    limit = options.call_timeout or seconds_from_environment(CALL_TIMEOUT) or BEGIN_TIMEOUT
    places = ", ".join(dict.fromkeys(service.platform for service in config.training_services()))

    def begin(session: Session) -> None:
        files.write()
        create = CreateExperimentRequest(
            request_id=str(uuid.uuid4()), experiment_id=command.experiment_id, config=message
        )
        session.call(CREATE_EXPERIMENT, create)
        with told_while_it_takes_long(_how_it_is_started(command.experiment_id, places, limit)):
            session.call(START_EXPERIMENT, StartExperimentRequest(name=name), limit)

    folder = NewFolder(command.log_directory.parent)
    try:
        return _start(command, interrupts, options, begin)
    except (KeyboardInterrupt, InvalidArgumentError, InvalidConfigError):
        # Any other failure leaves its logs, which its text names.
        folder.remove()
        raise


def resume_experiment(
    config: ExperimentConfig | None, command: ManagerCommand, interrupts: Interrupts, options: StartOptions
) -> StartedExperiment:
    """Starts a manager that goes on with an experiment of an earlier one.

    Args:
        config: The configuration to go on with, in its canonical form; None for the recorded one, with the
            secrets that the environment has for it.
        command: What the manager is to do; `resume` is set.
        interrupts: See `start_experiment`.
        options: See `start_experiment`.

    Raises:
        StartError: The manager could not be started, for example because another one runs the experiment.
        CallError: It refuses; the text says why, and how to give secrets that are missing.
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    name = experiment_name(command.experiment_id)
    files = ClassFiles({}) if config is None else _class_files(config, command)
    request = ResumeExperimentRequest(name=name, config=None if config is None else config_to_message(config))
    limit = options.call_timeout or seconds_from_environment(CALL_TIMEOUT) or RESUME_TIMEOUT

    def begin(session: Session) -> Experiment | None:
        before = session.call(GET_EXPERIMENT, GetExperimentRequest(name=name)).experiment
        hint = ""
        if config is None:
            recorded = config_from_message(before.config)
            if take_secrets_from_environment(recorded):
                request.config.CopyFrom(config_to_message(recorded))
            hint = _secrets_hint(recorded)
        files.write()
        try:
            with told_while_it_takes_long(_how_it_is_resumed(command.experiment_id, before, limit)):
                session.call(RESUME_EXPERIMENT, request, limit)
        except InvalidConfigError as error:
            files.take_back()
            raise InvalidConfigError(f"{error}{hint}") from error
        if config is not None:
            remove_unused(config, command.log_directory.parent)
        return before

    return _start(command, interrupts, options, begin)


def show_experiment(
    command: ManagerCommand, interrupts: Interrupts, options: StartOptions
) -> StartedExperiment:
    """Starts a manager that shows an experiment, read-only, until this process ends.

    Args:
        command: What the manager is to do; `view` is set.
        interrupts: See `start_experiment`.
        options: See `start_experiment`.

    Raises:
        StartError: The record cannot be read; the text says why.
        CallError: The manager refuses.
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    return _start(command, interrupts, options, lambda session: None)


def _class_files(config: ExperimentConfig, command: ManagerCommand) -> ClassFiles:
    folder = command.log_directory.parent
    return ClassFiles({**main_classes(config, folder), **pickled_instances(config, folder)})


def _start(
    command: ManagerCommand,
    interrupts: Interrupts,
    options: StartOptions,
    begin: Callable[[Session], Experiment | None],
) -> StartedExperiment:
    remember_experiments_directory(command.experiments_directory)
    manager = launch(
        command,
        inherit_output=options.inherit_output,
        timeout=options.start_timeout,
        waiting=lambda: _making_ready(interrupts),
    )
    try:
        connection = Connection(manager.address, options.call_timeout)
        with interrupts.raised_here(), connection.session() as session:
            before = begin(session)
            request = CreateSignInCodeRequest(name=experiment_name(command.experiment_id))
            code = session.call(CREATE_SIGN_IN_CODE, request)
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
    return StartedExperiment(manager, connection, code.url, before)


def _secrets_hint(recorded: ExperimentConfig) -> str:
    """Returns how to give secrets that a recorded configuration lacks, or may lack; "" if it lacks none."""
    if missing_secrets(recorded):
        return f"\n{_MISSING_SECRETS}"
    unset = [field for field in secret_fields(recorded) if field.may_be_missed and not field.is_set]
    if not unset:
        return ""
    names = ", ".join(field.environment_variable for field in unset[:_MOST_NAMES])
    more = f" and {len(unset) - _MOST_NAMES} more" if len(unset) > _MOST_NAMES else ""
    return f"\nNo record has secrets. If one is needed, give it in {names}{more}. {_MISSING_SECRETS}"


def _how_it_is_started(experiment_id: str, places: str, limit: float) -> Callable[[float], str]:
    what = f"Starting experiment {experiment_id}: where trials run ({places}) and the tuner are made ready"
    return lambda seconds: f"{what}, {seconds:.0f} s so far (limit {limit:g} s)"


def _how_it_is_resumed(experiment_id: str, before: Experiment, limit: float) -> Callable[[float], str]:
    what = f"Resuming experiment {experiment_id}: the tuner is made anew out of {before.trial_count:,} trials"
    return lambda seconds: f"{what}, {seconds:.0f} s so far (limit {limit:g} s)"


@contextmanager
def _making_ready(interrupts: Interrupts) -> Iterator[None]:
    load_grpc()  # the manager takes longer to start than this
    with interrupts.raised_here():
        yield
