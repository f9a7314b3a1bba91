"""Calls an advisor the way NNI does."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from nni_proto import values
from nni_proto.v1.algorithm_pb2 import (
    AlgorithmRequest,
    AlgorithmResponse,
    RequestParameters,
    TellFinalResult,
    TellImportedTrials,
    TellIntermediateResult,
    TellTrialEnd,
)
from nni_proto.v1.trial_pb2 import Trial

from nni_manager.algorithms.advisor.base import MsgDispatcherBase
from nni_manager.algorithms.advisor.command_channel import TunerCommandChannel
from nni_manager.algorithms.advisor.command_type import CommandType
from nni_manager.tuning import responses
from nni_manager.tuning.advisor_trials import AdvisorTrials, sent_trial
from nni_manager.tuning.tuner_dispatcher import (
    change_search_space,
    imported_records,
    parameter_id_of,
    record_of,
)

_logger = logging.getLogger(__name__)


class AdvisorDispatcher:
    """Turns requests into commands to an advisor, and its commands into responses.

    An advisor may answer a request at any later time: its ids stay open until then, and the experiment waits.

    Attributes:
        send: Sends a response.
        imported: Ids of trials that the advisor knows by `handle_import_data` alone, and that have not ended.
        hears_intermediate_results: True.
    """

    hears_intermediate_results = True

    def __init__(self, advisor: MsgDispatcherBase, send: Callable[[AlgorithmResponse], None]) -> None:
        self.send = send
        self.imported: set[int] = set()
        self._advisor = advisor
        self._name = type(advisor).__name__
        self._trials = AdvisorTrials()
        self._is_initialized = False
        if not isinstance(getattr(advisor, "_channel", None), TunerCommandChannel):
            advisor._channel = TunerCommandChannel()  # its constructor did not call that of its base class
        advisor._channel.attach(self._take)

    def initialize(self, search_space: Any) -> None:
        """Gives the advisor the search space. Whatever it raises passes through."""
        self._advisor.process_command(CommandType.Initialize, search_space)
        if not self._is_initialized:
            _logger.warning("%s.handle_initialize did not send CommandType.Initialized.", self._name)

    def handle(self, request: AlgorithmRequest) -> None:
        """Deals with a request. Whatever the advisor raises passes through."""
        kind = request.WhichOneof("request")
        if kind == "request_parameters":
            self._request(request.request_parameters)
        elif kind == "intermediate_result":
            self._report(request.intermediate_result)
        elif kind == "final_result":
            self._report(request.final_result)
        elif kind == "trial_end":
            self._tell_end(request.trial_end)
        elif kind == "search_space":
            tell = partial(self._advisor.process_command, CommandType.UpdateSearchSpace)
            change_search_space(request, tell, self._name, self.send)
        elif kind == "imported_trials":
            self._import(request.imported_trials)
        else:
            _logger.warning("An advisor was told %s, which means nothing to it.", kind)

    def go_on_from(self, proposals: list[dict[str, Any]], results: list[dict[str, Any]]) -> None:
        """Lets a fresh advisor know what happened before it was made anew.

        Args:
            proposals: The trials: {"parameter_id": ..., "parameters": ...}, the ids not its own.
            results: {"parameter": ..., "value": ...}.
        """
        known = [{"parameter_source": "algorithm", **proposal} for proposal in proposals]
        self._tell_if_it_hears(CommandType.AddCustomizedTrialJob, "handle_add_customized_trial", known)
        self._tell_if_it_hears(CommandType.ImportData, "handle_import_data", results)

    def end_history(self, unrecorded: Mapping[int, AlgorithmResponse]) -> list[AlgorithmResponse]:
        """Ends a replay; returns nothing: the trials that nobody recorded answer what is asked for next."""
        self._trials.end_history(unrecorded)
        return []

    def _request(self, request: RequestParameters) -> None:
        asked = self._trials.ask(request.parameter_ids)
        for answer in asked.answers:
            self.send(answer)
        self._refuse(asked.refused)
        if asked.wanted:
            self._advisor.process_command(CommandType.RequestTrialJobs, asked.wanted)
        missing = self._trials.open_count
        if missing:
            text = "%s owes %s trials that it was asked for: the experiment waits for it to send them."
            _logger.info(text, self._name, missing)

    def _report(self, request: TellIntermediateResult | TellFinalResult) -> None:
        parameter_id = parameter_id_of(request)
        is_final = isinstance(request, TellFinalResult)
        if parameter_id in self.imported:
            if isinstance(request, TellFinalResult):
                self._tell_if_it_hears(CommandType.ImportData, "handle_import_data", [record_of(request)])
            return
        sent = None if parameter_id is None else self._trials.of(parameter_id)
        report = {
            "parameter_id": parameter_id if sent is None else sent.own_id,
            "trial_job_id": request.trial_id,
            "type": "FINAL" if is_final else "PERIODICAL",
            "sequence": 0 if isinstance(request, TellFinalResult) else request.index,
            "value": json.dumps(values.from_message(request.value), ensure_ascii=False),
        }
        self._advisor.process_command(CommandType.ReportMetricData, report)

    def _tell_end(self, request: TellTrialEnd) -> None:
        parameter_id = parameter_id_of(request)
        if parameter_id is not None and parameter_id in self.imported:
            self.imported.discard(parameter_id)
            self._trials.end(parameter_id)
            return
        sent = None if parameter_id is None else self._trials.of(parameter_id)
        source = "customized" if parameter_id is None else "algorithm"
        unknown = {"parameter_id": parameter_id, "parameter_source": source, "parameters": None}
        end = {
            "trial_job_id": request.trial_id,
            "event": Trial.Status.Name(request.status).removeprefix("STATUS_"),
            "hyper_params": json.dumps(unknown) if sent is None else sent.text,
        }
        self._advisor.process_command(CommandType.TrialEnd, end)
        if parameter_id is not None:
            self._trials.end(parameter_id)

    def _import(self, request: TellImportedTrials) -> None:
        self._tell_if_it_hears(CommandType.ImportData, "handle_import_data", imported_records(request))

    def _tell_if_it_hears(self, command: CommandType, handler: str, data: list[dict[str, Any]]) -> None:
        if not data:
            return
        if getattr(type(self._advisor), handler, None) is getattr(MsgDispatcherBase, handler):
            _logger.warning("%s has no %s: %s records are left out.", self._name, handler, len(data))
        else:
            self._advisor.process_command(command, data)

    def _take(self, command: CommandType, data: Any) -> None:
        """Takes a command of the advisor's, from any thread."""
        if command is CommandType.NewTrialJob:
            answer = self._trials.send(sent_trial(data))
            if answer is None:
                _logger.info("%s sent a trial that nobody asked for: it is kept.", self._name)
            else:
                self.send(answer)
        elif command is CommandType.NoMoreTrialJobs:
            self._refuse(self._trials.refuse())
        elif command is CommandType.KillTrialJob:
            self.send(responses.stop_trial(_trial_id(data), f"{self._name} stopped it"))
        elif command is CommandType.Initialized:
            self._is_initialized = True
        elif command is CommandType.Error:
            lines = str(data).strip().splitlines() or ["it did not say why"]
            self.send(responses.failed(f"{self._name} reports: {lines[-1]}", str(data)))
        else:
            raise ValueError(f"{self._name} sent {command}, which an advisor does not send")

    def _refuse(self, refused: list[int]) -> None:
        if refused:
            self.send(responses.refuse(refused, "the advisor has no more trials"))


def _trial_id(data: Any) -> str:
    try:
        return str(json.loads(data))
    except (TypeError, ValueError):
        return str(data)
