"""The base class of advisors."""

from __future__ import annotations

import json
import logging
import threading
from queue import Empty, Queue
from typing import Any

from nni_manager.algorithms.advisor.command_channel import TunerCommandChannel
from nni_manager.algorithms.advisor.command_type import CommandType
from nni_manager.algorithms.recoverable import Recoverable

__all__ = ["QUEUE_LEN_WARNING_MARK", "CommandType", "MsgDispatcherBase"]

QUEUE_LEN_WARNING_MARK = 20
"""How many commands may wait before a warning is logged."""

_SECONDS_BETWEEN_LOOKS = 0.2
_NOT_PICKLED = frozenset(
    ["_channel", "default_command_queue", "assessor_command_queue", "default_worker", "assessor_worker"]
)

_logger = logging.getLogger(__name__)

_Queue = Queue[tuple[CommandType, Any]]


class MsgDispatcherBase(Recoverable):
    """Proposes trials, hears everything they report, and may stop them: tuner and assessor in one.

    A subclass overrides the handlers. In an experiment they are called one at a time, always in the same
    thread, in the order in which things happen, `handle_initialize` first. `send` may be called at any time,
    from any thread. An exception that leaves a handler ends the experiment as ERROR and is shown with its
    traceback.

    Args:
        command_channel_url: Nothing: the manager connects to an advisor itself.

    Attributes:
        stopping: Whether the experiment has ended.
        default_command_queue: What waits in `run`, but for the following.
        assessor_command_queue: The ends of trials and the intermediate results that wait in `run`.
        default_worker: The thread of `run` for the former.
        assessor_worker: The thread of `run` for the latter.
        worker_exceptions: What handlers raised in `run`.
    """

    def __init__(self, command_channel_url: str | None = None) -> None:
        super().__init__()
        self.stopping = False
        self.worker_exceptions: list[Exception] = []
        self._connect(command_channel_url)

    def _connect(self, url: str | None) -> None:
        self._channel = TunerCommandChannel(url)
        self._channel.connect()
        self.default_command_queue: _Queue = Queue()
        self.assessor_command_queue: _Queue = Queue()
        self.default_worker = self._worker(self.default_command_queue)
        self.assessor_worker = self._worker(self.assessor_command_queue)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in _NOT_PICKLED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._connect(None)

    def run(self) -> None:
        """Takes commands from the channel until Terminate; nobody calls this in an experiment."""
        self.default_worker.start()
        self.assessor_worker.start()
        while not self.stopping:
            command, data = self._channel._receive()
            if command is None or command is CommandType.Terminate:
                break
            self.enqueue_command(command, json.loads(data) if data else data)
            if self.worker_exceptions:
                break
        self.stopping = True
        self.default_worker.join()
        self.assessor_worker.join()
        self._channel.disconnect()

    def send(self, command: CommandType, data: str) -> None:
        """Sends a command to the manager.

        - Initialized: the answer to `handle_initialize`, without data.
        - NewTrialJob: a trial, JSON of {"parameter_id", "parameter_source", "parameters"}. The id is the
          advisor's own, any JSON value, and comes back with what the trial reports.
        - NoMoreTrialJobs: there are no more trials, at least for now.
        - KillTrialJob: a trial is to be stopped, JSON of its id.
        - Error: the advisor has failed; `report_error` sends it.

        Args:
            command: The command.
            data: What belongs to it, as JSON.

        Raises:
            ValueError: The data does not fit the command, or an advisor does not send it.
        """
        self._channel._send(command, data)

    def report_error(self, error: str) -> None:
        """Ends the experiment as ERROR.

        Args:
            error: What is shown.
        """
        _logger.error("The advisor reports an error: %s", error)
        self.send(CommandType.Error, error)

    def handle_initialize(self, data: Any) -> None:
        """Takes the search space, and sends Initialized.

        Args:
            data: The search space.
        """
        raise NotImplementedError("handle_initialize not implemented")

    def handle_request_trial_jobs(self, data: int) -> None:
        """Sends trials as NewTrialJob, now or at any later time, or says NoMoreTrialJobs.

        Args:
            data: How many more are wanted. What is not sent now stays owed, and is not asked for again.
        """
        raise NotImplementedError("handle_request_trial_jobs not implemented")

    def handle_update_search_space(self, data: Any) -> None:
        """Takes a search space that a user has changed. Any exception means that the change is refused.

        Args:
            data: The search space.
        """
        raise NotImplementedError("handle_update_search_space not implemented")

    def handle_import_data(self, data: list[dict[str, Any]]) -> None:
        """Takes results from elsewhere.

        Args:
            data: [{"parameter": ..., "value": ...}, ...].
        """
        raise NotImplementedError("handle_import_data not implemented")

    def handle_add_customized_trial(self, data: list[dict[str, Any]]) -> None:
        """Takes the trials of an earlier life, before `handle_import_data` gets their results.

        Args:
            data: [{"parameter_id": ..., "parameter_source": ..., "parameters": ...}, ...].
        """
        raise NotImplementedError("handle_add_customized_trial not implemented")

    def handle_report_metric_data(self, data: dict[str, Any]) -> None:
        """Takes a result.

        Args:
            data: The advisor's own "parameter_id" (None for parameters that a user chose), "trial_job_id",
                "type" ("PERIODICAL" or "FINAL"), "sequence", the result's index of its type from 0, and
                "value", JSON of the result.
        """
        raise NotImplementedError("handle_report_metric_data not implemented")

    def handle_trial_end(self, data: dict[str, Any]) -> None:
        """Takes note that a trial ended.

        Args:
            data: "trial_job_id", "event", how it ended, such as "SUCCEEDED" or "EARLY_STOPPED", and
                "hyper_params", what was sent as NewTrialJob.
        """
        raise NotImplementedError("handle_trial_end not implemented")

    def handle_ping(self, data: Any) -> None:
        """Does nothing."""

    def process_command(self, command: CommandType, data: Any) -> None:
        """Calls the handler of a command.

        Raises:
            AssertionError: There is none.
        """
        handlers = {
            CommandType.Initialize: self.handle_initialize,
            CommandType.RequestTrialJobs: self.handle_request_trial_jobs,
            CommandType.UpdateSearchSpace: self.handle_update_search_space,
            CommandType.ImportData: self.handle_import_data,
            CommandType.AddCustomizedTrialJob: self.handle_add_customized_trial,
            CommandType.ReportMetricData: self.handle_report_metric_data,
            CommandType.TrialEnd: self.handle_trial_end,
            CommandType.Ping: self.handle_ping,
        }
        if command not in handlers:
            raise AssertionError(f"Unsupported command: {command}")
        handlers[command](data)

    def enqueue_command(self, command: CommandType, data: Any) -> None:
        """Lets a worker of `run` deal with a command."""
        is_intermediate = command is CommandType.ReportMetricData and data["type"] == "PERIODICAL"
        is_for_assessor = is_intermediate or command is CommandType.TrialEnd
        queue = self.assessor_command_queue if is_for_assessor else self.default_command_queue
        queue.put((command, data))
        if queue.qsize() >= QUEUE_LEN_WARNING_MARK:
            _logger.warning("%s commands wait.", queue.qsize())

    def command_queue_worker(self, command_queue: _Queue) -> None:
        """Deals with the commands of a queue until `stopping`, and with what is in it then."""
        while not (self.stopping and command_queue.empty()):
            try:
                command, data = command_queue.get(timeout=_SECONDS_BETWEEN_LOOKS)
            except Empty:
                continue
            try:
                self.process_command(command, data)
            except Exception as error:
                _logger.exception("A handler failed.")
                self.worker_exceptions.append(error)
                return

    def _worker(self, queue: _Queue) -> threading.Thread:
        return threading.Thread(target=self.command_queue_worker, args=(queue,), daemon=True)

    def _on_exit(self) -> None:
        """Is called when the experiment ends."""
        self.stopping = True

    def _on_error(self) -> None:
        """Is called when a handler failed."""
        self.stopping = True
