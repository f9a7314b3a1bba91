"""The Experiment class: start, go on with, watch, change and read an experiment from Python."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nni_config import ExperimentConfig, new_experiment_id
from nni_config.experiment_folders import FolderKind
from nni_config.open_types import MaybeNone
from nni_config.secret_fields import take_secrets_from_environment
from nni_config.wire import config_from_message
from nni_proto.v1 import experiment_pb2

from nni_client import finding, metadata
from nni_client.attachable import AttachableExperiment
from nni_client.attached import AttachedManager
from nni_client.checkpoint import recorded_config, warn_of_differences
from nni_client.connection import Connection
from nni_client.foreign import refuse_foreign_nni
from nni_client.interrupts import Interrupts
from nni_client.retrying import retry_failed_trials
from nni_client.run_mode import RunMode
from nni_client.screen import say
from nni_client.start_arguments import Start, check_id, config_of, startable, tls_files
from nni_client.starting import resume_experiment, show_experiment, start_experiment

_POLL_SECONDS = 0.2


class Experiment(AttachableExperiment):
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
        super().__init__(id or new_experiment_id())
        self._config = config_of(config_or_platform)
        self.url_prefix: str | None = None

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
        tls_certificate: str | Path | None = None,
        tls_key: str | Path | None = None,
        tls_ca: str | Path | None = None,
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
            tls_certificate: The file with a certificate chain (PEM), to listen with TLS.
            tls_key: The file with its private key (PEM).
            tls_ca: The file with the certificates that clients are to trust (PEM). None for the chain itself.
            start_timeout: How many seconds the manager may take to start. None for what the environment
                variable NNI_START_TIMEOUT says, else as long as it is alive.

        Raises:
            TypeError: An argument is of a wrong type.
            ValueError: The configuration is not valid, the text lists every problem; or an argument is not.
            RuntimeError: The experiment runs already, the port is busy, or the manager could not be started;
                the text says why.
        """
        tls = tls_files(tls_certificate, tls_key, tls_ca)
        how = Start(port, debug, run_mode, bind, allowed_hosts, allow_plaintext, start_timeout, tls)
        with Interrupts() as interrupts:
            self._start(interrupts, how)
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
        tls_certificate: str | Path | None = None,
        tls_key: str | Path | None = None,
        tls_ca: str | Path | None = None,
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
            tls_certificate: See `start`.
            tls_key: See `start`.
            tls_ca: See `start`.
            start_timeout: See `start`.

        Returns:
            True when the experiment is done or was stopped, False when it failed or all its trials did, None
            after Ctrl-C and when it was not waited for.

        Raises:
            TypeError: See `start`.
            ValueError: See `start`.
            RuntimeError: See `start`.
        """
        tls = tls_files(tls_certificate, tls_key, tls_ca)
        how = Start(port, debug, RunMode.Background, bind, allowed_hosts, allow_plaintext, start_timeout, tls)
        with Interrupts() as interrupts:
            try:
                page, _ = self._start(interrupts, how)
            except KeyboardInterrupt:
                if finding.recorded(self.id, self._config, self._named(None)) is None:
                    say("Interrupted: the experiment was not started.")
                else:
                    say(f"Interrupted as it began: nnictl resume {self.id} goes on with the experiment.")
                return None
            if wait_completion:
                return self._wait(interrupts, page, None)
            interrupts.check()
        return None

    def resume(
        self: Experiment | str,
        port: int = 8080,
        wait_completion: bool = True,
        debug: bool = False,
        *,
        run_mode: RunMode = RunMode.Background,
        retry_failed: bool = False,
        experiments_directory: str | Path | None = None,
        bind: str | None = None,
        allowed_hosts: Sequence[str] | None = None,
        allow_plaintext: bool = False,
        tls_certificate: str | Path | None = None,
        tls_key: str | Path | None = None,
        tls_ca: str | Path | None = None,
        start_timeout: float | None = None,
    ) -> Experiment | bool | None:
        """Goes on with an experiment that was stopped, failed, is done, or lost its manager.

        `Experiment(None, "id").resume()` and `Experiment.resume("id")` are the same. Trials that still run
        are taken over, and the tuner knows all that it knew. Without `config` it goes on as recorded. With
        one, limits, search space, commands and secrets may differ; what does is logged.

        Args:
            port: See `start`.
            wait_completion: False returns as soon as the experiment goes on.
            debug: See `start`.
            run_mode: What becomes of the experiment when this script ends, if it is not waited for.
            retry_failed: Try the parameters of failed trials once more; the limit of trials rises by as many.
            experiments_directory: The folder that holds the experiment's folder. None for the one in `config`
                and all that were ever used.
            bind: See `start`.
            allowed_hosts: See `start`.
            allow_plaintext: See `start`.
            tls_certificate: See `start`.
            tls_key: See `start`.
            tls_ca: See `start`.
            start_timeout: See `start`.

        Returns:
            What `run` returns; the Experiment when it is not waited for.

        Raises:
            TypeError: See `start`.
            ValueError: The configuration is not valid, changes what cannot change, or lacks secrets.
            RuntimeError: There is no such experiment, it runs elsewhere, or see `start`.
        """
        self = _experiment(self)
        mode = RunMode.Background if wait_completion else run_mode
        tls = tls_files(tls_certificate, tls_key, tls_ca)
        how = Start(port, debug, mode, bind, allowed_hosts, allow_plaintext, start_timeout, tls)
        with Interrupts() as interrupts:
            try:
                page, before = self._resume(interrupts, how, experiments_directory)
                if retry_failed:
                    retry_failed_trials(self)
            except KeyboardInterrupt:
                say("Interrupted: the experiment was not resumed.")
                return None
            if wait_completion:
                return self._wait(interrupts, page, before)
            interrupts.check()
        return self

    def run_or_resume(
        self, port: int = 8080, wait_completion: bool = True, debug: bool = False
    ) -> Experiment | bool | None:
        """Goes on with the experiment if there is a record of it, else runs it; see `resume` and `run`."""
        how = self.resume if self.has_checkpoint() else self.run
        return how(port, wait_completion, debug)

    def view(
        self: Experiment | str,
        port: int = 8080,
        non_blocking: bool = False,
        *,
        wait_completion: bool | None = None,
        experiments_directory: str | Path | None = None,
        bind: str | None = None,
        allowed_hosts: Sequence[str] | None = None,
        allow_plaintext: bool = False,
        start_timeout: float | None = None,
    ) -> Experiment:
        """Shows the page of an experiment that does not run, read-only, until Ctrl-C.

        `Experiment(None, "id").view()` and `Experiment.view("id")` are the same. The view ends with this
        process at the latest.

        Args:
            port: See `start`.
            non_blocking: True returns at once; `stop` ends the view.
            wait_completion: The same the other way round: False returns at once.
            experiments_directory: See `resume`.
            bind: See `start`.
            allowed_hosts: See `start`.
            allow_plaintext: See `start`.
            start_timeout: See `start`.

        Returns:
            The Experiment.

        Raises:
            TypeError: See `start`.
            ValueError: See `start`.
            RuntimeError: There is no such experiment, it runs, or it cannot be read.
        """
        self = _experiment(self)
        how = Start(port, False, RunMode.Detach, bind, allowed_hosts, allow_plaintext, start_timeout)
        waits = not non_blocking if wait_completion is None else wait_completion
        with Interrupts() as interrupts:
            try:
                self._view(interrupts, how, experiments_directory)
                if waits:
                    say("Press Ctrl-C to end the view.")
                    while self._manager is not None and not self._manager.is_gone:
                        time.sleep(_POLL_SECONDS)
                        interrupts.check()
            except KeyboardInterrupt:
                say("The view has ended.")
                waits = True
            if waits:
                self.stop()
        return self

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
            experiment_id: The experiment's id. None for whatever runs there.
            ca_file: With a token, the file of certificates (PEM) that verify a manager that listens with TLS.

        Raises:
            ValueError: The port is malformed.
            RuntimeError: No experiment of this user answers there, or the token is wrong.
        """
        from nni_client.discovery import find_manager

        found = find_manager(port, token, experiment_id, "" if ca_file is None else str(ca_file))
        experiment = cls(None, id=found.experiment_id)
        experiment._manager = AttachedManager(Connection(found.address), record=found.record)
        experiment._experiments_directory = found.experiments_directory
        experiment.port = found.address.port
        experiment.config = recorded_config(experiment._get().config)
        return experiment

    # -- records --

    def has_checkpoint(self) -> bool:
        """Returns whether there is a record of the experiment, so that `resume` can go on with it."""
        found = finding.recorded(self.id, self._config, self._experiments_directory)
        return found is not None and found.kind is FolderKind.EXPERIMENT

    def load_checkpoint(self) -> None:
        """Reads the configuration from the record, without secrets. One in `config` is kept.

        What differs between the two is logged as a warning.

        Raises:
            ValueError: There is no record, or it cannot be read.
        """
        try:
            message = self._get().config
        except RuntimeError as error:
            reason = str(error)
            if self._manager is None and not self.has_checkpoint():
                reason = f"There is no record of it. {finding.looked_in(self._places())}"
            raise ValueError(f"Config of {self.id} failed to be loaded. {reason}") from error
        if self._config is None:
            self._config = recorded_config(message)
        else:
            warn_of_differences(self.id, config_from_message(message), self._config)

    def save_checkpoint(self) -> None:
        """Does nothing: the record is always up to date."""

    @staticmethod
    def get_experiment_metadata(exp_id: str) -> dict[str, Any]:
        """Returns what lists show of an experiment, {} when there is none; see `metadata.metadata_of`."""
        return metadata.metadata_of(exp_id)

    @staticmethod
    def get_all_experiments_metadata() -> list[dict[str, Any]]:
        """Returns what lists show of all experiments of this machine's user, the oldest first."""
        return metadata.all_metadata()

    # -- within --

    def _start(self, interrupts: Interrupts, how: Start) -> tuple[str, None]:
        """Starts the experiment and returns the address of its page."""
        how.check(self.url_prefix)
        self._refuse_attached()
        if self._has_ended:
            raise RuntimeError(
                f"Experiment {self.id} has ended; make a new Experiment to run it once more, or go on with "
                "it by resume()"
            )
        if self._config is None:
            raise RuntimeError('There is no configuration: give one, or a platform as in Experiment("local")')
        refuse_foreign_nni()
        config = how.applied_to(startable(self._config))
        command = how.command(
            Path(str(config.experiment_working_directory)), self.id, self.url_prefix, config.log_level
        )
        started = start_experiment(config, command, interrupts, how.options(self.call_timeout))
        return self._attach(started, command, how, config.warnings()), None

    def _resume(
        self, interrupts: Interrupts, how: Start, experiments_directory: str | Path | None
    ) -> tuple[str, experiment_pb2.Experiment | None]:
        """Goes on with the experiment; returns the address of its page, and the experiment as recorded."""
        how.check(self.url_prefix)
        self._refuse_attached()
        refuse_foreign_nni()
        folder = finding.to_resume(self.id, self._config, self._named(experiments_directory))
        config = None
        if self._config is not None:
            given = copy.deepcopy(self._config)
            take_secrets_from_environment(given)
            config = how.applied_to(startable(given))
            config.experiment_working_directory = folder.directory
        level = None if config is None else config.log_level
        command = how.command(folder.directory, self.id, self.url_prefix, level, resume=True)
        started = resume_experiment(config, command, interrupts, how.options(self.call_timeout))
        page = self._attach(started, command, how, [] if config is None else config.warnings())
        if config is None:
            self._config = recorded_config(self._get().config)
        elif started.before is not None:
            warn_of_differences(self.id, config_from_message(started.before.config), config)
        return page, started.before

    def _view(self, interrupts: Interrupts, how: Start, experiments_directory: str | Path | None) -> None:
        how.check(self.url_prefix)
        self._refuse_attached()
        folder = finding.to_view(self.id, self._config, self._named(experiments_directory))
        command = how.command(folder.directory, self.id, self.url_prefix, None, view=True)
        started = show_experiment(command, interrupts, how.options(self.call_timeout))
        self._attach(started, command, how, [])
        if self._config is None:
            self._config = recorded_config(self._get().config)

    def _refuse_attached(self) -> None:
        if self._manager is None:
            return
        does = "is shown" if self._manager.is_view else "is running"
        raise RuntimeError(f"Experiment {self.id} {does} already, on port {self.port}")

    def _places(self) -> list[Path]:
        return finding.places(self._config, self._experiments_directory)

    def _named(self, experiments_directory: str | Path | None) -> str | Path | None:
        return self._experiments_directory if experiments_directory is None else experiments_directory


def _experiment(experiment: Experiment | str) -> Experiment:
    """Returns the experiment itself, or that of an id."""
    return experiment if isinstance(experiment, Experiment) else Experiment(None, id=experiment)
