"""The facts about an experiment that are stored and shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nni_manager.engine.statuses import (
    Actor,
    ExperimentStatus,
    MetricKind,
    ParameterSource,
    TrialStatus,
    TunerNoteKind,
)


@dataclass(frozen=True, slots=True)
class EndReason:
    """Who ended a trial or an experiment, and why.

    Attributes:
        actor: Who.
        message: Why, in a sentence.
        exit_code: The exit code of the trial's command, None when a signal ended it.
        signal: The number of the signal that ended the trial's command.
        stderr_tail: The last lines that a failed trial wrote to stderr.
    """

    actor: Actor
    message: str
    exit_code: int | None = None
    signal: int | None = None
    stderr_tail: str = ""


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """A trial.

    Attributes:
        trial_id: Its id, unique within the experiment.
        sequence_number: Its number within the experiment, from 0.
        status: Where it is in its life.
        attempt: Which run of the trial this is, from 0.
        parameter_id: The tuner's number for its parameters, None for customized ones.
        parameter_source: Where its parameters came from.
        parameters: Its parameters, any JSON value.
        created_at: When it was created.
        started_at: When its process started.
        ended_at: When it ended.
        end_reason: Who ended it and why, once it has ended.
        waiting_reason: Why it waits, while it does.
        has_final_result: Whether it reported a final result.
        final_result: The first final result as reported; later ones are stored and change nothing.
        objective: The number in the final result that views rank by; None when there is none or it is NaN.
        submitted: Whether this attempt was handed to the training service; others wait for a free slot.
        cancel_reason: Who wants this attempt stopped and why, None when nobody does. Once the trial has ended
            `end_reason` says the same.
        earlier_ends: How the attempts before this one ended, the first one first.
        create_request_id: The request that created a customized trial, "" for others.
        host: The machine that this attempt runs on, "" before it does and where all run on this machine.
        gpus: The GPUs that were given to it, as CUDA_VISIBLE_DEVICES names them.
    """

    trial_id: str
    sequence_number: int
    status: TrialStatus
    attempt: int
    parameter_id: int | None
    parameter_source: ParameterSource
    parameters: Any
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    end_reason: EndReason | None = None
    waiting_reason: str = ""
    has_final_result: bool = False
    final_result: Any = None
    objective: float | None = None
    submitted: bool = False
    cancel_reason: EndReason | None = None
    earlier_ends: tuple[EndReason, ...] = ()
    create_request_id: str = ""
    host: str = ""
    gpus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TunerNote:
    """One entry of the history of the tuner: what it was told and what it answered, in order.

    A note is stored in the same batch as what it goes with, and before the tuner is told. Calls made while
    the experiment ends are only noted, so that the tuner hears of them once it is made anew. Parameters and
    results that a trial's record has are not repeated here.

    ASKED: `parameter_ids` were asked for by call `number`. `data` is {"initial": index} where the tuner is to
        complete those initial parameters, None otherwise.
    PROPOSED: parameters came under the one id in `parameter_ids`. `trial_id` is the trial made of them, ""
        when none might be created; `data` has the parameters then, and where the trial has others than were
        proposed. Once a trial is made of them all the same, another note with it follows.
    REFUSED: the tuner had no parameters for `parameter_ids`; it still owes them.
    WITHDRAWN: the experiment ended, and `parameter_ids`, which had no answer, are not expected any more.
    FINAL_RESULT: the first final result of `trial_id` was told by call `number`. Where the trial failed
        without one, `data` is {"value": ...} with what the tuner was told instead.
    INTERMEDIATE_RESULT: the result {"index": ..., "value": ...} in `data` of `trial_id` was told by call
        `number`. There are none for a tuner that does not want to hear them.
    TRIAL_END: the end of `trial_id` was told by call `number`.
    SEARCH_SPACE: the search space in `data` was told by call `number`. Just before it a note with number 0
        has the one that held until then. Calls of higher numbers that stand before it were told after it.
    IMPORTED: results from elsewhere, `data` is [{"parameter": ..., "value": ...}, ...], were told by call
        `number`.

    Attributes:
        kind: What the note is about.
        number: The number of the call to the tuner, 0 for what the tuner answered.
        parameter_ids: The ids it is about.
        trial_id: The trial it is about, "" for none.
        data: What else is to be known; None for nothing.
    """

    kind: TunerNoteKind
    number: int = 0
    parameter_ids: tuple[int, ...] = ()
    trial_id: str = ""
    data: Any = None


@dataclass(frozen=True, slots=True)
class MetricRecord:
    """A stored result.

    Attributes:
        trial_id: The trial that reported it.
        attempt: Which run of the trial reported it.
        kind: Intermediate or final.
        index: Its index among the trial's results of this kind, from 0.
        value: The value as reported, any JSON value, NaN and infinities included.
        reported_at: When the trial reported it.
        late: Whether the trial had already ended.
    """

    trial_id: str
    attempt: int
    kind: MetricKind
    index: int
    value: Any
    reported_at: float
    late: bool = False


@dataclass(frozen=True, slots=True)
class ExperimentOrigin:
    """What an experiment was made of, so that it can be made again.

    Attributes:
        git_commit: The commit that the code's repository is at, "" when it is not known.
        git_is_dirty: Whether tracked files differ from the commit, None when that is not known.
        code_hash: The hash of the code folder's files, "" when it is not known.
        package_versions: The versions of Python and of the packages beside the manager, by name.
        seed: The seed of the tuner's random numbers, None when it has none or it is not known.
    """

    git_commit: str = ""
    git_is_dirty: bool | None = None
    code_hash: str = ""
    package_versions: dict[str, str] = field(default_factory=dict)
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class ExperimentRecord:
    """An experiment.

    Attributes:
        experiment_id: Its id.
        status: Where it is in its life.
        config: Its configuration in the YAML form (camelCase keys), secrets left out.
        optimize_mode: "maximize" or "minimize".
        created_at: When it was created.
        started_at: When it was first started.
        ended_at: When it ended, None while it has not.
        running_seconds: How long it has run up to `running_since`, time stopped not counted.
        running_since: Since when it runs, None while it does not.
        end_reason: Why it ended, or why no new trial starts.
        errors: What went wrong, in full, the newest last.
        next_sequence_number: The number of the next trial.
        next_parameter_id: The id of the next request for parameters.
        create_request_id: The request that created it.
        origin: What it was made of; all but the seed is known some time after its start.
        warnings: What a person is to know of it although nothing failed, the newest last.
        paused: Whether it is paused: running trials finish, and no new one starts.
        initial_count: How many of the initial parameters in the configuration have become trials, or are
            being completed by the tuner.
        import_request_ids: The requests whose results were imported, the newest last.
    """

    experiment_id: str
    status: ExperimentStatus
    config: dict[str, Any]
    optimize_mode: str
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    running_seconds: float = 0.0
    running_since: float | None = None
    end_reason: EndReason | None = None
    errors: tuple[str, ...] = ()
    next_sequence_number: int = 0
    next_parameter_id: int = 0
    create_request_id: str = ""
    origin: ExperimentOrigin = field(default_factory=ExperimentOrigin)
    warnings: tuple[str, ...] = ()
    paused: bool = False
    initial_count: int = 0
    import_request_ids: tuple[str, ...] = ()
