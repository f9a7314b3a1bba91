"""An experiment and the manager that it is attached to, of this process or of another one."""

from __future__ import annotations

import atexit
import os
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path

from nni_config.experiment_summary import read_summary
from nni_proto.v1 import experiment_pb2
from nni_proto.v1.experiment_service_pb2 import GetExperimentRequest

from nni_client import announcement
from nni_client.attached import AttachedManager
from nni_client.changing import ChangeableExperiment
from nni_client.completion import run_to_end
from nni_client.connection import Connection, Session
from nni_client.errors import CallError, ManagerUnreachableError
from nni_client.experiment_log import LOGGER, ExperimentLog
from nni_client.interrupts import Interrupts
from nni_client.manager_command import ManagerCommand
from nni_client.methods import GET_EXPERIMENT
from nni_client.readable import Result
from nni_client.run_mode import RunMode
from nni_client.screen import open_screen, say
from nni_client.start_arguments import Start
from nni_client.starting import StartedExperiment
from nni_client.stopping import stop_experiment
from nni_client.unattached import not_running, told_truly, unattached_connection

_ENDING_SECONDS = 5.0


class AttachableExperiment(ChangeableExperiment):
    """What an Experiment does with its manager, and how it reads without one.

    Attributes:
        id: The experiment's id.
        port: The port of its manager, None while no manager runs.
        call_timeout: How many seconds a call to the manager may take. None for what the environment variable
            NNI_CALL_TIMEOUT says, else 60.
    """

    def __init__(self, id: str) -> None:
        """Attaches it to no manager."""
        self.id = id
        self.port: int | None = None
        self.call_timeout: float | None = None
        self._manager: AttachedManager | None = None
        self._experiments_directory: Path | None = None
        self._has_ended = False
        self._kept: tuple[float, experiment_pb2.Experiment] | None = None

    @abstractmethod
    def _places(self) -> list[Path]:
        """Returns the folders of experiments that it may be in."""

    def stop(self) -> None:
        """Stops the experiment, whoever started it, and waits until its manager has ended.

        Results can still be read afterwards. Stopping one that does not run changes nothing; on one that is
        only shown the view ends.

        Raises:
            CallError: The manager refuses, or takes too long.
        """
        manager = self._manager
        if manager is None:
            return
        if manager.is_view and manager.process is not None:
            manager.process.end()
            self._detach()
            return
        stopped = stop_experiment(manager, self._name)
        self._detach()
        self._keep(stopped)

    def _attach(
        self, started: StartedExperiment, command: ManagerCommand, how: Start, warnings: Sequence[str]
    ) -> str:
        """Belongs to a manager of this process from now on; returns the address of the page."""
        log = None if command.view else ExperimentLog(command.log_directory)
        self._manager = AttachedManager(
            started.connection, process=started.manager, log=log, is_view=command.view
        )
        self._experiments_directory = command.experiments_directory
        self._kept = None
        self._has_ended = False
        self.port = started.manager.address.port
        if how.run_mode is not RunMode.Detach or command.view:
            atexit.register(self._stop_at_exit)
        for warning in warnings:
            LOGGER.warning("%s", warning)
        text = announcement.started(self.id, started.url, started.manager.address)
        say(text)
        if log is not None:
            log.note(text.partition("\n")[0])  # the other line has the sign-in code
        return announcement.page_address(started.url)

    def _wait(
        self, interrupts: Interrupts, page: str, before: experiment_pb2.Experiment | None
    ) -> bool | None:
        manager = self._running()
        screen = open_screen(page)
        try:
            return run_to_end(
                manager, self._get(), before, screen, interrupts, self.stop, self._leave, self._get
            )
        finally:
            screen.close()

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
        self._detach()

    def _detach(self) -> None:
        atexit.unregister(self._stop_at_exit)
        if self._manager is not None:
            self._manager.close()
        self._manager = None
        self._kept = None
        self._has_ended = True
        self.port = None

    def _running(self) -> AttachedManager:
        if self._manager is None:
            raise RuntimeError(not_running(self.id, self._places()))
        return self._manager

    def _changing(self) -> Connection:
        return self._running().connection

    def _read(self, read: Callable[[Session], Result]) -> Result:
        return self._read_where_it_is(read)[0]

    def _get(self) -> experiment_pb2.Experiment:
        experiment, is_record = self._get_where_it_is()
        return told_truly(experiment) if is_record else experiment

    def _get_where_it_is(self) -> tuple[experiment_pb2.Experiment, bool]:
        if self._manager is None and self._kept is not None and self._kept[0] == self._summary_time():
            return self._kept[1], True
        request = GetExperimentRequest(name=self._name)
        experiment, is_record = self._read_where_it_is(
            lambda session: session.call(GET_EXPERIMENT, request).experiment
        )
        if self._manager is None and is_record:
            self._keep(experiment)
        return experiment, is_record

    def _read_where_it_is(self, read: Callable[[Session], Result]) -> tuple[Result, bool]:
        """Returns what is read, and whether it is from the record because no manager runs the experiment."""
        manager = self._manager
        if manager is not None:
            try:
                with manager.connection.session() as session:
                    return read(session), manager.is_view
            except ManagerUnreachableError:
                # One that another process has just stopped answers no more some time before it has ended.
                if not manager.ends_within(_ENDING_SECONDS):
                    raise
            self._detach()
        directory = self._experiments_directory if self._has_ended else None
        with (
            unattached_connection(self.id, self._places(), directory, self.call_timeout) as (way, is_record),
            way.session() as session,
        ):
            return read(session), is_record

    def _keep(self, experiment: experiment_pb2.Experiment | None) -> None:
        """Keeps the experiment for as long as no manager writes to its record again."""
        self._kept = None if experiment is None else (self._summary_time(), experiment)

    def _summary_time(self) -> float:
        directory = self._experiments_directory
        summary = None if directory is None else read_summary(directory / self.id)
        return 0.0 if summary is None else summary.written_at
