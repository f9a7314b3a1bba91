"""What every storage keeps of attempts, of requests and of the tuner's history, as tests."""

# ruff: noqa: D102 - the names of the tests say what they hold.
from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import pytest

from nni_manager.engine.effects import SaveExperiment, SaveTrial, SaveTunerNotes
from nni_manager.engine.records import EndReason, TunerNote
from nni_manager.engine.statuses import Actor, MetricKind, TrialStatus, TunerNoteKind
from nni_manager.storage.interface import BatchRefusedError, ReportPosition, Storage, StoredTunerNote
from nni_manager.testing.storage import EXPERIMENT, as_told, metric, results, trial

_NOTES = (
    TunerNote(TunerNoteKind.ASKED, 1, (0, 1, 2)),
    TunerNote(TunerNoteKind.PROPOSED, 0, (0,), "t0000"),
    TunerNote(TunerNoteKind.PROPOSED, 0, (1,), "", {"x": math.nan, "a": [1.0, 1, None]}),
    TunerNote(TunerNoteKind.REFUSED, 0, (2,)),
    TunerNote(TunerNoteKind.WITHDRAWN, 0, (2,)),
    TunerNote(TunerNoteKind.FINAL_RESULT, 2, (), "t0000"),
    TunerNote(TunerNoteKind.TRIAL_END, 3, (), "t0000"),
    TunerNote(TunerNoteKind.SEARCH_SPACE, 4, (), "", {}),
    TunerNote(TunerNoteKind.IMPORTED, 2**40, (), "", [{"parameter": {"\ud800": 1}, "value": -math.inf}]),
    TunerNote(TunerNoteKind.TRIAL_END, 0, (), "nobody"),
)


