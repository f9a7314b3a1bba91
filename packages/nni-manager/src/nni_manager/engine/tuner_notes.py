"""How calls to the tuner are written down in its history."""

from __future__ import annotations

from nni_manager.engine.effects import (
    RequestParameters,
    TellFinalResult,
    TellImportedTrials,
    TellIntermediateResult,
    TellSearchSpace,
    TellTrialEnd,
    TunerCall,
)
from nni_manager.engine.records import TunerNote
from nni_manager.engine.statuses import TunerNoteKind


def note_of(call: TunerCall) -> TunerNote:
    """Returns the note of a call. What the trial's record has is not repeated in it."""
    match call:
        case RequestParameters():
            return TunerNote(TunerNoteKind.ASKED, call.number, call.parameter_ids)
        case TellFinalResult():
            result = {"value": call.value} if call.stands_in else None
            return TunerNote(TunerNoteKind.FINAL_RESULT, call.number, trial_id=call.trial_id, data=result)
        case TellIntermediateResult():
            data = {"index": call.index, "value": call.value}
            return TunerNote(
                TunerNoteKind.INTERMEDIATE_RESULT, call.number, trial_id=call.trial_id, data=data
            )
        case TellTrialEnd():
            return TunerNote(TunerNoteKind.TRIAL_END, call.number, trial_id=call.trial_id)
        case TellSearchSpace():
            return TunerNote(TunerNoteKind.SEARCH_SPACE, call.number, data=call.search_space)
        case TellImportedTrials():
            return TunerNote(TunerNoteKind.IMPORTED, call.number, data=list(call.trials))
