"""Calls a tuner the way NNI does."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nni import NoMoreTrialError
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

from nni_manager.tuning import responses

_logger = logging.getLogger(__name__)

_NO_MORE = "the tuner has no more trials"


class TunerDispatcher:
    """Turns requests into calls of a tuner, and what it returns into responses.

    Fewer parameters than asked for are a refusal. But a tuner that keeps `st_callback` while none of its
    trials runs, and that does not raise NoMoreTrialError, is about to hand them in from a thread: the ids
    stay open, and the experiment waits.

    Attributes:
        send: Sends a response.
        imported: Ids of trials that the tuner knows by `import_data` alone, and that have not ended.
    """

    def __init__(self, tuner: Any, send: Callable[[AlgorithmResponse], None]) -> None:
        self.send = send
        self.imported: set[int] = set()
        self._tuner = tuner
        self._asked_for: set[int] = set()
        self._answered: set[int] = set()
        self._running: set[int] = set()
        self._lock = threading.Lock()

    @property
    def hears_intermediate_results(self) -> bool:
        """Whether the tuner is to be told intermediate results."""
        return callable(getattr(self._tuner, "receive_intermediate_result", None))

    def handle(self, request: AlgorithmRequest) -> None:
        """Deals with a request. Whatever the tuner raises passes through."""
        kind = request.WhichOneof("request")
        if kind == "request_parameters":
            self._generate(request.request_parameters)
        elif kind == "final_result":
            self._take_result(request.final_result)
        elif kind == "intermediate_result":
            self._take_intermediate_result(request.intermediate_result)
        elif kind == "trial_end":
            self._take_end(request.trial_end)
        elif kind == "search_space":
            change_search_space(request, self._tuner.update_search_space, "The tuner", self.send)
        elif kind == "imported_trials":
            self._tuner.import_data(imported_records(request.imported_trials))
        else:
            _logger.warning("A tuner was told %s, which means nothing to it.", kind)

    def go_on_from(self, proposals: list[dict[str, Any]], results: list[dict[str, Any]]) -> None:
        """Lets a fresh tuner know what happened before it was made anew.

        Args:
            proposals: The trials: {"parameter_id": ..., "parameters": ...}.
            results: {"parameter": ..., "value": ...}.
        """
        recover = getattr(self._tuner, "recover_parameter_id", None)
        if callable(recover):
            recover(proposals)
        self._tuner.import_data(results)

    def end_history(self, unrecorded: Mapping[int, AlgorithmResponse]) -> list[AlgorithmResponse]:
        """Ends a replay.

        Args:
            unrecorded: The proposals that nobody recorded, by their ids, which are asked for again.

        Returns:
            What is to be handed in of them.
        """
        self._answered.update(unrecorded)
        return list(unrecorded.values())

    def restore_refusal(self, parameter_ids: Sequence[int]) -> None:
        """Lets a tuner that hands in parameters later know which ids it owes."""
        restore = getattr(self._tuner, "restore_refusal", None)
        if restore is not None:
            self._asked_for.update(parameter_ids)
            restore(list(parameter_ids), self._propose)

    def _generate(self, request: RequestParameters) -> None:
        parameter_ids = [id_ for id_ in request.parameter_ids if id_ not in self._answered]
        if not parameter_ids:
            return
        with self._lock:
            self._asked_for.update(parameter_ids)
        message = ""
        has_said_no_more = hasattr(self._tuner, "restore_refusal")
        callback = _Callback(self._propose)
        kept = weakref.ref(callback)
        try:
            proposals = self._tuner.generate_multiple_parameters(parameter_ids, st_callback=callback)
        except NoMoreTrialError as error:
            proposals, message, has_said_no_more = [], str(error), True
        del callback
        if not isinstance(proposals, Sequence):
            raise TypeError(f"generate_multiple_parameters returned {proposals!r}, not a list")
        if len(proposals) > len(parameter_ids):
            _logger.warning("%s parameters were asked for and %s came.", len(parameter_ids), len(proposals))
        for parameter_id, parameters in zip(parameter_ids, proposals, strict=False):
            self._propose(parameter_id, parameters)
        with self._lock:
            refused = [id_ for id_ in parameter_ids[len(proposals) :] if id_ in self._asked_for]
            runs = bool(self._running or self.imported)
        if refused and not runs and not has_said_no_more and kept() is not None:
            # With a refusal the experiment would be over before the tuner's thread gets to hand them in.
            text = (
                "The tuner keeps st_callback and owes %s trials: the experiment waits for it to hand them in."
            )
            _logger.info(text, len(refused))
        elif refused:
            why = message or getattr(self._tuner, "why_no_parameters", "") or _NO_MORE
            self.send(responses.refuse(refused, why))

    def _propose(self, parameter_id: int, parameters: Any) -> None:
        """Hands in parameters, from any thread."""
        response = responses.propose(parameter_id, parameters)
        with self._lock:
            asked_for = parameter_id in self._asked_for
            self._asked_for.discard(parameter_id)
            if asked_for:
                self._running.add(parameter_id)
        if asked_for:
            self.send(response)
        else:
            _logger.warning("Parameters under the id %s are ignored: they were not asked for.", parameter_id)

    def _take_result(self, request: TellFinalResult) -> None:
        if request.customized and not self._accepts_customized:
            _logger.info("The tuner does not take results of parameters that a user chose.")
            return
        parameter_id = parameter_id_of(request)
        if parameter_id in self.imported:
            self._tuner.import_data([record_of(request)])
            return
        self._tuner.receive_trial_result(
            parameter_id,
            values.from_message(request.parameters),
            values.from_message(request.value),
            customized=request.customized,
            trial_job_id=request.trial_id,
        )

    def _take_intermediate_result(self, request: TellIntermediateResult) -> None:
        parameter_id = parameter_id_of(request)
        if parameter_id in self.imported or (parameter_id is None and not self._accepts_customized):
            return
        # In a history there may be some that an earlier tuner wanted, with other code.
        if self.hears_intermediate_results:
            value = values.from_message(request.value)
            self._tuner.receive_intermediate_result(parameter_id, request.trial_id, request.index, value)

    def _take_end(self, request: TellTrialEnd) -> None:
        parameter_id = parameter_id_of(request)
        if parameter_id is None and not self._accepts_customized:
            return
        with self._lock:
            self._running.discard(parameter_id)
        if parameter_id in self.imported:
            self.imported.discard(parameter_id)
            return
        self._tuner.trial_end(parameter_id, request.status == Trial.STATUS_SUCCEEDED)

    @property
    def _accepts_customized(self) -> bool:
        return bool(getattr(self._tuner, "_accept_customized", False))


class _Callback:
    """The `st_callback` of one request."""

    def __init__(self, propose: Callable[[int, Any], None]) -> None:
        self._propose = propose

    def __call__(self, parameter_id: int, parameters: Any) -> None:
        self._propose(parameter_id, parameters)


def change_search_space(
    request: AlgorithmRequest,
    change: Callable[[Any], None],
    name: str,
    send: Callable[[AlgorithmResponse], None],
) -> None:
    """Lets an algorithm change its search space; an exception is its refusal.

    Args:
        request: The request, which has the search space.
        change: Tells the algorithm.
        name: What it is called in the log.
        send: Sends the refusal.
    """
    try:
        change(values.from_message(request.search_space.search_space))
    except Exception as error:
        _logger.exception("%s refuses the new search space.", name)
        send(responses.refused(request.number, f"{type(error).__name__}: {error}"))


def record_of(request: TellFinalResult) -> dict[str, Any]:
    """Returns a trial with its result in the form that `import_data` takes."""
    parameters, value = values.from_message(request.parameters), values.from_message(request.value)
    return {"parameter": parameters, "value": value}


def imported_records(request: TellImportedTrials) -> list[dict[str, Any]]:
    """Returns results from elsewhere in the form that `import_data` takes."""
    return [
        {"parameter": values.from_message(trial.parameters), "value": values.from_message(trial.value)}
        for trial in request.trials
    ]


def parameter_id_of(request: TellFinalResult | TellIntermediateResult | TellTrialEnd) -> int | None:
    """Returns the id of the parameters that a message is about, None when they are not an algorithm's."""
    return request.parameter_id if request.HasField("parameter_id") else None
