"""Whatever happens in whatever order, crashes included, places are given and given up as they should."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from nni_manager.engine.events import TrainingServiceFailed, TrialEnded, TrialStarted, TrialWaits
from nni_manager.testing.fake_hosts import FakeMachine, gpus
from nni_manager.training.host import Gpu, HostReport, HostRules
from nni_manager.training.interface import TrainingEvent, TrialRun
from nni_manager.training.placing import PlacingService, service, waiting

Attempt = tuple[str, int]


@dataclass
class Known:
    """What the engine has stored of a trial that has not ended."""

    attempt: int = 0
    started: bool = False


RULES = st.builds(
    HostRules,
    gpus_per_trial=st.sampled_from([None, 0, 1, 1, 2]),
    trials_per_gpu=st.just(1),
    use_active_gpus=st.booleans(),
    trial_concurrency=st.none() | st.integers(1, 3),
    service=st.integers(0, 1),
) | st.builds(HostRules, gpus_per_trial=st.integers(1, 2), trials_per_gpu=st.integers(1, 3))
REPORTS = st.lists(st.sampled_from([0, 0, 0, 1]), max_size=4).map(lambda others: gpus(*others))


class World(RuleBasedStateMachine):
    """Machines, a manager that comes and goes, and an engine that keeps as many trials as it may."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.exits = ExitStack()
        self.loop.set_default_executor(self.exits.enter_context(ThreadPoolExecutor(1)))
        self.exits.enter_context(mock.patch.object(service, "CLAIM_SECONDS", 0.0))
        self.exits.enter_context(mock.patch.object(waiting, "TELL_SECONDS", 0.0))
        self.folder = Path(self.exits.enter_context(tempfile.TemporaryDirectory()))
        self.machines: dict[str, FakeMachine] = {}
        self.rules: dict[str, HostRules] = {}
        self.known: dict[str, Known] = {}
        self.ended: Counter[Attempt] = Counter()
        self.unreachable: set[str] = set()
        self.out: set[str] = set()
        self.reasons: dict[Attempt, str] = {}
        self.count = 0
        self.managers: list[PlacingService] = []
        self.is_deaf = False
        self.is_ending = False
        self.has_failed = False

    @initialize(hosts=st.lists(st.tuples(RULES, REPORTS), min_size=1, max_size=3), durable=st.booleans())
    def begin(self, hosts: list[tuple[HostRules, HostReport]], durable: bool) -> None:
        for number, (rules, report) in enumerate(hosts):
            self.machines[f"h{number}"] = FakeMachine(f"h{number}", report)
            self.rules[f"h{number}"] = rules
        # There is always one that could run any trial, so that the start is not refused.
        self.machines["last"] = FakeMachine("last", gpus(0, 0))
        self.rules["last"] = HostRules(gpus_per_trial=1, trial_concurrency=2, service=1)
        self.durable = durable
        self.start_manager(set())

    @rule(count=st.integers(1, 4))
    def submit(self, count: int) -> None:
        for _ in range(count):
            self.count += 1
            self.known[f"t{self.count}"] = Known()
            self.act(self.send, f"t{self.count}")

    @rule(data=st.data())
    @precondition(lambda self: self.running())
    def trial_starts(self, data: st.DataObject) -> None:
        machine, attempt = data.draw(st.sampled_from(self.running()))
        self.act(machine.begin, *attempt)

    @rule(data=st.data(), how=st.sampled_from([(0, None), (1, None), (None, 9), (None, None)]))
    @precondition(lambda self: self.running())
    def trial_ends(self, data: st.DataObject, how: tuple[int | None, int | None]) -> None:
        machine, attempt = data.draw(st.sampled_from(self.running()))
        self.act(machine.end, *attempt, *how)

    @rule(data=st.data())
    @precondition(lambda self: self.known)
    def trial_is_canceled(self, data: st.DataObject) -> None:
        trial_id = data.draw(st.sampled_from(sorted(self.known)))
        self.act(self.manager.cancel, trial_id, self.known[trial_id].attempt)

    @rule(data=st.data(), report=REPORTS)
    def gpus_change(self, data: st.DataObject, report: HostReport) -> None:
        machine = self.machines[data.draw(st.sampled_from(sorted(self.machines)))]
        machine.report = report
        self.act(machine.cut, time.time())
        self.act(machine.join)
        self.unreachable.discard(machine.name)

    @rule(data=st.data())
    def machine_goes_or_comes(self, data: st.DataObject) -> None:
        machine = self.machines[data.draw(st.sampled_from(sorted(self.machines)))]
        if machine.name in self.unreachable:
            self.unreachable.discard(machine.name)
            self.act(machine.join)
        else:
            self.unreachable.add(machine.name)
            self.act(machine.cut, time.time())

    @rule(data=st.data())
    @precondition(lambda self: not self.has_failed)
    def machine_fails(self, data: st.DataObject) -> None:
        machine = self.machines[data.draw(st.sampled_from(sorted(self.machines)))]
        self.out.add(machine.name)
        self.act(machine.fail, "it broke")

    @rule(data=st.data(), late=st.booleans())
    def manager_crashes(self, data: st.DataObject, late: bool) -> None:
        """Perhaps before it has stored how a trial has ended. Perhaps not all machines can be used then."""
        if late and self.running():
            self.is_deaf = True
            machine, attempt = data.draw(st.sampled_from(self.running()))
            self.act(machine.end, *attempt)
            self.is_deaf = False
        self.start_manager(data.draw(st.sets(st.sampled_from(sorted(set(self.machines) - {"last"})))))

    @invariant()
    def no_attempt_is_launched_twice(self) -> None:
        launched = Counter(attempt for machine in self.machines.values() for attempt in machine.launched)
        assert [attempt for attempt, count in launched.items() if count > 1] == []

    @invariant()
    def nothing_is_over_booked(self) -> None:
        for name, machine in self.machines.items():
            rules = self.rules[name]
            assert rules.trial_concurrency is None or len(machine.runs) <= rules.trial_concurrency
            shares: Counter[str] = Counter()
            for attempt in machine.runs:
                visible = machine.visible(*attempt)
                assert (visible is None) == (rules.gpus_per_trial is None)
                identifiers = visible.split(",") if visible else []
                assert len(set(identifiers)) == len(identifiers) == (rules.gpus_per_trial or 0)
                shares.update(identifiers)
            assert max(shares.values(), default=0) <= rules.trials_per_gpu

    @invariant()
    def nothing_waits_that_could_run_and_each_has_its_reason(self) -> None:
        if self.has_failed:
            return
        for trial_id, known in self.known.items():
            attempt = (trial_id, known.attempt)
            if not any(attempt in machine.runs for machine in self.machines.values()):
                assert [name for name in self.machines if self.has_room(name)] == []
                assert self.reasons.get(attempt)

    def teardown(self) -> None:
        """In the end everything is given up, and can be had again."""
        try:
            if self.managers:
                self.end_everything()
        finally:
            for manager in self.managers:
                self.loop.run_until_complete(manager.close())
            self.exits.close()
            self.loop.close()

    def end_everything(self) -> None:
        self.is_ending = True
        for _ in range(2):
            self.start_manager(set())
            for trial_id in sorted(self.known):
                self.act(self.manager.cancel, trial_id, self.known[trial_id].attempt)
            while running := self.running():
                machine, attempt = running[0]
                self.act(machine.end, *attempt)
        assert self.known == {}
        assert self.running() == []
        self.submit(40)
        self.nothing_waits_that_could_run_and_each_has_its_reason()

    @property
    def manager(self) -> PlacingService:
        return self.managers[-1]

    def start_manager(self, not_started: set[str]) -> None:
        for manager in self.managers:
            self.loop.run_until_complete(manager.close())
        for name, machine in self.machines.items():
            machine.start_problem = "no answer" if name in not_started else ""
        self.machines["last"].report = gpus(0, 0)
        self.unreachable, self.out, self.has_failed = set(), set(not_started), False
        self.ended.clear()
        self.reasons.clear()
        manager = PlacingService(
            hosts=[(machine.make, self.rules[name]) for name, machine in self.machines.items()],
            experiment_directory=self.folder,
            emit=self.take,
            optional_services=(0, 1),
            durable=self.durable,
            report_seconds=1000.0,
            warn=lambda message: None,
        )
        self.managers = [manager]
        self.loop.run_until_complete(manager.start())
        for trial_id, known in list(self.known.items()):
            if known.started:
                self.loop.call_soon(manager.adopt, trial_id, known.attempt, 0)
            else:
                self.loop.call_soon(self.send, trial_id)
        self.act(int)

    def send(self, trial_id: str) -> None:
        if trial_id in self.known:
            self.manager.submit(TrialRun(trial_id, self.known[trial_id].attempt, 0, 0, None))

    def take(self, event: TrainingEvent) -> None:
        """Does what the engine does with an event: a trial that did not end by itself is run again."""
        if self.is_deaf:
            return
        if isinstance(event, TrainingServiceFailed):
            self.has_failed = True
            return
        attempt = (event.trial_id, event.attempt)
        known = self.known.get(event.trial_id)
        assert self.ended[attempt] == 0, "nothing follows the end"
        assert known is not None
        assert known.attempt == event.attempt
        if isinstance(event, TrialStarted):
            known.started = True
        elif isinstance(event, TrialWaits):
            self.reasons[attempt] = event.reason
        elif isinstance(event, TrialEnded):
            self.ended[attempt] += 1
            if event.exit_code is None and event.attempt < 3 and not self.is_ending:
                self.known[event.trial_id] = Known(event.attempt + 1)
                self.loop.call_soon(self.send, event.trial_id)
            else:
                del self.known[event.trial_id]

    def running(self) -> list[tuple[FakeMachine, Attempt]]:
        return [(machine, attempt) for machine in self.machines.values() for attempt in machine.runs]

    def act(self, what: Callable[..., object], *arguments: object) -> None:
        """Does something and lets everything happen that follows, what is written to the disk included."""

        async def wait() -> None:
            what(*arguments)
            for _ in range(3):
                for _ in range(6):
                    await asyncio.sleep(0)
                # The only thread takes one thing after another, so what was being written is written then.
                await self.loop.run_in_executor(None, int)
                await asyncio.sleep(0)

        self.loop.run_until_complete(wait())

    def has_room(self, name: str) -> bool:
        machine, rules = self.machines[name], self.rules[name]
        if name in self.out or name in self.unreachable:
            return False
        if rules.trial_concurrency is not None and len(machine.runs) >= rules.trial_concurrency:
            return False
        assert isinstance(machine.report, HostReport)
        return sum(self.has_share(name, gpu) for gpu in machine.report.gpus) >= (rules.gpus_per_trial or 0)

    def has_share(self, name: str, gpu: Gpu) -> bool:
        machine, rules = self.machines[name], self.rules[name]
        ours = sum(gpu.identifier in (machine.visible(*one) or "").split(",") for one in machine.runs)
        is_left_alone = gpu.used_by_others > 0 and ours == 0 and not rules.use_active_gpus
        return not is_left_alone and ours < rules.trials_per_gpu


TestWorld = World.TestCase
TestWorld.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
