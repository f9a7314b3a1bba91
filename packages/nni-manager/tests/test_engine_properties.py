"""Whatever happens in whatever order, the engine keeps its promises."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from nni_manager.engine import events
from nni_manager.engine.effects import (
    CancelTrial,
    RequestParameters,
    SaveMetrics,
    SaveTrial,
    SubmitTrial,
    ToTuner,
)
from nni_manager.engine.engine import Engine, StepResult
from nni_manager.engine.limits import Limits
from nni_manager.engine.records import ExperimentOrigin, ExperimentRecord
from nni_manager.engine.statuses import ExperimentStatus, MetricKind, TrialStatus

ENDED = (ExperimentStatus.DONE, ExperimentStatus.STOPPED, ExperimentStatus.ERROR)


class World(RuleBasedStateMachine):
    """An engine with a world around it: a tuner that answers late or refuses, processes that do anything."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.records = {}
        self.processes = {}
        self.canceled = set()
        self.calls = deque()
        self.asked = []
        self.answered = set()
        self.told_ends = []
        self.metric_keys = set()
        self.stored_reports = set()

    @initialize(
        concurrency=st.integers(1, 4),
        max_trials=st.none() | st.integers(5, 12),
        max_seconds=st.none() | st.none() | st.floats(1, 50),
        trial_seconds=st.none() | st.floats(1, 20),
        stop=st.booleans(),
        early=st.sampled_from([False, False, True]),
    )
    def begin(self, concurrency, max_trials, max_seconds, trial_seconds, stop, early):
        limits = Limits(concurrency, max_trials, max_seconds, trial_seconds, stop, early)
        record = ExperimentRecord("exp", ExperimentStatus.INITIALIZED, {}, "maximize", self.now)
        self.engine = Engine(record, limits, has_assessor=True)
        self.absorb(self.engine.start(self.now))

    @property
    def state(self):
        return self.engine.state

    @property
    def status(self):
        return self.state.experiment.status

    def tell(self, *happened):
        self.absorb(self.engine.step(happened, self.now))

    def absorb(self, result: StepResult) -> None:
        for write in result.writes:
            if isinstance(write, SaveMetrics):
                values = [(metric.trial_id, metric.value) for metric in write.metrics]
                assert not self.stored_reports.intersection(values), "a repeat was stored"
                self.stored_reports.update(values)
            if isinstance(write, SaveTrial):
                before = self.records.get(write.record.trial_id)
                assert before is None or not before.status.is_final, "a final state was left"
                self.records[write.record.trial_id] = write.record
            elif isinstance(write, SaveMetrics):
                for metric in write.metrics:
                    key = (metric.trial_id, metric.kind, metric.index)
                    assert key not in self.metric_keys, "an index was given twice"
                    self.metric_keys.add(key)
        for action in result.actions:
            if isinstance(action, SubmitTrial):
                assert action.trial_id not in self.processes, "a trial was submitted twice"
                self.processes[action.trial_id] = "submitted"
                alive = [one for one in self.processes.values() if one != "ended"]
                assert len(alive) <= self.state.limits.trial_concurrency, "beyond the concurrency"
            elif isinstance(action, CancelTrial):
                assert self.processes[action.trial_id] != "ended"
                self.canceled.add(action.trial_id)
            elif isinstance(action, ToTuner):
                self.calls.append(action.call)
                if isinstance(action.call, RequestParameters):
                    self.asked.extend(action.call.parameter_ids)
                    wanted = len(self.state.active) + len(self.state.requests.unanswered)
                    assert wanted <= self.state.limits.trial_concurrency, "asked for too many"
        if self.status is ExperimentStatus.DONE:
            assert not self.calls, "over before the tuner has answered everything"

    def pick(self, data, *states):
        return data.draw(st.sampled_from(sorted(t for t, s in self.processes.items() if s in states)))

    def some_process(self, *states):
        return any(one in states for one in self.processes.values())

    @rule(seconds=st.floats(0, 5))
    def time_passes(self, seconds):
        self.now += seconds
        wakeup = self.engine.next_wakeup()
        if wakeup is not None and wakeup <= self.now:
            self.tell(events.TimePassed(self.now))

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def tuner_deals_with_a_call(self, data):
        call = self.calls.popleft()
        happened = []
        if isinstance(call, RequestParameters):
            refuses = data.draw(st.integers(0, 9)) == 9
            count = data.draw(st.integers(0, len(call.parameter_ids))) if refuses else len(call.parameter_ids)
            for parameter_id in call.parameter_ids[:count]:
                happened.append(events.ParametersProposed(parameter_id, {"x": parameter_id}, self.now))
                self.answered.add(parameter_id)
            if count < len(call.parameter_ids):
                happened.append(events.ParametersRefused(call.parameter_ids[count:], "no more"))
        happened.append(events.TunerProcessed(call.number, self.now))
        self.tell(*happened)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def tuner_proposes_late_or_twice(self, data):
        parameter_id = data.draw(st.sampled_from(self.asked)) if data.draw(st.booleans()) else 10_000
        if any(isinstance(c, RequestParameters) and parameter_id in c.parameter_ids for c in self.calls):
            return
        self.tell(events.ParametersProposed(parameter_id, {"x": -1}, self.now))

    @precondition(lambda self: self.some_process("submitted"))
    @rule(data=st.data())
    def process_starts(self, data):
        trial_id = self.pick(data, "submitted")
        self.processes[trial_id] = "running"
        self.tell(events.TrialStarted(trial_id, 0, self.now))

    @precondition(lambda self: self.some_process("submitted", "running", "ended"))
    @rule(
        data=st.data(),
        kind=st.sampled_from(MetricKind),
        numbers=st.lists(st.integers(0, 5), max_size=4),
    )
    def process_reports(self, data, kind, numbers):
        trial_id = self.pick(data, "submitted", "running", "ended")
        reports = tuple(events.Report(kind, "r", number, number, self.now) for number in numbers)
        self.tell(events.TrialReported(trial_id, 0, reports, end_offset=1))

    @precondition(lambda self: self.some_process("submitted", "running"))
    @rule(data=st.data(), code=st.sampled_from([0, 1, None]), signal=st.sampled_from([None, 9]))
    def process_ends(self, data, code, signal):
        trial_id = self.pick(data, "submitted", "running")
        self.processes[trial_id] = "ended"
        code = code if signal is None else None
        problem = "lost" if code is None and signal is None else ""
        end = events.TrialEnded(trial_id, 0, self.now, code, signal, problem)
        self.tell(end)
        self.tell(end)

    @precondition(lambda self: self.processes)
    @rule(data=st.data())
    def user_cancels(self, data):
        trial_id = data.draw(st.sampled_from([*sorted(self.records), "none"]))
        self.tell(events.CancelRequested(trial_id, self.now))
        record = self.records.get(trial_id)
        if record is not None and trial_id not in self.processes:
            assert record.status is TrialStatus.USER_CANCELED or record.status.is_final

    @precondition(lambda self: self.processes)
    @rule(data=st.data())
    def assessor_judges(self, data):
        self.tell(events.TrialJudgedBad(self.pick(data, "submitted", "running", "ended"), "bad", self.now))

    @rule(message=st.sampled_from(["first", "second"]))
    def something_is_found_out(self, message):
        warnings = self.state.experiment.warnings
        origin = ExperimentOrigin(code_hash=message)
        self.tell(events.OriginFound(origin), events.WarningRaised(message))
        assert self.state.experiment.origin == origin
        assert self.state.experiment.warnings == (warnings if message in warnings else (*warnings, message))

    @rule(concurrency=st.integers(1, 4), max_trials=st.none() | st.integers(1, 15))
    def user_changes_limits(self, concurrency, max_trials):
        limits = replace(self.state.limits, trial_concurrency=concurrency, max_trial_number=max_trials)
        if concurrency < self.state.limits.trial_concurrency:
            return  # lowering leaves more running than allowed; tested apart
        self.tell(events.ConfigChanged({"maxTrialNumber": max_trials}, limits, self.now))

    @precondition(lambda self: self.asked and len(self.asked) > 8)
    @rule(by_user=st.booleans())
    def stop(self, by_user):
        self.tell(events.StopRequested(by_user, "stop", self.now))

    @precondition(lambda self: len(self.asked) > 10)
    @rule()
    def tuner_fails(self):
        self.tell(events.AlgorithmFailed("tuner", "boom", "Traceback ...", self.now))

    @precondition(lambda self: len(self.asked) > 10)
    @rule()
    def training_service_fails(self):
        self.tell(events.TrainingServiceFailed("gone", self.now))
        if self.status is ExperimentStatus.ERROR:
            self.processes = dict.fromkeys(self.processes, "ended")

    @invariant()
    def promises_hold(self):
        if not hasattr(self, "engine"):
            return
        state, requests = self.state, self.state.requests
        if state.waiting:
            assert state.submitted_count >= state.limits.trial_concurrency, "a trial waits for nothing"
        for trial in state.active.values():
            record = trial.record
            assert record.status in (TrialStatus.WAITING, TrialStatus.RUNNING)
            assert record.status is TrialStatus.RUNNING or record.waiting_reason
        open_ids = len(requests.unanswered) + len(requests.owed)
        closed_ids = requests.created_count + requests.refused_count + requests.withdrawn_count
        assert open_ids + closed_ids == len(self.asked) == len(set(self.asked))
        numbers = [record.sequence_number for record in self.records.values()]
        assert sorted(numbers) == list(range(len(numbers))), "numbers have gaps or come twice"
        for record in self.records.values():
            if record.status.is_final:
                assert record.ended_at is not None and record.end_reason is not None
        if self.status in ENDED:
            assert not state.active and open_ids == 0
            assert state.experiment.ended_at is not None
        else:
            self.check_that_something_is_to_come()

    def check_that_something_is_to_come(self):
        """An open experiment never waits for nothing."""
        alive = self.some_process("submitted", "running")
        assert alive or self.calls or self.state.requests.unanswered, "stuck"

    def teardown(self):
        """When every process ends and the tuner refuses, the experiment is over."""
        if not hasattr(self, "engine"):
            return
        for _ in range(200):
            if self.status in ENDED:
                return
            for trial_id, process in list(self.processes.items()):
                if process != "ended":
                    self.processes[trial_id] = "ended"
                    self.tell(events.TrialEnded(trial_id, 0, self.now, exit_code=0))
            while self.calls:
                call = self.calls.popleft()
                if isinstance(call, RequestParameters):
                    self.tell(events.ParametersRefused(call.parameter_ids, "no more"))
                self.tell(events.TunerProcessed(call.number, self.now))
        raise AssertionError(f"never ends, status {self.status}")


World.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestWorld = World.TestCase