class HistoryContract:
    """Rule 9 of nni_manager.storage.interface, and what a resume reads; `storage` is made by who inherits."""

    def test_an_empty_storage_has_no_history(self, storage: Storage) -> None:
        assert storage.tuner_notes() == []
        assert storage.committed_at() is None
        assert storage.trial_of_request("") is None
        assert storage.trial_of_request("r") is None

    def test_notes_come_back_in_order_with_their_trials(self, storage: Storage) -> None:
        storage.commit([SaveTunerNotes(_NOTES[:1])])
        storage.commit([SaveTunerNotes(_NOTES[1:3]), SaveTrial(trial(0)), SaveTunerNotes(_NOTES[3:])])
        stored = storage.tuner_notes()
        assert as_told([one.note for one in stored]) == as_told(list(_NOTES))
        assert [one.row for one in stored] == list(range(1, 11))
        assert [one.revision for one in stored] == [1] + [2] * 9
        named = [one.row for one in stored if one.trial is not None]
        assert named == [2, 6, 7]
        assert stored[1].trial == stored[6].trial == trial(0)
        ended = trial(0, status=TrialStatus.SUCCEEDED, final_result=0.5)
        storage.commit([SaveTrial(ended)])
        assert storage.tuner_notes()[1].trial == ended
        assert [one.row for one in storage.tuner_notes(after_row=3, limit=4)] == [4, 5, 6, 7]
        assert storage.tuner_notes(after_row=10) == []

    def test_notes_are_copies(self, storage: Storage) -> None:
        data = {"list": [1]}
        storage.commit([SaveTunerNotes((TunerNote(TunerNoteKind.SEARCH_SPACE, 1, data=data),))])
        data["list"].append(2)
        for _ in range(2):
            (only,) = storage.tuner_notes()
            assert only == StoredTunerNote(
                TunerNote(TunerNoteKind.SEARCH_SPACE, 1, data={"list": [1]}), 1, None, 1
            )
            only.note.data["list"].append(3)

    def test_notes_of_a_refused_batch_are_not_kept(self, storage: Storage) -> None:
        bad: Any = object()
        for refused in (TunerNote(TunerNoteKind.SEARCH_SPACE, 1, data=bad),):
            with pytest.raises(BatchRefusedError):
                storage.commit([SaveTunerNotes((_NOTES[0], refused))])
        with pytest.raises(BatchRefusedError):
            storage.commit([SaveTunerNotes(_NOTES[:1]), results(7, metric(7, 0, 1))])
        assert storage.tuner_notes() == []
        assert storage.committed_at() is None
        storage.commit([SaveTunerNotes(_NOTES[:1])])
        assert [one.row for one in storage.tuner_notes()] == [1]

    def test_many_notes(self, storage: Storage) -> None:
        notes = tuple(TunerNote(TunerNoteKind.PROPOSED, 0, (number,)) for number in range(5000))
        storage.commit([SaveTunerNotes(notes)])
        storage.commit([SaveTunerNotes(notes)])
        stored = storage.tuner_notes(limit=20_000)
        assert [one.note for one in stored] == [*notes, *notes]
        assert [one.row for one in stored] == list(range(1, 10_001))

    def test_the_time_of_the_last_commit_is_kept(self, storage: Storage) -> None:
        before = time.time()
        storage.commit([SaveExperiment(EXPERIMENT)])
        first = storage.committed_at()
        assert first is not None
        assert before <= first <= time.time()
        storage.commit([])
        assert storage.committed_at() == first
        storage.commit([SaveTrial(trial(0))])
        second = storage.committed_at()
        assert second is not None
        assert second >= first

    def test_the_life_of_an_experiment_comes_back_as_saved(self, storage: Storage) -> None:
        record = replace(EXPERIMENT, paused=True, initial_count=3, import_request_ids=("a", "\u00e9"))
        storage.commit([SaveExperiment(record)])
        assert storage.experiment() == record
        storage.commit([SaveExperiment(EXPERIMENT)])
        assert storage.experiment() == EXPERIMENT

    def test_the_life_of_a_trial_comes_back_as_saved(self, storage: Storage) -> None:
        reason = EndReason(Actor.USER, "canceled \u00e9")
        killed = EndReason(Actor.TRIAL, "killed", None, 9, "line\n\ud800")
        lost = EndReason(Actor.PLATFORM, "lost")
        full = trial(
            0,
            attempt=2,
            submitted=True,
            cancel_reason=reason,
            earlier_ends=(killed, lost),
            create_request_id="r",
        )
        storage.commit([SaveTrial(full)])
        stored = storage.trial("t0000")
        assert stored is not None
        assert as_told(stored.record) == as_told(full)
        storage.commit([SaveTrial(trial(0))])
        stored = storage.trial("t0000")
        assert stored is not None
        assert stored.record == trial(0)

    def test_a_trial_is_found_by_the_request_that_created_it(self, storage: Storage) -> None:
        storage.commit([SaveTrial(trial(number)) for number in range(3)])
        storage.commit(
            [SaveTrial(trial(3, create_request_id="r")), SaveTrial(trial(4, create_request_id="q"))]
        )
        found = storage.trial_of_request("r")
        assert found is not None
        assert found.record.sequence_number == 3
        assert storage.trial_of_request("") is None
        assert storage.trial_of_request("other") is None

    def test_the_results_shown_with_a_trial_are_those_of_its_present_attempt(self, storage: Storage) -> None:
        storage.commit([SaveTrial(trial(0)), results(0, metric(0, 0, "a"), metric(0, 1, "b"), offset=9, r=1)])
        storage.commit([SaveTrial(trial(0, attempt=1))])
        stored = storage.trial("t0000")
        assert stored is not None
        assert (stored.intermediate_count, stored.latest_intermediate) == (0, None)
        assert storage.report_position("t0000", 1) == ReportPosition(0, 0, {}, 0)
        storage.commit(
            [results(0, metric(0, 0, "c", attempt=1), metric(0, 0, 1, attempt=1, kind=MetricKind.FINAL))]
        )
        stored = storage.trial("t0000")
        assert stored is not None
        assert (stored.intermediate_count, stored.latest_intermediate) == (1, "c")
        assert storage.report_position("t0000", 0) == ReportPosition(2, 0, {"r": 1}, 9)
        assert storage.report_position("t0000", 1) == ReportPosition(1, 1, {}, 0)
        storage.commit([results(0, metric(0, 2, "late"))])
        stored = storage.trial("t0000")
        assert stored is not None
        assert (stored.intermediate_count, stored.latest_intermediate) == (1, "c")
        assert [one.record.value for one in storage.metrics("t0000")] == ["a", "b", "c", 1, "late"]
        assert [one.record.sequence_number for one in storage.trials_changed_after(3)] == [0]
