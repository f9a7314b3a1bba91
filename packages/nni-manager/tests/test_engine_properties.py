"""Whatever happens in whatever order, crashes included, the engine keeps its promises."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from nni_manager.engine import events
from nni_manager.engine.clock import HEARTBEAT_SECONDS
from nni_manager.engine.effects import (
    AcknowledgeReports,
    AdoptTrial,
    CancelTrial,
    RequestParameters,
    SaveExperiment,
    SaveTrial,
    SubmitTrial,
    ToTuner,
)
from nni_manager.engine.engine import Engine, StepResult
from nni_manager.engine.limits import Limits
from nni_manager.engine.records import ExperimentOrigin, ExperimentRecord, TrialRecord
from nni_manager.engine.statuses import (
    Actor,
    ExperimentStatus,
    MetricKind,
    ParameterSource,
    TrialStatus,
    TunerNoteKind,
)
from nni_manager.storage.memory import MemoryStorage
from nni_manager.storage.restoring import restored_experiment

ENDED = (ExperimentStatus.DONE, ExperimentStatus.STOPPED, ExperimentStatus.ERROR)
SPACE = {"x": {"_type": "uniform", "_value": [0, 1]}, "y": {"_type": "choice", "_value": [1, 2]}}
INITIAL = [[], [{"x": 1, "y": 1}, {"y": 2}, {"x": 3, "y": 1}], [{"y": 7}, {"x": 8}]]
KINDS = st.sampled_from([MetricKind.INTERMEDIATE] * 3 + [MetricKind.FINAL])
BEFORE_COMMIT = -1


@dataclass
class Process:
    """One attempt of a trial where it runs, and what the manager that watches it has not heard of it yet."""

    log: list[Any] = field(default_factory=list)
    news: deque[Any] = field(default_factory=deque)
    is_watched: bool = True
    is_canceled: bool = False
    has_started: bool = False
    has_ended: bool = False

    def add(self, event: Any) -> None:
        self.log.append(event)
        self.news.append(event)


class World(RuleBasedStateMachine):
    """An engine with a world around it: a tuner that answers late or refuses, processes that do anything.

    At any moment the engine may be lost, with what it was told and has not stored, and with some of what it
    has stored but not done. Another one goes on from the record.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.storage = MemoryStorage()
        self.processes: dict[tuple[str, int], Process] = {}
        self.calls: deque[tuple[int, tuple[int, ...]]] = deque()
        self.space_change: int | None = None
        self.is_resuming = False
        self.crash_plan: int | None = None
        self.committed_at = self.now
        self.ran = 0.0
        self.crashes = 0
        self.values = 0

    @initialize(
        concurrency=st.integers(1, 4),
        max_trials=st.none() | st.integers(5, 12),
        max_seconds=st.none() | st.none() | st.floats(1, 50),
        trial_seconds=st.none() | st.floats(1, 20),
        stop=st.booleans(),
        early=st.sampled_from([False, False, True]),
        retries=st.integers(0, 2),
        max_failed=st.none() | st.none() | st.integers(1, 4),
        initial=st.sampled_from(INITIAL),
        hears=st.booleans(),
        failed_result=st.sampled_from([None, "worst", -1.5]),
    )
    def begin(
        self,
        concurrency,
        max_trials,
        max_seconds,
        trial_seconds,
        stop,
        early,
        retries,
        max_failed,
        initial,
        hears,
        failed_result,
    ):
        self.who_hears = {"has_assessor": True, "tuner_hears_results": hears}
        limits = Limits(
            concurrency,
            max_trials,
            max_seconds,
            trial_seconds,
            stop,
            early,
            retries,
            max_failed,
            failed_result,
        )
        config = {"searchSpace": SPACE, "initialParameters": initial, "limits": asdict(limits)}
        record = ExperimentRecord("exp", ExperimentStatus.INITIALIZED, config, "maximize", self.now)
        self.storage.commit([SaveExperiment(record)])
        self.engine = Engine(record, limits, **self.who_hears)
        self.absorb(self.engine.start(self.now))

    @property
    def state(self):
        return self.engine.state

    @property
    def status(self):
        return self.state.experiment.status

    def records(self):
        return [stored.record for stored in self.storage.trials()]

    def notes(self):
        return [stored.note for stored in self.storage.tuner_notes()]

    def tell(self, *happened):
        """Tells the engine something; returns whether what it made of it was stored."""
        result = self.engine.step(happened, self.now)
        if self.crash_plan == BEFORE_COMMIT:
            self.restart()
            return False
        self.absorb(result)
        return True

    def absorb(self, result: StepResult) -> None:
        for write in result.writes:
            if isinstance(write, SaveTrial):
                before = self.storage.trial(write.record.trial_id)
                assert before is None or not before.record.status.is_final, "a final state was left"
        self.storage.commit(result.writes)
        self.committed_at = self.now if result.writes else self.committed_at
        plan = self.crash_plan
        for action in result.actions if plan is None else result.actions[:plan]:
            self.act(action)
        if plan is not None:
            self.restart()
        elif self.status is ExperimentStatus.DONE:
            assert not self.calls, "over before the tuner has answered everything"

    def act(self, action) -> None:
        match action:
            case SubmitTrial():
                assert self.is_resuming or not self.state.experiment.paused, "started while paused"
                self.watch((action.trial_id, action.attempt), 0, may_start=True)
                alive = [key for key in self.processes if not self.end_is_known(key)]
                assert len(alive) <= self.state.limits.trial_concurrency, "beyond the concurrency"
            case AdoptTrial():
                self.watch((action.trial_id, action.attempt), action.acknowledged_offset, may_start=False)
            case CancelTrial():
                self.processes[action.trial_id, action.attempt].is_canceled = True
            case AcknowledgeReports():
                self.processes[action.trial_id, action.attempt]
            case ToTuner():
                ids = action.call.parameter_ids if isinstance(action.call, RequestParameters) else ()
                assert not (ids and self.state.experiment.paused), "asked while paused"
                assert not self.calls or self.calls[-1][0] < action.call.number
                self.calls.append((action.call.number, ids))

    def watch(self, key, offset, *, may_start):
        """Tells everything of a process again that is not known to be stored."""
        process = self.processes.get(key)
        if process is None:
            process = self.processes[key] = Process()
            if not may_start:
                process.has_ended = True
                process.add(events.TrialEnded(*key, self.now, problem="it never started"))
        process.is_watched, process.is_canceled = True, False
        known = offset if self.crashes % 2 else 0  # what is told again is more than has to be, at times
        process.news = deque(event for event in process.log if getattr(event, "end_offset", offset) >= known)

    def restart(self, *, seconds_later=0.0, **limits):
        """Loses the engine and goes on with another one, as a manager does."""
        self.crash_plan = None
        self.crashes += 1
        if self.storage.experiment().running_since is not None:
            self.ran -= self.now - self.committed_at
        for process in self.processes.values():
            process.is_watched = False
        self.calls.clear()
        self.space_change = None
        self.now += seconds_later
        restored = replace(restored_experiment(self.storage), alive_until=self.committed_at)
        config = restored.experiment.config
        if limits:
            config = {**config, "limits": asdict(replace(Limits(**config["limits"]), **limits))}
        self.engine = Engine.restore(restored, Limits(**config["limits"]), **self.who_hears)
        open_calls = self.open_calls()
        result = self.engine.resume(self.now, config if limits else None)
        self.absorb_after_resume(result, open_calls, restored.last_number)

    def absorb_after_resume(self, result, open_calls, last_number):
        self.calls.extend(open_calls)
        closed = open_calls[0][0] - 1 if open_calls else last_number
        self.is_resuming = True
        self.absorb(result)
        self.is_resuming = False
        if closed and self.crashes % 2:
            self.tell(events.TunerProcessed(closed, self.now))

    def open_calls(self):
        """Returns what a tuner that was made anew is told again: from the first open request on."""
        still_open = set(self.state.requests.unanswered)
        calls = [(note.number, note) for note in self.notes() if note.number]
        begin = next((i for i, (_, note) in enumerate(calls) if still_open & set(note.parameter_ids)), None)
        if begin is None:
            return []
        asked = [
            (number, tuple(one for one in note.parameter_ids if one in still_open), note.kind)
            for number, note in calls[begin:]
        ]
        return [(number, ids) for number, ids, kind in asked if ids or kind is not TunerNoteKind.ASKED]

    def end_is_known(self, key):
        """Whether the end of an attempt is stored."""
        trial_id, attempt = key
        record = self.storage.trial(trial_id).record
        return record.status.is_final or record.attempt > attempt

    def some_process(self, wanted):
        return any(wanted(one) for one in self.processes.values())

    def pick(self, data, wanted):
        return data.draw(st.sampled_from(sorted(key for key, one in self.processes.items() if wanted(one))))

    def attempts_known(self):
        return sorted({trial_id for trial_id, _ in self.processes})

    # What the world does.

    @rule(seconds=st.floats(0, 5))
    def time_passes(self, seconds):
        self.pass_time(seconds)

    @rule(seconds=st.floats(20, 200))
    def much_time_passes(self, seconds):
        self.pass_time(seconds)

    def pass_time(self, seconds):
        end = self.now + seconds
        while True:
            wakeup = self.engine.next_wakeup()
            before, self.now = self.now, end if wakeup is None else min(end, max(wakeup, self.now))
            if self.state.experiment.running_since is not None:
                self.ran += self.now - before
            if wakeup is None or wakeup > end:
                return
            self.tell(events.TimePassed(self.now))

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def tuner_deals_with_a_call(self, data):
        number, ids = self.calls.popleft()
        if number == self.space_change:
            self.take_search_space(number)
            return
        refuses = data.draw(st.integers(0, 9)) == 9
        count = data.draw(st.integers(0, len(ids))) if refuses else len(ids)
        happened = [events.ParametersProposed(one, {"x": one, "y": "own"}, self.now) for one in ids[:count]]
        if count < len(ids):
            happened.append(events.ParametersRefused(ids[count:], "no more"))
        if data.draw(st.booleans()):
            self.tell(*happened, events.TunerProcessed(number, self.now))
            return
        for event in happened:
            if not self.tell(event):
                return  # the tuner that answers is gone
        self.tell(events.TunerProcessed(number, self.now))

    def take_search_space(self, number):
        self.space_change = None
        config = {**self.state.experiment.config, "searchSpace": {**SPACE, "x": number}}
        if self.tell(events.TunerProcessed(number, self.now)):
            self.tell(events.ConfigChanged(config, self.state.limits, self.now))

    @precondition(lambda self: self.state.experiment.next_parameter_id)
    @rule(data=st.data())
    def tuner_proposes_late_or_twice(self, data):
        parameter_id = data.draw(st.integers(0, self.state.experiment.next_parameter_id))
        if any(parameter_id in ids for _, ids in self.calls):
            return
        self.tell(events.ParametersProposed(parameter_id, {"x": -1}, self.now))

    @precondition(lambda self: self.some_process(lambda one: not one.has_started and not one.has_ended))
    @rule(data=st.data())
    def process_starts(self, data):
        key = self.pick(data, lambda one: not one.has_started and not one.has_ended)
        self.start_process(key)

    def start_process(self, key):
        if not self.processes[key].has_started:
            self.processes[key].has_started = True
            self.processes[key].add(events.TrialStarted(*key, self.now))

    @precondition(lambda self: self.some_process(lambda one: not one.has_ended))
    @rule(data=st.data(), kind=KINDS, count=st.integers(1, 3), heard=st.integers(0, 4))
    def process_reports(self, data, kind, count, heard):
        key = self.pick(data, lambda one: not one.has_ended)
        self.process_reports_something(key, kind, count)
        if self.processes[key].is_watched:
            self.hear(key, heard)

    def process_reports_something(self, key, kind, count):
        self.start_process(key)
        for _ in range(count):
            self.values += 1
            report = events.Report(kind, f"{key}", self.values, self.values, self.now)
            self.processes[key].add(events.TrialReported(*key, (report,), end_offset=self.values))

    @precondition(lambda self: self.some_process(lambda one: not one.has_ended))
    @rule(data=st.data(), code=st.sampled_from([0, 0, 1, None]), signal=st.sampled_from([None, 9]))
    def process_ends(self, data, code, signal):
        key = self.pick(data, lambda one: not one.has_ended)
        self.end_process(key, code if signal is None else None, signal)

    def end_process(self, key, code=0, signal=None):
        problem = "lost" if code is None and signal is None else ""
        self.processes[key].has_ended = True
        self.processes[key].add(events.TrialEnded(*key, self.now, code, signal, problem))

    @precondition(lambda self: self.some_process(lambda one: not one.has_ended))
    @rule(data=st.data(), ends=st.lists(st.sampled_from(["ok", "killed", "lost"]), max_size=3))
    def much_happens(self, data, ends):
        """Every process reports, some end, everything is heard of, and the tuner answers."""
        for key in [key for key, process in self.processes.items() if not process.has_ended]:
            self.process_reports_something(key, data.draw(KINDS), 1)
            how = ends.pop() if ends else "goes on"
            if how != "goes on":
                self.end_process(key, 0 if how == "ok" else None, 9 if how == "killed" else None)
            if self.processes[key].is_watched:
                self.hear(key, 9)
        for _ in range(len(self.calls)):
            if self.calls:  # a crash may lose them
                self.tuner_deals_with_a_call(data)

    @precondition(lambda self: self.some_process(lambda one: one.is_watched and one.news))
    @rule(data=st.data())
    def news_of_a_process_come(self, data):
        key = self.pick(data, lambda one: one.is_watched and one.news)
        self.hear(key, data.draw(st.integers(1, 4)))

    def hear(self, key, count):
        news = self.processes[key].news
        news = [news.popleft() for _ in range(min(count, len(news)))]
        self.tell(*[replace(one, at=self.now) if hasattr(one, "at") else one for one in news])

    @precondition(lambda self: self.processes)
    @rule(data=st.data())
    def user_cancels(self, data):
        trial_id = data.draw(st.sampled_from([*sorted(one.trial_id for one in self.records()), "none"]))
        is_active = trial_id in self.state.active  # after a crash it may be one that was not
        if self.tell(events.CancelRequested(trial_id, self.now)) and is_active:
            record = self.storage.trial(trial_id).record
            assert record.status.is_final or record.cancel_reason is not None

    @precondition(lambda self: self.processes)
    @rule(data=st.data())
    def assessor_judges(self, data):
        trial_id = data.draw(st.sampled_from(self.attempts_known()))
        self.tell(events.TrialJudgedBad(trial_id, "bad", self.now))

    @rule(message=st.sampled_from(["first", "second"]))
    def something_is_found_out(self, message):
        warnings = self.state.experiment.warnings
        origin = ExperimentOrigin(code_hash=message)
        if self.tell(events.OriginFound(origin), events.WarningRaised(message)):
            assert self.state.experiment.origin == origin
            found = self.state.experiment.warnings
            assert found == (warnings if message in warnings else (*warnings, message))

    @precondition(lambda self: self.status not in ENDED and self.space_change is None)
    @rule()
    def user_changes_the_search_space(self):
        """The tuner is told beside the engine, which hears of it when the tuner has taken it."""
        self.space_change = self.engine.reserve_call_number()
        self.calls.append((self.space_change, ()))

    @rule(concurrency=st.integers(1, 4), max_trials=st.none() | st.integers(1, 15))
    def user_changes_the_limits(self, concurrency, max_trials):
        if concurrency < self.state.limits.trial_concurrency:
            return  # lowering leaves more running than allowed; tested apart
        limits = replace(self.state.limits, trial_concurrency=concurrency, max_trial_number=max_trials)
        config = {**self.state.experiment.config, "limits": asdict(limits)}
        self.tell(events.ConfigChanged(config, limits, self.now))

    @rule(request_id=st.sampled_from("abcdef"))
    def user_wants_a_trial(self, request_id):
        before = self.storage.trial_of_request(request_id)
        if before is not None:
            assert self.engine.trial_with_request(request_id) in (None, before.record.trial_id)
            return
        refused = self.engine.why_no_trial(self.now)
        wanted = events.TrialRequested({"x": 0, "y": request_id}, request_id, self.now)
        if self.tell(wanted, wanted):
            assert (self.storage.trial_of_request(request_id) is None) == (refused is not None)

    @rule(request_id=st.sampled_from("abc"))
    def user_imports(self, request_id):
        trials = ({"parameter": {"x": 1}, "value": request_id},)
        wanted = events.TrialsImported(trials, request_id)
        self.tell(wanted, wanted)

    @rule()
    def user_pauses(self):
        self.tell(events.PauseRequested(self.now))

    @rule()
    def user_unpauses(self):
        self.tell(events.UnpauseRequested(self.now))
        assert not self.state.experiment.paused or not self.state.is_open or self.crashes

    @precondition(lambda self: self.state.experiment.next_parameter_id > 2)
    @rule(by_user=st.booleans())
    def stop(self, by_user):
        self.tell(events.StopRequested(by_user, "stop", self.now))

    @precondition(lambda self: self.state.experiment.next_parameter_id > 2)
    @rule()
    def tuner_fails(self):
        self.tell(events.AlgorithmFailed("tuner", "boom", "Traceback ...", self.now))

    @precondition(lambda self: self.state.experiment.next_parameter_id > 2)
    @rule()
    def training_service_fails(self):
        self.tell(events.TrainingServiceFailed("gone", self.now))
        if self.status is ExperimentStatus.ERROR:
            for process in self.processes.values():
                process.is_watched = False

    @rule(actions=st.integers(BEFORE_COMMIT, 3))
    def crash_at_the_next_chance(self, actions):
        self.crash_plan = actions

    @rule(seconds=st.sampled_from([0.0, 0.0, 1000.0]), more=st.booleans())
    def crash_now(self, seconds, more):
        raised = {"max_trial_number": (self.state.limits.max_trial_number or 0) + 3} if more else {}
        self.restart(seconds_later=seconds, **raised)

    # What is always true.

    @invariant()
    def promises_hold(self):
        if not hasattr(self, "engine"):
            return
        self.check_trials()
        self.check_notes()
        self.check_results_of_failures()
        state = self.state
        assert state.experiment == self.storage.experiment()
        unfinished = {one.trial_id: one for one in self.records() if not one.status.is_final}
        if self.status in (*ENDED, ExperimentStatus.STOPPING):
            # Those that had no slot wait for a resume.
            unfinished = {one: record for one, record in unfinished.items() if not waits_for_resume(record)}
        if self.status in ENDED:
            assert all(one.status is TrialStatus.UNKNOWN for one in unfinished.values())
        else:
            assert {one: trial.record for one, trial in state.active.items()} == unfinished
        if state.waiting:
            full = state.submitted_count >= state.limits.trial_concurrency
            assert full or state.experiment.paused, "a trial waits for nothing"
        assert abs(self.ran - state.running_seconds(self.now)) < 1e-6, "the clock is wrong"
        assert self.now - self.committed_at <= HEARTBEAT_SECONDS or state.experiment.running_since is None
        for trial in state.active.values():
            process = self.processes.get((trial.record.trial_id, trial.record.attempt))
            if trial.cancel_reason is not None and process is not None:
                assert process.is_canceled, "a trial that is to stop was not told so"
        if self.status in ENDED:
            assert not state.active and not state.requests.unanswered
            assert state.experiment.ended_at is not None and state.experiment.running_since is None
        else:
            assert (state.experiment.running_since is None) == state.experiment.paused
            self.check_that_something_is_to_come()

    def check_trials(self):
        records = self.records()
        assert [one.sequence_number for one in records] == list(range(len(records)))
        ids = [one.parameter_id for one in records if one.parameter_id is not None]
        assert len(ids) == len(set(ids)), "two trials of one parameter id"
        requests = [one.create_request_id for one in records if one.create_request_id]
        assert len(requests) == len(set(requests)), "two trials of one request"
        assert self.state.failed_count == sum(one.status is TrialStatus.FAILED for one in records)
        initial = [one for one in records if one.parameter_source is ParameterSource.INITIAL]
        for one, given in zip(initial, self.state.initial_parameters, strict=False):
            assert given.items() <= one.parameters.items() and one.parameters.keys() >= SPACE.keys()
            assert (one.parameter_id is None) == (given.keys() == SPACE.keys())
        assert self.state.experiment.initial_count - len(initial) == (self.state.initial_request is not None)
        for one in records:
            assert len(one.earlier_ends) == one.attempt
            failures = [end for end in one.earlier_ends if end.actor in (Actor.TRIAL, Actor.PLATFORM)]
            assert len(failures) <= self.state.limits.max_trial_retries
            if one.status.is_final:
                assert one.ended_at is not None and one.end_reason is not None and one.cancel_reason is None
            elif one.status is TrialStatus.WAITING:
                assert one.waiting_reason

    def check_notes(self):
        notes = self.notes()
        numbers = [
            note.number for note in notes if note.number and note.kind is not TunerNoteKind.SEARCH_SPACE
        ]
        assert numbers == sorted(set(numbers)), "calls are noted twice or out of order"
        asked = [one for note in notes if note.kind is TunerNoteKind.ASKED for one in note.parameter_ids]
        assert asked == list(range(self.state.experiment.next_parameter_id)), "an id was asked for twice"
        withdrawn = [
            one for note in notes if note.kind is TunerNoteKind.WITHDRAWN for one in note.parameter_ids
        ]
        proposals = [note for note in notes if note.kind is TunerNoteKind.PROPOSED]
        closed = Counter([*withdrawn, *(note.parameter_ids[0] for note in proposals if note.trial_id)])
        held = [note.parameter_ids[0] for note in proposals if not note.trial_id]
        requests = self.state.requests
        assert set(held) - closed.keys() == requests.held.keys() and len(held) == len(set(held))
        open_ids = requests.unanswered | requests.owed | requests.held.keys()
        assert len(open_ids) == len(requests.unanswered) + len(requests.owed) + len(requests.held)
        assert set(closed.values()) <= {1}, "an id ended twice"
        assert closed.keys() | open_ids == set(asked) and not closed.keys() & open_ids, "an id has no end"
        created = {n.trial_id: n for n in notes if n.kind is TunerNoteKind.PROPOSED and n.trial_id}
        told = {
            kind: Counter(note.trial_id for note in notes if note.kind is kind)
            for kind in (TunerNoteKind.FINAL_RESULT, TunerNoteKind.TRIAL_END)
        }
        for one in self.records():
            proposed = created.pop(one.trial_id, None)
            assert (proposed.parameter_ids if proposed else ()) == (
                () if one.parameter_id is None else (one.parameter_id,)
            )
            if one.status is not TrialStatus.FAILED or one.has_final_result:
                assert told[TunerNoteKind.FINAL_RESULT][one.trial_id] == one.has_final_result
            assert told[TunerNoteKind.TRIAL_END][one.trial_id] == one.status.is_final
        assert not created
        heard = [(n.trial_id, n.data) for n in notes if n.kind is TunerNoteKind.INTERMEDIATE_RESULT]
        reported = [
            (one.trial_id, {"index": one.index, "value": one.value})
            for one in (stored.record for stored in self.storage.metrics())
            if one.kind is MetricKind.INTERMEDIATE and not one.late
        ]
        assert heard == (reported if self.who_hears["tuner_hears_results"] else [])
        imports = [n.data[0]["value"] for n in notes if n.kind is TunerNoteKind.IMPORTED]
        assert imports == list(self.state.experiment.import_request_ids)
        assert len(imports) == len(set(imports)), "results were imported twice"

    def check_results_of_failures(self):
        """A failure without a result is told as the number wanted, or the worst until then, just once."""
        wanted, own = self.state.limits.failed_trial_result, []
        records = {one.trial_id: one for one in self.records()}
        stand_ins = {}
        for note in self.notes():
            record = records.get(note.trial_id)
            if note.kind is TunerNoteKind.FINAL_RESULT and note.data is None:
                own.append(record.objective)
            elif note.kind is TunerNoteKind.FINAL_RESULT:
                stand_ins[note.trial_id] = note.data["value"]
            elif note.kind is TunerNoteKind.TRIAL_END and record.status is TrialStatus.FAILED:
                # The experiment of this world maximizes.
                worst = min(own) if own else None
                expected = None if record.has_final_result else worst if wanted == "worst" else wanted
                assert stand_ins.pop(note.trial_id, None) == expected
        assert not stand_ins
        assert self.state.results == ((min(own), max(own)) if own else None)

    def check_that_something_is_to_come(self):
        """An open experiment never waits for nothing, but for a person to unpause it."""
        alive = any(one.is_watched and not self.end_is_known(key) for key, one in self.processes.items())
        paused = self.state.experiment.paused and self.status is not ExperimentStatus.STOPPING
        assert alive or self.calls or paused, "stuck"

    def teardown(self):
        """When every process ends and the tuner refuses, the experiment is over and everything is stored."""
        if not hasattr(self, "engine"):
            return
        self.crash_plan = None
        if self.status in ENDED:
            self.restart(max_trial_number=1000)  # trials that the end left unknown are found
        for _ in range(300):
            if self.status in ENDED:
                break
            self.tell(events.UnpauseRequested(self.now))
            for key, process in list(self.processes.items()):
                if process.is_watched and not process.has_ended:
                    self.end_process(key)
                if process.is_watched and process.news:
                    self.hear(key, len(process.log))
            while self.calls:
                number, ids = self.calls.popleft()
                if ids:
                    self.tell(events.ParametersRefused(ids, "no more"))
                self.tell(events.TunerProcessed(number, self.now))
        assert self.status in ENDED, f"never ends, status {self.status}"
        self.promises_hold()
        is_stopped = self.status is not ExperimentStatus.DONE
        assert all(one.status.is_final or (is_stopped and waits_for_resume(one)) for one in self.records())
        self.check_values()

    def check_values(self):
        """Every value that was heard of is stored once, in the order reported, and numbered from 0."""
        stored: dict[tuple[str, int], list[Any]] = {}
        for one in self.storage.metrics():
            stored.setdefault((one.record.trial_id, one.record.attempt), []).append(one.record)
        for metrics in stored.values():
            values = [metric.value for metric in metrics]
            assert values == sorted(set(values)), "a value was stored twice or out of order"
            for kind in MetricKind:
                indexes = [metric.index for metric in metrics if metric.kind is kind]
                assert indexes == list(range(len(indexes)))
        for key, process in self.processes.items():
            if self.end_is_known(key):
                heard = [one.reports[0].value for one in process.log if isinstance(one, events.TrialReported)]
                assert [metric.value for metric in stored.get(key, [])] == heard, "a value was lost"


def waits_for_resume(record: TrialRecord) -> bool:
    return record.status is TrialStatus.WAITING and not record.submitted and record.cancel_reason is None


World.TestCase.settings = settings(max_examples=120, stateful_step_count=60, deadline=None)
TestWorld = World.TestCase
