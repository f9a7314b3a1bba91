"""The Experiment class: start, watch, change and read an experiment from Python."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nni_config import ExperimentConfig, new_experiment_id
from nni_config.open_types import MaybeNone
from nni_config.wire import config_from_message
from nni_proto.v1 import experiment_pb2
from nni_proto.v1.experiment_service_pb2 import (
    CancelTrialRequest,
    UpdateExperimentRequest,
)

from nni_client import announcement, results, updates
from nni_client.attached import AttachedManager
from nni_client.completion import run_to_end
from nni_client.connection import Connection, Session
from nni_client.errors import CallError, ManagerUnreachableError
from nni_client.experiment_log import LOGGER, ExperimentLog
from nni_client.foreign import refuse_foreign_nni
from nni_client.interrupts import Interrupts
from nni_client.manager_command import ManagerCommand
from nni_client.methods import CANCEL_TRIAL, UPDATE_EXPERIMENT
from nni_client.readable import ReadableExperiment, Result
from nni_client.run_mode import RunMode
from nni_client.screen import open_screen, say
from nni_client.start_arguments import check_id, check_start, config_of, startable
from nni_client.starting import start_experiment
from nni_client.stopping import stop_experiment
from nni_client.viewing import record_reader

_NOT_RUNNING = "Experiment is not running"


class Experiment(ReadableExperiment):
    """An experiment: one search for good parameters.

    Attributes:
        id: The experiment's id.
        port: The port of its manager, None while no manager runs.
        url_prefix: The path that a reverse proxy puts before the page's; set it before the start.
        call_timeout: How many seconds a call to the manager may take. None for what the environment variable
            NNI_CALL_TIMEOUT says, else 60.
    """

    def __init__(
        self, config_or_platform: ExperimentConfig | str | list[str] | None = None, id: str | None = None
    ) -> None:
        """Prepares an experiment; nothing is started.

        Args:
            config_or_platform: A configuration, or where trials are to run ("local") for an empty one.
            id: 1 to 32 letters, digits, "_" or "-". None has one chosen.

        Raises:
            TypeError: `config_or_platform` is nothing of these.
            ValueError: The id is malformed, or there is no such platform.
        """
        if id is not None:
            check_id(id)
        self._config = config_of(config_or_platform)
        self.id = id or new_experiment_id()
        self.port: int | None = None
        self.url_prefix: str | None = None
        self.call_timeout: float | None = None
        self._manager: AttachedManager | None = None
        self._experiments_directory: Path | None = None
        self._last: experiment_pb2.Experiment | None = None
        self._has_ended = False

    @property
    def config(self) -> ExperimentConfig | MaybeNone:
        """The configuration; None in an `Experiment(None)` that was given none yet."""
        return self._config

    @config.setter
    def config(self, config: ExperimentConfig | None) -> None:
        if config is not None and not isinstance(config, ExperimentConfig):
            raise TypeError(f"config: a value of type {type(config).__name__} is not an ExperimentConfig")
        self._config = config

    # -- starting and stopping --

    def start(
        self,
        port: int = 8080,
        debug: bool = False,
        run_mode: RunMode = RunMode.Background,
        *,
        bind: str | None = None,
        allowed_hosts: Sequence[str] | None = None,
        allow_plaintext: bool = False,
        start_timeout: float | None = None,
    ) -> None:
        """Starts the experiment and returns; trials run in the background.

        Args:
            port: The port of the experiment's page and of all calls; 0 picks a free one.
            debug: Log more, as `config.debug` does.
            run_mode: What becomes of the experiment when this script ends.
            bind: The address to listen on. None for 127.0.0.1.
            allowed_hosts: Names under which browsers may reach the page, for one behind a proxy.
            allow_plaintext: Let other machines connect, by `bind`, although nothing is encrypted.
            start_timeout: How many seconds the manager may take to start. None for what the environment
                variable NNI_START_TIMEOUT says, else as long as it is alive.

        Raises:
            TypeError: An argument is of a wrong type.
            ValueError: The configuration is not valid, the text lists every problem; or an argument is not.
            RuntimeError: The experiment runs already, the port is busy, or the manager could not be started;
                the text says why.
        """
        with Interrupts() as interrupts:
            check_start(port, run_mode, bind, allowed_hosts, start_timeout, self.url_prefix)
            command = self._command(port, debug, bind, allowed_hosts, allow_plaintext)
            self._start(interrupts, command, run_mode, start_timeout)
            interrupts.check()

    def run(
        self,
        port: int = 8080,
        wait_completion: bool = True,
        debug: bool = False,
        *,
        bind: str | None = None,
        allowed_hosts: Sequence[str] | None = None,
        allow_plaintext: bool = False,
        start_timeout: float | None = None,
    ) -> bool | None:
        """Runs the experiment to its end, showing how far it is, and ends its manager.

        Ctrl-C stops the experiment; its record is kept. The arguments are those of `start`, and:

        Args:
            port: See `start`.
            wait_completion: False returns as soon as the experiment has started, and leaves the manager.
            debug: See `start`.
            bind: See `start`.
            allowed_hosts: See `start`.
            allow_plaintext: See `start`.
            start_timeout: See `start`.

        Returns:
            True when the experiment is done or was stopped, False when it failed or all its trials did, None
            after Ctrl-C and when it was not waited for.

        Raises:
            TypeError: See `start`.
            ValueError: See `start`.
            RuntimeError: See `start`.
        """
        with Interrupts() as interrupts:
            check_start(port, RunMode.Background, bind, allowed_hosts, start_timeout, self.url_prefix)
            try:
                command = self._command(port, debug, bind, allowed_hosts, allow_plaintext)
                page = self._start(interrupts, command, RunMode.Background, start_timeout)
            except KeyboardInterrupt:
                say("Interrupted: the experiment was not started.")
                return None
            if not wait_completion:
                interrupts.check()
                return None
            screen = open_screen(page)
            try:
                return run_to_end(
                    self._running(), self._get(), screen, interrupts, self.stop, self._leave, self._get
                )
            finally:
                screen.close()

    def stop(self) -> None:
        """Stops the experiment, whoever started it, and waits until its manager has ended.

        Results can still be read afterwards. Stopping one that does not run changes nothing.

        Raises:
            CallError: The manager refuses, or takes too long.
        """
        manager = self._manager
        if manager is None:
            return
        self._last = stop_experiment(manager, self._name)
        self._detach()

    @classmethod
    def connect(
        cls,
        port: int | str,
        *,
        token: str | None = None,
        experiment_id: str | None = None,
        ca_file: str | Path | None = None,
    ) -> Experiment:
        """Returns the running experiment behind a port of this machine, or of another one.

        Args:
            port: The port, or "HOST:PORT".
            token: The manager's token. None reads it from the experiment's folder on this machine.
            experiment_id: The experiment's id; needed with a token only.
            ca_file: With a token, the file of certificates (PEM) that verify a manager that listens with TLS.

        Raises:
            ValueError: The port is malformed, or one of token and id is missing.
            RuntimeError: No experiment of this user answers there.
        """
        from nni_client.discovery import find_manager

        found = find_manager(port, token, experiment_id, "" if ca_file is None else str(ca_file))
        experiment = cls(None, id=found.experiment_id)
        experiment._manager = AttachedManager(Connection(found.address), record=found.record)
        experiment._experiments_directory = found.experiments_directory
        experiment.port = found.address.port
        experiment.config = config_from_message(experiment._get().config)
        return experiment

    # -- changing --

    def update_trial_concurrency(self, value: int) -> None:
        """Changes how many trials may run at the same time.

        Raises:
            ValueError: The value is not a whole number above 0.
        """
        self._update(updates.trial_concurrency(self._name, value))

    def update_max_trial_number(self, value: int | None) -> None:
        """Changes after how many trials no new one starts; None is no limit.

        Raises:
            ValueError: The value is not a whole number above 0.
        """
        self._update(updates.max_trial_number(self._name, value))

    def update_max_experiment_duration(self, value: str | float | None) -> None:
        """Changes after how long no new trial starts: "1.5h", a number of seconds, or None for no limit.

        Raises:
            ValueError: The value is not a duration.
        """
        self._update(updates.max_experiment_duration(self._name, value))

    def update_search_space(self, value: dict[str, Any]) -> None:
        """Changes the search space of the trials to come.

        Raises:
            ValueError: The value is not a search space, or the tuner cannot change it.
        """
        self._update(updates.search_space(self._name, value))

    def kill_trial_job(self, trial_job_id: str) -> None:
        """Stops a trial; one that has ended stays as it is.

        Raises:
            NotFoundError: The experiment has no such trial.
        """
        request = CancelTrialRequest(name=results.name_of_trial(self._name, trial_job_id))
        self._running().connection.call(CANCEL_TRIAL, request)

    # -- within --

    def _command(
        self,
        port: int,
        debug: bool,
        bind: str | None,
        allowed_hosts: Sequence[str] | None,
        allow_plaintext: bool,
    ) -> tuple[ExperimentConfig, ManagerCommand]:
        """Returns what is to be started, checked."""
        if self._manager is not None:
            raise RuntimeError(f"Experiment {self.id} is running already, on port {self.port}")
        if self._has_ended:
            raise RuntimeError(f"Experiment {self.id} has ended; make a new Experiment to run it once more")
        if self._config is None:
            raise RuntimeError('There is no configuration: give one, or a platform as in Experiment("local")')
        refuse_foreign_nni()
        config = startable(self._config)
        if debug:
            config.debug = True
            if config.log_level != "trace":
                config.log_level = "debug"
        command = ManagerCommand(
            Path(str(config.experiment_working_directory)),
            self.id,
            port=port,
            bind=bind or "127.0.0.1",
            allowed_hosts=tuple(allowed_hosts or ()),
            allow_plaintext=allow_plaintext,
            log_level=config.log_level,
            url_prefix=self.url_prefix,
        )
        return config, command

    def _start(
        self,
        interrupts: Interrupts,
        checked: tuple[ExperimentConfig, ManagerCommand],
        run_mode: RunMode,
        start_timeout: float | None,
    ) -> str:
        """Starts the experiment and returns the address of its page."""
        config, command = checked
        started = start_experiment(
            config,
            command,
            interrupts,
            inherit_output=run_mode is RunMode.Foreground,
            start_timeout=start_timeout,
            call_timeout=self.call_timeout,
        )
        log = ExperimentLog(command.log_directory)
        self._manager = AttachedManager(started.connection, process=started.manager, log=log)
        self._experiments_directory = command.experiments_directory
        self.port = started.manager.address.port
        if run_mode is not RunMode.Detach:
            atexit.register(self._stop_at_exit)
        for warning in config.warnings():
            LOGGER.warning("%s", warning)
        text = announcement.started(self.id, started.url, started.manager.address)
        say(text)
        log.note(text.partition("\n")[0])  # the other line has the sign-in code
        return announcement.page_address(started.url)

    def _stop_at_exit(self) -> None:
        manager = self._manager
        # A process forked off the one that started the experiment comes here too, when it exits.
        if manager is None or manager.owner != os.getpid():
            return
        try:
            self.stop()
        except KeyboardInterrupt:
            self._leave()
        except CallError as error:
            LOGGER.error("Experiment %s could not be stopped: %s", self.id, error)

    def _leave(self) -> None:
        """Stops waiting for an experiment that has been told to stop."""
        manager = self._running()
        process = "" if manager.process is None else f" (process {manager.process.pid})"
        say(f"Not waiting. The manager{process} goes on stopping the trials; see: nnictl status {self.id}")
        self._last = None
        self._detach()

    def _detach(self) -> None:
        atexit.unregister(self._stop_at_exit)
        if self._manager is not None:
            self._manager.close()
        self._manager = None
        self._has_ended = True
        self.port = None

    def _running(self) -> AttachedManager:
        if self._manager is None:
            raise RuntimeError(_NOT_RUNNING)
        return self._manager

    def _update(self, request: UpdateExperimentRequest) -> None:
        self._running().connection.call(UPDATE_EXPERIMENT, request)

    def _get(self) -> experiment_pb2.Experiment:
        if self._manager is None and self._last is not None:
            return self._last
        experiment = super()._get()
        if self._manager is None:
            self._last = experiment
        return experiment

    def _read(self, read: Callable[[Session], Result]) -> Result:
        manager = self._manager
        if manager is not None:
            try:
                with manager.connection.session() as session:
                    return read(session)
            except ManagerUnreachableError:
                if not manager.is_gone:
                    raise
            self._last = None
            self._detach()
        if not self._has_ended or self._experiments_directory is None:
            raise RuntimeError(_NOT_RUNNING)
        reader = record_reader(self._experiments_directory, self.id, self.call_timeout)
        with reader as connection, connection.session() as session:
            return read(session)
