"""Where trials are placed: examples, and what holds for whatever happens."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from nni_manager.training.host import Gpu, HostReport, HostRules
from nni_manager.training.placement import Placement, Placements
from nni_manager.training.waiting_reasons import bad_indices, never_reason, waiting_reason

NOW = datetime(2026, 3, 4, 15, 30).timestamp()
TWO_PAST_TWO = datetime(2026, 3, 4, 14, 2).timestamp()


def report(*others: int, problems: dict[int, str] | None = None, problem: str = "") -> HostReport:
    """Returns GPUs 0, 1, ... with so many processes of others."""
    gpus = [
        Gpu(number, f"GPU-{number}", used_by_others=count, problem=(problems or {}).get(number, ""))
        for number, count in enumerate(others)
    ]
    return HostReport(tuple(gpus), problem, 0.0)


def placements(
    hosts: dict[str, tuple[HostRules, HostReport | None]], limits: dict[int, int] | None = None
) -> Placements:
    made = Placements(((name, rules) for name, (rules, _) in hosts.items()), limits)
    for name, (_, told) in hosts.items():
        made.take_report(name, told)
    return made


def fill(board: Placements, most: int = 100) -> list[Placement]:
    """Places trials until none has room."""
    found = []
    for number in range(most):
        placement = board.place((f"t{number}", 0))
        if placement is None:
            break
        found.append(placement)
    return found


def indices(placement: Placement) -> list[int]:
    return [gpu.index for gpu in placement.gpus]


def test_a_gpu_trial_goes_only_where_gpus_are() -> None:
    rules = HostRules(gpus_per_trial=1)
    board = placements(
        {"this machine": (rules, report()), "gpu-a": (replace(rules, service=1), report(0, 0))}
    )
    assert [placement.host for placement in fill(board)] == ["gpu-a", "gpu-a"]
    assert waiting_reason(board, NOW) == (
        "needs 1 GPU; this machine has no GPU, gpu-a has 0 free of 2 (2 used by trials)"
    )


def test_order_of_services_is_preference_and_hosts_of_one_share_the_load() -> None:
    board = placements(
        {
            "this machine": (HostRules(trial_concurrency=1), None),
            "a": (HostRules(trial_concurrency=2, service=1), None),
            "b": (HostRules(trial_concurrency=4, service=1), None),
        }
    )
    assert [placement.host for placement in fill(board)] == ["this machine", "a", "b", "b", "a", "b", "b"]
    board.release(("t0", 0))
    found = board.place(("next", 0))
    assert found is not None
    assert found.host == "this machine"


def test_hosts_without_a_limit_are_compared_by_their_trials() -> None:
    board = placements({"a": (HostRules(), None), "b": (HostRules(trial_concurrency=2), None)})
    assert [placement.host for placement in fill(board, 6)] == ["a", "b", "a", "b", "a", "a"]


def test_a_trial_of_four_of_eight_gpus() -> None:
    """Four different GPUs, the ones that are left for the next."""
    board = placements({"a": (HostRules(gpus_per_trial=4), report(*[0] * 8))})
    assert [indices(placement) for placement in fill(board)] == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_three_trials_on_each_of_two_gpus() -> None:
    """Six run, and a seventh waits with the reason."""
    board = placements({"this machine": (HostRules(gpus_per_trial=1, trials_per_gpu=3), report(0, 0))})
    found = fill(board)
    assert Counter(indices(placement)[0] for placement in found) == {0: 3, 1: 3}
    assert waiting_reason(board, NOW) == (
        "needs 1 GPU; this machine has 0 free of 2 (2 used by 3 trials each)"
    )


def test_gpu_indices_and_shares_of_two_hosts() -> None:
    rules = HostRules(gpus_per_trial=1, trials_per_gpu=3)
    board = placements(
        {
            "a": (replace(rules, gpu_indices=(1, 3)), report(0, 0, 0, 0)),
            "b": (replace(rules, gpu_indices=(0,)), report(0, 0, 0, 0)),
        }
    )
    used = Counter((placement.host, *indices(placement)) for placement in fill(board))
    assert used == {("a", 1): 3, ("a", 3): 3, ("b", 0): 3}


def test_each_instance_of_a_gpu_in_mig_mode_carries_its_own_trials() -> None:
    """They share the number of their GPU; CUDA lets a process see one of them only."""
    instances = tuple(Gpu(0, f"MIG-{letter}") for letter in "ab")
    told = HostReport((*instances, Gpu(1, "1")), "", 0.0)
    board = placements({"a": (HostRules(gpus_per_trial=1), told)})
    assert [place.gpus[0].identifier for place in fill(board)] == ["MIG-a", "MIG-b", "1"]
    board = placements({"a": (HostRules(gpus_per_trial=2), told)})
    assert fill(board) == []
    assert never_reason(board) == (
        "a trial needs 2 GPUs; a has 3, of which 1 can be used "
        "(2 unusable: a MIG instance, of which a trial can have one only)"
    )


@pytest.mark.parametrize(("use_active", "expected"), [(False, [[1], [1]]), (True, [[1], [0], [1], [0]])])
def test_gpus_of_others(use_active: bool, expected: list[list[int]]) -> None:
    """They are left alone unless that is asked for, and then those that nobody uses come first."""
    rules = HostRules(gpus_per_trial=1, trials_per_gpu=2, use_active_gpus=use_active)
    board = placements({"a": (rules, report(1, 0))})
    assert [indices(placement) for placement in fill(board)] == expected


def test_others_that_come_to_a_gpu_of_ours_do_not_take_its_other_shares() -> None:
    board = placements({"a": (HostRules(gpus_per_trial=1, trials_per_gpu=2), report(0))})
    assert board.place(("t0", 0)) is not None
    board.take_report("a", report(1))
    assert board.place(("t1", 0)) is not None
    board.release(("t0", 0))
    board.release(("t1", 0))
    assert board.place(("t2", 0)) is None


def test_the_reason_names_every_host() -> None:
    rules = HostRules(gpus_per_trial=2)
    board = placements(
        {
            "gpu-a": (rules, report(3, 1, 0, 0, 0)),
            "gpu-b": (rules, report(0, 0)),
            "gpu-c": (rules, report(problem="nvidia-smi did not answer in 10 s")),
            "gpu-d": (rules, None),
            "gpu-e": (
                replace(rules, gpu_indices=(0, 1, 2), trials_per_gpu=2),
                report(0, 1, 0, 0, problems={2: "MIG mode without instances"}),
            ),
            "gpu-f": (replace(rules, trial_concurrency=1), report(0, 0, 0, 0)),
            "gpu-g": (rules, report(0, 0)),
        }
    )
    board.take_reachable("gpu-b", TWO_PAST_TWO)
    board.take_out("gpu-g", "the courier ended 5 times in a row")
    fill(board)
    assert waiting_reason(board, NOW) == (
        "needs 2 GPUs; gpu-a has 1 free of 5 (2 used by others, 2 by trials), gpu-b unreachable since 14:02, "
        "gpu-c: its GPUs cannot be listed (nvidia-smi did not answer in 10 s), "
        "gpu-d is being asked for its GPUs, "
        "gpu-e has 1 free of 4 (1 used by others, 1 not in gpu_indices, "
        "1 unusable: MIG mode without instances), "
        "gpu-f has 1 trial, its limit (trial_concurrency), "
        "gpu-g not used (the courier ended 5 times in a row)"
    )


def test_the_reason_without_gpus_and_with_limits_of_services() -> None:
    board = placements(
        {
            "this machine": (HostRules(), None),
            "a": (HostRules(service=1), None),
            "b": (HostRules(service=1), None),
            "c": (HostRules(service=1), None),
        },
        limits={0: 1, 1: 2},
    )
    board.take_reachable("c", datetime(2026, 3, 3, 23, 59).timestamp(), "no answer in 10 s")
    assert [placement.host for placement in fill(board)] == ["this machine", "a", "b"]
    assert waiting_reason(board, NOW) == (
        "this machine has 1 trial, its limit (trial_concurrency), "
        "a, b and c have 2 trials together, their limit (trial_concurrency), "
        "c unreachable since 2026-03-03 23:59 (no answer in 10 s)"
    )


def test_the_reason_where_needs_differ() -> None:
    board = placements(
        {
            "this machine": (HostRules(trial_concurrency=1), None),
            "a": (HostRules(gpus_per_trial=2, service=1), report(1, 0)),
        }
    )
    fill(board)
    assert waiting_reason(board, NOW) == (
        "this machine has 1 trial, its limit (trial_concurrency), "
        "a has 1 free of 2 needed of 2 GPUs (1 used by others)"
    )


def test_the_reason_of_many_hosts_is_short() -> None:
    board = placements({f"h{number}": (HostRules(gpus_per_trial=1), report(1)) for number in range(64)})
    text = waiting_reason(board, NOW)
    assert text.startswith("needs 1 GPU; h0 has 0 free of 1 (1 used by others), h1 ")
    assert text.endswith(", h9 has 0 free of 1 (1 used by others), 54 more machines")


def test_what_can_never_be_met() -> None:
    rules = HostRules(gpus_per_trial=2)
    board = placements(
        {
            "this machine": (rules, report()),
            "a": (rules, report(0)),
            "b": (replace(rules, gpu_indices=(0,)), report(0, 0, 0)),
            "c": (rules, report(problem="nvidia-smi was not found")),
        }
    )
    assert never_reason(board) == (
        "a trial needs 2 GPUs; this machine has no GPU, a has 1, "
        "b has 3, of which 1 can be used (2 not in gpu_indices), "
        "c: its GPUs cannot be listed (nvidia-smi was not found)"
    )
    board.take_report("a", report(5, 5))
    assert never_reason(board) == "", "GPUs that others use may become free"
    board.take_report("a", None)
    assert never_reason(board) == "", "what is not known may be met"


def test_a_machine_without_a_need_of_gpus_can_always_be_used() -> None:
    board = placements({"a": (HostRules(gpus_per_trial=2), report()), "b": (HostRules(), None)})
    assert never_reason(board) == ""
    board.take_out("b", "gone")
    assert never_reason(board) == (
        "no machine has the GPUs that a trial needs there; a has no GPU, b not used (gone)"
    )
    board.take_out("a", "gone too")
    assert never_reason(board) == (
        "no machine is left that could run trials; a not used (gone too), b not used (gone)"
    )


@pytest.mark.parametrize(
    ("indices", "found", "text"),
    [
        ((9,), 4, "gpu_indices: 9 is not among the GPUs found on gpu-a: 0 to 3"),
        ((0, 2, 3), 2, "gpu_indices: 2, 3 are not among the GPUs found on gpu-a: 0, 1"),
        ((0, 1), 2, ""),
    ],
)
def test_bad_gpu_indices(indices: tuple[int, ...], found: int, text: str) -> None:
    rules = HostRules(gpus_per_trial=1, gpu_indices=indices)
    board = placements({"gpu-a": (rules, report(*[0] * found))})
    assert bad_indices(board.hosts["gpu-a"]) == text


def test_a_place_is_given_once() -> None:
    board = placements({"a": (HostRules(), None)})
    board.place(("t0", 0))
    with pytest.raises(ValueError, match="attempt 0 of trial t0 has a place"):
        board.place(("t0", 0))


def test_places_on_a_host_that_is_not_there_any_more_can_be_restored_and_released() -> None:
    board = placements({"a": (HostRules(), None)})
    board.restore(("t0", 0), Placement("gone"))
    board.release(("t0", 0))
    assert board.place_of(("t0", 0)) is None


RULES = st.builds(
    HostRules,
    gpus_per_trial=st.sampled_from([None, 0, 1, 1, 2, 3]),
    trials_per_gpu=st.integers(1, 3),
    use_active_gpus=st.booleans(),
    gpu_indices=st.none() | st.lists(st.integers(0, 4), min_size=1, unique=True).map(tuple),
    trial_concurrency=st.none() | st.integers(1, 4),
    service=st.integers(0, 2),
)
REPORTS = st.none() | st.builds(
    lambda others, broken, problem: report(*others, problems=dict.fromkeys(broken, "bad"), problem=problem),
    st.lists(st.sampled_from([0, 0, 1, 2]), max_size=5),
    st.sets(st.integers(0, 4), max_size=2),
    st.sampled_from(["", "nvidia-smi hangs"]),
)


class Machines(RuleBasedStateMachine):
    """Trials come and go, hosts change. What has room is worked out here once more, from the rules' text."""

    @initialize(
        rules=st.lists(RULES, min_size=1, max_size=4),
        limits=st.dictionaries(st.integers(0, 2), st.integers(1, 5)),
    )
    def begin(self, rules: list[HostRules], limits: dict[int, int]) -> None:
        self.rules = {f"h{number}": one for number, one in enumerate(rules)}
        self.limits = limits
        self.board = Placements(self.rules.items(), limits)
        self.reports: dict[str, HostReport | None] = dict.fromkeys(self.rules)
        self.closed: set[str] = set()
        self.out: set[str] = set()
        self.waiting: list[tuple[str, int]] = []
        self.running: dict[tuple[str, int], Placement] = {}
        self.count = 0

    @rule(data=st.data(), told=REPORTS)
    def host_reports(self, data: st.DataObject, told: HostReport | None) -> None:
        name = data.draw(st.sampled_from(sorted(self.rules)))
        self.reports[name] = told
        self.board.take_report(name, told)
        self.place_all()

    @rule(data=st.data(), reachable=st.booleans())
    def host_changes(self, data: st.DataObject, reachable: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.rules)))
        self.board.take_reachable(name, None if reachable else 5.0)
        (self.closed.discard if reachable else self.closed.add)(name)
        self.place_all()

    @rule(data=st.data())
    @precondition(lambda self: len(self.out) < len(self.rules))
    def host_fails(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(set(self.rules) - self.out)))
        self.out.add(name)
        self.board.take_out(name, "it broke")
        for attempt in [attempt for attempt, place in self.running.items() if place.host == name]:
            self.end(attempt)
        self.place_all()

    @rule(count=st.integers(1, 6))
    def submit(self, count: int) -> None:
        for _ in range(count):
            self.count += 1
            self.waiting.append((f"t{self.count}", 0))
        self.place_all()

    @rule(data=st.data())
    @precondition(lambda self: self.running)
    def trial_ends(self, data: st.DataObject) -> None:
        self.end(data.draw(st.sampled_from(sorted(self.running))))
        self.place_all()

    @rule(data=st.data())
    @precondition(lambda self: self.running)
    def manager_restarts(self, data: st.DataObject) -> None:
        self.board = Placements(self.rules.items(), self.limits)
        for attempt, place in self.running.items():
            self.board.restore(attempt, place)
        for name, told in self.reports.items():
            self.board.take_report(name, told)
        for name in self.closed:
            self.board.take_reachable(name, 5.0)
        for name in self.out:
            self.board.take_out(name, "it broke")
        self.place_all()

    def end(self, attempt: tuple[str, int]) -> None:
        del self.running[attempt]
        self.board.release(attempt)

    def place_all(self) -> None:
        while self.waiting:
            attempt = self.waiting[0]
            place = self.board.place(attempt)
            if place is None:
                assert waiting_reason(self.board, 10.0)
                return
            self.check_place(attempt, place)
            self.waiting.pop(0)

    def check_place(self, attempt: tuple[str, int], place: Placement) -> None:
        """Never over-booked, and only what may be used."""
        assert place.host in self.with_room()
        assert self.rules[place.host].service == min(self.rules[name].service for name in self.with_room())
        rules, told = self.rules[place.host], self.reports[place.host]
        assert len(set(indices(place))) == len(place.gpus) == (rules.gpus_per_trial or 0)
        by_index = {gpu.index: gpu for gpu in told.gpus} if told is not None else {}
        for taken in place.gpus:
            gpu = by_index[taken.index]
            assert taken.identifier == gpu.identifier
            assert self.has_share(place.host, gpu)
        self.running[attempt] = place

    @invariant()
    @precondition(lambda self: hasattr(self, "board"))
    def never_idle(self) -> None:
        assert not (self.waiting and self.with_room())

    @invariant()
    @precondition(lambda self: hasattr(self, "board"))
    def every_place_is_accounted_for(self) -> None:
        for name, host in self.board.hosts.items():
            here = [place for place in self.running.values() if place.host == name]
            assert host.trials == len(here)
            assert +host.shares == Counter(gpu.identifier for place in here for gpu in place.gpus)
        if not self.running:
            assert not self.board.uses_gpus

    def with_room(self) -> list[str]:
        return [name for name in self.rules if self.has_room(name)]

    def has_room(self, name: str) -> bool:
        rules = self.rules[name]
        here = sum(place.host == name for place in self.running.values())
        together = sum(self.rules[place.host].service == rules.service for place in self.running.values())
        if name in self.closed | self.out:
            return False
        if rules.trial_concurrency is not None and here >= rules.trial_concurrency:
            return False
        if rules.service in self.limits and together >= self.limits[rules.service]:
            return False
        told = self.reports[name]
        gpus = told.gpus if told is not None else ()
        return sum(self.has_share(name, gpu) for gpu in gpus) >= (rules.gpus_per_trial or 0)

    def has_share(self, name: str, gpu: Gpu) -> bool:
        rules = self.rules[name]
        here = [place for place in self.running.values() if place.host == name]
        ours = sum(gpu.index in indices(place) for place in here)
        is_listed = rules.gpu_indices is None or gpu.index in rules.gpu_indices
        is_left_alone = gpu.used_by_others > 0 and ours == 0 and not rules.use_active_gpus
        return not gpu.problem and is_listed and not is_left_alone and ours < rules.trials_per_gpu


TestMachines = Machines.TestCase
TestMachines.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
