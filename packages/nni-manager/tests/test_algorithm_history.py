"""The histories of tuners and assessors as read from a record."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni_manager.engine.effects import (
    RequestParameters,
    SaveExperiment,
    SaveMetrics,
    SaveTrial,
    SaveTunerNotes,
    TellFinalResult,
    TellImportedTrials,
    TellIntermediateResult,
    TellSearchSpace,
    TellTrialEnd,
    Write,
)
from nni_manager.engine.events import ParametersProposed, ParametersRefused
from nni_manager.engine.records import ExperimentRecord, MetricRecord, TrialRecord, TunerNote
from nni_manager.engine.statuses import (
    ExperimentStatus,
    MetricKind,
    ParameterSource,
    TrialStatus,
)
from nni_manager.engine.statuses import TunerNoteKind as Kind
from nni_manager.experiments import algorithm_history
from nni_manager.experiments.algorithm_history import assessor_history, tuner_history
from nni_manager.experiments.arranged_notes import Outline
from nni_manager.storage.interface import StorageError
from nni_manager.storage.memory import MemoryStorage
from nni_manager.storage.restoring import restored_experiment
from nni_manager.tuning.interface import NO_HISTORY, AlgorithmError, History

SPACE = {"x": {"_type": "uniform", "_value": [0, 1]}}


def trial(number: int, parameter_id: int | None, **changes: Any) -> TrialRecord:
    fields: dict[str, Any] = {
        "trial_id": f"trial{number}",
        "sequence_number": number,
        "status": TrialStatus.SUCCEEDED,
        "attempt": 0,
        "parameter_id": parameter_id,
        "parameter_source": ParameterSource.ALGORITHM,
        "parameters": {"x": number},
        "created_at": 0.0,
        "has_final_result": True,
        "final_result": {"default": number},
        **changes,
    }
    return TrialRecord(**fields)


def proposed(parameter_id: int, parameters: Any) -> ParametersProposed:
    return ParametersProposed(parameter_id, parameters, 0.0)


def stored(*batches: list[Write | TunerNote], space: Any = SPACE) -> MemoryStorage:
    """Returns a record of these batches; notes may stand for themselves."""
    storage = MemoryStorage()
    config = {"searchSpace": space}
    record = ExperimentRecord("abcdefgh", ExperimentStatus.RUNNING, config, "minimize", 0.0)
    storage.commit([SaveExperiment(record)])
    for batch in batches:
        storage.commit([SaveTunerNotes((one,)) if isinstance(one, TunerNote) else one for one in batch])
    return storage


def read(history: History) -> tuple[list[Any], list[Any], int]:
    """Returns a history that was gone through twice."""
    entries = list(history.entries)
    assert list(history.entries) == entries
    return entries, list(history.open_calls), history.last_number


def test_what_a_resume_has_read_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[list[Write | TunerNote]] = [
        [TunerNote(Kind.ASKED, 1, (0, 1))],
        [SaveTrial(trial(0, 0)), TunerNote(Kind.PROPOSED, 0, (0,), "trial0")],
        [TunerNote(Kind.FINAL_RESULT, 2, (), "trial0"), TunerNote(Kind.TRIAL_END, 3, (), "trial0")],
        [TunerNote(Kind.SEARCH_SPACE, 0, data=SPACE), TunerNote(Kind.SEARCH_SPACE, 5, data={"x": 1})],
        [TunerNote(Kind.ASKED, 4, (2,))],
        [TunerNote(Kind.REFUSED, 0, (1,))],
    ]
    whole = tuner_history(stored(*notes))
    for count in range(len(notes) + 1):
        storage, outline = stored(*notes[:count]), Outline()
        restored_experiment(storage, outline.take)
        seen = outline.last_row
        for batch in notes[count:]:
            storage.commit([SaveTunerNotes((it,)) if isinstance(it, TunerNote) else it for it in batch])
        asked = Mock(side_effect=storage.tuner_notes)
        monkeypatch.setattr(storage, "tuner_notes", asked)
        history = tuner_history(storage, outline=outline)
        assert asked.call_args_list[0].kwargs["after_row"] == seen
        assert read(history) == read(whole)
        assert history.first_search_space == whole.first_search_space


def test_a_record_without_calls_has_no_history() -> None:
    assert tuner_history(stored()) == History()


def test_every_kind_of_note_in_the_order_recorded() -> None:
    storage = stored(
        [TunerNote(Kind.ASKED, 1, (0, 1, 2))],
        [SaveTrial(trial(0, 0)), TunerNote(Kind.PROPOSED, 0, (0,), "trial0")],
        [
            SaveTrial(trial(1, 1, parameters={"x": "given"}, parameter_source=ParameterSource.INITIAL)),
            TunerNote(Kind.PROPOSED, 0, (1,), "trial1", {"x": "own"}),
            TunerNote(Kind.REFUSED, 0, (2,)),
        ],
        [TunerNote(Kind.FINAL_RESULT, 2, (), "trial0"), TunerNote(Kind.TRIAL_END, 3, (), "trial0")],
        [
            SaveTrial(trial(2, None, status=TrialStatus.FAILED, parameter_source=ParameterSource.CUSTOMIZED)),
            TunerNote(Kind.FINAL_RESULT, 4, (), "trial2"),
            TunerNote(Kind.TRIAL_END, 5, (), "trial2"),
        ],
        [TunerNote(Kind.IMPORTED, 6, data=[{"parameter": {"x": 7}, "value": float("inf")}])],
        [TunerNote(Kind.PROPOSED, 0, (2,), "", {"x": "late"})],
        [TunerNote(Kind.INTERMEDIATE_RESULT, 7, (), "trial1", {"index": 3, "value": [1]})],
        [TunerNote(Kind.ASKED, 8, (3,))],
        [TunerNote(Kind.INTERMEDIATE_RESULT, 9, (), "trial2", {"index": 0, "value": None})],
    )
    entries, open_calls, last = read(tuner_history(storage))
    assert entries == [
        RequestParameters(1, (0, 1, 2)),
        proposed(0, {"x": 0}),
        proposed(1, {"x": "own"}),
        ParametersRefused((2,), ""),
        TellFinalResult(2, "trial0", 0, {"x": 0}, {"default": 0}, customized=False),
        TellTrialEnd(3, "trial0", 0, TrialStatus.SUCCEEDED),
        TellFinalResult(4, "trial2", None, {"x": 2}, {"default": 2}, customized=True),
        TellTrialEnd(5, "trial2", None, TrialStatus.FAILED),
        TellImportedTrials(6, ({"parameter": {"x": 7}, "value": float("inf")},)),
        proposed(2, {"x": "late"}),
        TellIntermediateResult("trial1", 1, 3, [1], 7),
    ]
    assert open_calls == [RequestParameters(8, (3,)), TellIntermediateResult("trial2", None, 0, None, 9)]
    assert last == 9


def test_what_was_told_in_place_of_a_result_is_told_again() -> None:
    failed = trial(0, 0, status=TrialStatus.FAILED, has_final_result=False, final_result=None)
    storage = stored(
        [TunerNote(Kind.ASKED, 1, (0,))],
        [SaveTrial(failed), TunerNote(Kind.PROPOSED, 0, (0,), "trial0")],
        [
            TunerNote(Kind.FINAL_RESULT, 2, (), "trial0", {"value": 0.25}),
            TunerNote(Kind.TRIAL_END, 3, (), "trial0"),
        ],
    )
    assert list(tuner_history(storage).entries)[2:] == [
        TellFinalResult(2, "trial0", 0, {"x": 0}, 0.25, customized=False, stands_in=True),
        TellTrialEnd(3, "trial0", 0, TrialStatus.FAILED),
    ]


def test_answers_stand_behind_their_request_although_they_came_later() -> None:
    storage = stored(
        [SaveTrial(trial(0, 0)), TunerNote(Kind.ASKED, 1, (0,)), TunerNote(Kind.PROPOSED, 0, (0,), "trial0")],
        [TunerNote(Kind.ASKED, 2, (1,))],
        [TunerNote(Kind.FINAL_RESULT, 3, (), "trial0"), TunerNote(Kind.TRIAL_END, 4, (), "trial0")],
        [TunerNote(Kind.ASKED, 5, (2,))],
        [TunerNote(Kind.PROPOSED, 0, (1,), "", 1), TunerNote(Kind.PROPOSED, 0, (2,), "", 2)],
    )
    entries, open_calls, _ = read(tuner_history(storage))
    assert [getattr(entry, "number", None) for entry in entries] == [1, None, 2, None, 3, 4, 5, None]
    assert open_calls == []


def test_an_open_request_and_what_follows_is_told_again() -> None:
    storage = stored(
        [SaveTrial(trial(0, 0)), TunerNote(Kind.ASKED, 1, (0,)), TunerNote(Kind.PROPOSED, 0, (0,), "trial0")],
        [TunerNote(Kind.ASKED, 2, (1, 2, 3))],
        [TunerNote(Kind.FINAL_RESULT, 3, (), "trial0"), TunerNote(Kind.ASKED, 4, (4,))],
        [TunerNote(Kind.PROPOSED, 0, (1,), "", 1)],
    )
    history = tuner_history(storage)
    entries, open_calls, last = read(history)
    assert entries[2:] == [RequestParameters(2, (1, 2, 3)), proposed(1, 1)]
    assert open_calls == [
        RequestParameters(2, (2, 3)),
        TellFinalResult(3, "trial0", 0, {"x": 0}, {"default": 0}, customized=False),
        RequestParameters(4, (4,)),
    ]
    assert (last, history.last_closed_number) == (4, 1)


def test_withdrawn_ids_are_not_told_again() -> None:
    storage = stored(
        [TunerNote(Kind.ASKED, 1, (0, 1)), TunerNote(Kind.ASKED, 2, (2,))],
        [TunerNote(Kind.PROPOSED, 0, (0,), "", "known")],
        [TunerNote(Kind.WITHDRAWN, 0, (1, 2))],
    )
    entries, open_calls, last = read(tuner_history(storage))
    assert entries == [RequestParameters(1, (0, 1)), proposed(0, "known"), RequestParameters(2, (2,))]
    assert (open_calls, last) == ([], 2)


def changed(number: int, before: Any, after: Any) -> list[Any]:
    return [TunerNote(Kind.SEARCH_SPACE, 0, data=before), TunerNote(Kind.SEARCH_SPACE, number, data=after)]


def test_the_search_space_of_the_beginning_and_its_changes() -> None:
    storage = stored(
        [TunerNote(Kind.ASKED, 1, (0,)), TunerNote(Kind.PROPOSED, 0, (0,), "", 0)],
        # Told as call 2, which was noted only when the tuner had taken it.
        [SaveTrial(trial(0, 0)), TunerNote(Kind.FINAL_RESULT, 3, (), "trial0")],
        [TunerNote(Kind.TRIAL_END, 4, (), "trial0"), *changed(2, "first", "second")],
        changed(5, "second", "third"),
        space="third",
    )
    history = tuner_history(storage)
    entries, open_calls, _ = read(history)
    assert history.first_search_space == "first"
    assert [getattr(entry, "number", None) for entry in entries] == [1, None, 2, 3, 4, 5]
    assert [entry.search_space for entry in entries if isinstance(entry, TellSearchSpace)] == [
        "second",
        "third",
    ]
    assert open_calls == []
    assert list(tuner_history(storage, "third").entries) == entries
    assert list(tuner_history(storage, "fourth").entries) == [*entries, TellSearchSpace(0, "fourth")]


def test_a_late_change_among_open_calls() -> None:
    storage = stored(
        [TunerNote(Kind.ASKED, 1, (0,))],
        [SaveTrial(trial(0, None)), TunerNote(Kind.FINAL_RESULT, 3, (), "trial0")],
        changed(2, "first", "second"),
    )
    history = tuner_history(storage)
    assert list(history.entries) == []
    assert [call.number for call in history.open_calls] == [1, 2, 3]  # type: ignore[union-attr]
    storage = stored(
        [SaveTrial(trial(0, None)), TunerNote(Kind.FINAL_RESULT, 2, (), "trial0")],
        [TunerNote(Kind.ASKED, 3, (0,))],
        changed(1, "first", "second"),
    )
    history = tuner_history(storage)
    assert [entry.number for entry in history.entries] == [1, 2]  # type: ignore[union-attr]
    assert history.open_calls == (RequestParameters(3, (0,)),)


def test_a_space_that_never_changed_is_that_of_the_record() -> None:
    storage = stored([TunerNote(Kind.ASKED, 1, (0,))])
    assert tuner_history(storage).first_search_space == SPACE


def test_notes_that_come_meanwhile_are_left_for_the_next_time() -> None:
    storage = stored([TunerNote(Kind.ASKED, 1, (0,)), TunerNote(Kind.PROPOSED, 0, (0,), "", 0)])
    history = tuner_history(storage)
    storage.commit([SaveTunerNotes((TunerNote(Kind.ASKED, 2, (1,)), TunerNote(Kind.REFUSED, 0, (1,))))])
    assert len(list(history.entries)) == 2
    assert len(list(tuner_history(storage).entries)) == 4


def test_pages_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[list[Any]] = []
    for number in range(20):
        asked, came = TunerNote(Kind.ASKED, 2 * number + 1, (number,)), SaveTrial(trial(number, number))
        batches.append([asked])
        batches.append([came, TunerNote(Kind.PROPOSED, 0, (number,), f"trial{number}")])
        batches.append([result(f"trial{number}", index, index) for index in range(3)])
        batches.append([TunerNote(Kind.TRIAL_END, 2 * number + 2, (), f"trial{number}")])
    storage = stored(*batches)
    whole = read(tuner_history(storage)), list(assessor_history(storage).entries)
    assert len(whole[0][0]) == 60
    monkeypatch.setattr(algorithm_history, "_PAGE", 3)
    assert (read(tuner_history(storage)), list(assessor_history(storage).entries)) == whole


class Unreadable(MemoryStorage):
    is_broken = False

    def tuner_notes(self, after_row: int = 0, limit: int = 10_000) -> list[Any]:
        if self.is_broken:
            raise StorageError("the disk is gone")
        return super().tuner_notes(after_row, limit)


def test_a_record_that_cannot_be_read_any_more() -> None:
    storage = Unreadable()
    storage.commit([SaveTunerNotes((TunerNote(Kind.ASKED, 1, (0,)),))])
    history = tuner_history(storage)
    storage.is_broken = True
    with pytest.raises(AlgorithmError, match="the history of the tuner cannot be read: the disk is gone"):
        list(history.entries)


@given(data=st.data(), count=st.integers(1, 12))
def test_whatever_was_answered_when_each_call_is_there_once_and_in_order(
    data: st.DataObject, count: int
) -> None:
    """A tuner that takes one call after the other, its answers noted some time later."""
    notes: list[TunerNote] = []
    unanswered: list[tuple[int, ...]] = []
    next_id = 0
    for number in range(1, count + 1):
        ids = tuple(range(next_id, next_id + data.draw(st.integers(1, 3))))
        next_id = ids[-1] + 1
        notes.append(TunerNote(Kind.ASKED, number, ids))
        unanswered.append(ids)
        for _ in range(data.draw(st.integers(0, len(unanswered)))):
            done = unanswered.pop(0)
            notes += [TunerNote(Kind.PROPOSED, 0, (parameter_id,), "", parameter_id) for parameter_id in done]
    history = tuner_history(stored(list(notes)))
    open_ids = {parameter_id for ids in unanswered for parameter_id in ids}
    told = [entry for entry in history.entries if isinstance(entry, RequestParameters)]
    assert [call.number for call in [*told, *history.open_calls]] == list(range(1, count + 1))  # type: ignore[union-attr]
    answered = [entry.parameter_id for entry in history.entries if isinstance(entry, ParametersProposed)]
    assert answered == [parameter_id for parameter_id in range(next_id) if parameter_id not in open_ids]
    assert {id_ for call in history.open_calls for id_ in call.parameter_ids} == open_ids  # type: ignore[union-attr]


def result(trial_id: str, index: int, value: Any, *, attempt: int = 0, late: bool = False) -> SaveMetrics:
    metric = MetricRecord(trial_id, attempt, MetricKind.INTERMEDIATE, index, value, 0.0, late)
    final = MetricRecord(trial_id, attempt, MetricKind.FINAL, index, "final", 0.0, late)
    return SaveMetrics(trial_id, attempt, (metric, final), {}, None)


def told(trial_id: str, index: int, value: Any) -> TellIntermediateResult:
    return TellIntermediateResult(trial_id, None, index, value)


def test_an_experiment_without_trials_has_no_history() -> None:
    assert tuner_history(stored()) == assessor_history(stored()) == NO_HISTORY


def test_the_history_of_an_assessor_has_results_and_ends_in_the_order_stored() -> None:
    ended = trial(0, 0)
    running = trial(1, 1, status=TrialStatus.RUNNING, attempt=1)
    storage = stored(
        [SaveTrial(ended), SaveTrial(running), result("trial0", 0, "a")],
        [result("trial1", 0, "dead")],
        [
            TunerNote(Kind.FINAL_RESULT, 1, (), "trial0"),
            TunerNote(Kind.TRIAL_END, 2, (), "trial0"),
            result("trial0", 1, "b"),
        ],
        [result("trial0", 2, "late", late=True)],
        [result("trial1", 0, "again", attempt=1)],
    )
    history = assessor_history(storage)
    storage.commit([result("trial1", 1, "more", attempt=1)])
    assert list(history.entries) == [
        told("trial0", 0, "a"),
        told("trial1", 0, "dead"),
        told("trial0", 1, "b"),
        TellTrialEnd(2, "trial0", 0, TrialStatus.SUCCEEDED),
        told("trial1", 0, "again"),
    ]
    assert (history.open_calls, history.last_number) == ((), 0)
    assert len(list(assessor_history(storage).entries)) == 6
