"""Hyperband: its table, who goes on, failures, both modes of execution, budgets, resume."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from nni import NoMoreTrialError
from nni_manager.algorithms.registry import check_algorithm
from nni_manager.algorithms.successive_halving.plan import bracket_plans
from nni_manager.algorithms.tuners.hyperband import Hyperband

SPACE = {"x": {"_type": "uniform", "_value": [0, 1]}}
BUDGET = "TRIAL_BUDGET"

# Of Li et al. for R = 81 and eta = 3: bracket by bracket, the trials and the budget of each round.
PAPER = [
    [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
    [(34, 3), (11, 9), (3, 27), (1, 81)],
    [(15, 9), (5, 27), (1, 81)],
    [(8, 27), (2, 81)],
    [(5, 81)],
]

Value = Callable[[int, dict[str, Any]], Any]


def made(space: dict[str, Any] = SPACE, **arguments: Any) -> Hyperband:
    tuner = Hyperband(seed=3, **arguments)
    tuner.update_search_space(space)
    return tuner


class Manager:
    """Runs trials in parallel as the manager does: whatever is free is asked for again.

    Attributes:
        started: The parameters of every trial by its id, in the order they started.
        running: Ids of the running ones.
    """

    def __init__(self, tuner: Hyperband, concurrency: int) -> None:
        self.tuner = tuner
        self.started: dict[int, dict[str, Any]] = {}
        self.running: list[int] = []
        self._concurrency = concurrency
        self._next_id = 0

    def fill(self, most: float = math.inf) -> None:
        free = int(min(self._concurrency - len(self.running), most - len(self.started)))
        ids = list(range(self._next_id, self._next_id + max(free, 0)))
        self._next_id += len(ids)
        for id_, parameters in zip(
            ids, self.tuner.generate_multiple_parameters(ids, st_callback=self.start), strict=False
        ):
            self.start(id_, parameters)

    def start(self, id_: int, parameters: dict[str, Any]) -> None:
        assert id_ not in self.started
        self.started[id_] = parameters
        self.running.append(id_)

    def finish(self, id_: int, value: Any, success: bool = True) -> None:
        self.running.remove(id_)
        if value is not None:
            self.tuner.receive_trial_result(id_, self.started[id_], value, trial_job_id="t")
        self.tuner.trial_end(id_, success)

    def run(self, value: Value, most: float = math.inf, seed: int = 0) -> None:
        """Runs trials until there are no more; the values None are failures."""
        rng = random.Random(seed)
        self.fill(most)
        while self.running:
            id_ = rng.choice(self.running)
            result = value(id_, self.started[id_])
            self.finish(id_, result, success=result is not None)
            self.fill(most)


def test_the_table_is_that_of_the_paper() -> None:
    plans = bracket_plans(81, 3)
    assert [list(zip(plan.sizes, plan.budgets, strict=True)) for plan in plans] == PAPER
    assert [(plan.sizes, plan.budgets) for plan in bracket_plans(60, 3)] == [
        ((27, 9, 3, 1), (2, 6, 20, 60)),
        ((12, 4, 1), (6, 20, 60)),
        ((6, 2), (20, 60)),
        ((4,), (60,)),
    ]
    assert [(plan.sizes, plan.budgets) for plan in bracket_plans(1, 3)] == [((1,), (1,))]
    # log(243, 3) and log(1000, 10) are a little less than whole numbers.
    assert [len(bracket_plans(*pair)) for pair in ((243, 3), (1000, 10), (3, 4), (4, 4))] == [6, 4, 1, 2]


@pytest.mark.parametrize("concurrency", [1, 4, 20])
@pytest.mark.parametrize("exec_mode", ["parallelism", "serial"])
def test_a_whole_pass_has_the_counts_of_the_paper(exec_mode: str, concurrency: int) -> None:
    """Row 97."""
    manager = Manager(made(R=81, exec_mode=exec_mode, repeat=False), concurrency)
    manager.run(lambda _, parameters: parameters["x"])
    counts = Counter(parameters[BUDGET] for parameters in manager.started.values())
    expected: Counter[int] = Counter()
    for bracket in PAPER:
        expected.update({budget: count for count, budget in bracket})
    assert counts == expected
    assert sum(expected.values()) == 206
    with pytest.raises(NoMoreTrialError, match="all brackets are complete"):
        manager.tuner.generate_parameters(10_000)


def test_one_at_a_time_the_rounds_come_in_order() -> None:
    for exec_mode in ("parallelism", "serial"):
        manager = Manager(made(R=81, exec_mode=exec_mode, repeat=False), 1)
        manager.run(lambda _, parameters: parameters["x"])
        budgets = [parameters[BUDGET] for parameters in manager.started.values()]
        assert budgets == [budget for bracket in PAPER for count, budget in bracket for _ in range(count)]


def test_brackets_repeat_unless_told_not_to() -> None:
    manager = Manager(made(R=9), 3)
    manager.run(lambda _, parameters: parameters["x"], most=100)
    assert len(manager.started) == 100  # one pass has 22


@pytest.mark.parametrize("mode", ["maximize", "minimize"])
def test_the_best_third_goes_on(mode: str) -> None:
    """Row 96."""
    tuner = made(R=9, optimize_mode=mode)
    first = tuner.generate_multiple_parameters(list(range(9)))
    assert [parameters[BUDGET] for parameters in first] == [1] * 9
    order = [4, 0, 8, 3, 7, 1, 6, 2, 5]
    for id_ in order:
        tuner.receive_trial_result(id_, first[id_], id_)
        tuner.trial_end(id_, True)
    second = tuner.generate_multiple_parameters([9, 10, 11])
    best = [8, 7, 6] if mode == "maximize" else [0, 1, 2]
    assert second == [{**first[id_], BUDGET: 3} for id_ in best]
    for id_, value in zip((9, 10, 11), (1.0, 3.0, 2.0), strict=True):
        tuner.receive_trial_result(id_, second[id_ - 9], value)
        tuner.trial_end(id_, True)
    third = tuner.generate_parameters(12)
    assert third == {**second[1 if mode == "maximize" else 0], BUDGET: 9}


def test_what_a_trial_is_ranked_by() -> None:
    tuner = made(R=9)
    first = tuner.generate_multiple_parameters(list(range(9)))
    tell = tuner.receive_intermediate_result
    # 0 has a final result, which counts and not what it reported before.
    tell(0, "a", 0, 0.99)
    tuner.receive_trial_result(0, first[0], 0.5)
    # 1 has intermediate results alone: the latest counts, not the greatest, and not one out of order.
    for index, value in ((0, 0.1), (1, {"default": 0.9}), (2, 0.7), (1, 0.0)):
        tell(1, "b", index, value)
    # 2 was begun again.
    for index, value in ((0, 1.0), (1, 1.0), (0, 0.6)):
        tell(2, "c", index, value)
    tell(2, "c", 1, "no number")
    # 3 failed after intermediate results, 4 after its final one, which is kept.
    tell(3, "d", 0, 5.0)
    tuner.receive_trial_result(4, first[4], 0.65)
    # 5 reported nothing, 6 and 7 are the worst, 8 is still running; the first of its two results counts.
    tuner.receive_trial_result(6, first[6], math.nan)
    tuner.receive_trial_result(7, first[7], -math.inf)
    tuner.receive_trial_result(8, first[8], 0.1)
    tuner.receive_trial_result(8, first[8], 100)
    for id_ in range(8):
        tuner.trial_end(id_, id_ not in (3, 4))
    (other,) = tuner.generate_multiple_parameters([9])
    assert other[BUDGET] == 3
    assert other["x"] not in [parameters["x"] for parameters in first]
    tuner.trial_end(8, True)
    promoted = tuner.generate_multiple_parameters([10, 11, 12, 13])
    assert promoted[:3] == [{**first[id_], BUDGET: 3} for id_ in (1, 4, 2)]
    assert promoted[3]["x"] not in [parameters["x"] for parameters in first]


def test_what_is_no_number_or_the_worst_never_goes_on() -> None:
    """Row 58."""
    for mode, worst in (("maximize", -math.inf), ("minimize", math.inf)):
        tuner = made(R=9, optimize_mode=mode)
        first = tuner.generate_multiple_parameters(list(range(9)))
        for id_, value in enumerate([math.nan, worst, 1.0, math.nan, -worst, "text", None, {}, worst]):
            tuner.receive_trial_result(id_, first[id_], value)
            tuner.trial_end(id_, True)
        second = tuner.generate_multiple_parameters([9, 10, 11])
        assert second[:2] == [{**first[4], BUDGET: 3}, {**first[2], BUDGET: 3}]
        assert second[2]["x"] not in [parameters["x"] for parameters in first]


@pytest.mark.parametrize("exec_mode", ["parallelism", "serial"])
@pytest.mark.parametrize("most", [1, 5, 23, 50, 205])
def test_any_number_of_trials_ends_whatever_fails(exec_mode: str, most: int) -> None:
    """Row 115."""
    for share in (0.0, 0.3, 1.0):
        manager = Manager(made(R=81, exec_mode=exec_mode), 7)
        rng = random.Random(most)
        manager.run(lambda _, __, rng=rng, share=share: None if rng.random() < share else rng.random(), most)
        assert len(manager.started) >= most
        assert manager.running == []


def test_a_round_closes_with_fewer_trials() -> None:
    """Row 115: of nine trials seven fail; the two others go on, and one of those."""
    for exec_mode in ("parallelism", "serial"):
        manager = Manager(made(R=9, exec_mode=exec_mode, repeat=False), 1)
        manager.run(lambda id_, parameters: parameters["x"] if id_ in (2, 5) or id_ > 8 else None)
        budgets = [parameters[BUDGET] for parameters in manager.started.values()]
        assert budgets == [1] * 9 + [3] * 2 + [9] + [3] * 5 + [9] + [9] * 3
        good = sorted((manager.started[2], manager.started[5]), key=lambda parameters: -parameters["x"])
        assert [manager.started[9], manager.started[10]] == [{**parameters, BUDGET: 3} for parameters in good]


def test_a_serial_bracket_waits_and_hands_in_what_was_asked_for() -> None:
    tuner = made(R=9, exec_mode="serial")
    later: list[tuple[int, dict[str, Any]]] = []
    ids = list(range(12))
    first = tuner.generate_multiple_parameters(ids, st_callback=lambda *what: later.append(what))
    assert len(first) == 9
    with pytest.raises(NoMoreTrialError, match="the next round starts when 9 running trials have ended"):
        tuner.generate_parameters(100)
    for id_ in range(9):
        assert later == []
        tuner.receive_trial_result(id_, first[id_], id_)
        tuner.trial_end(id_, True)
    assert later == [(9 + place, {**first[8 - place], BUDGET: 3}) for place in range(3)]
    # Nothing is owed any more, and the bracket goes on.
    assert tuner.generate_multiple_parameters([50]) == []
    for id_ in (9, 10, 11):
        tuner.trial_end(id_, False)
    assert len(later) == 3
    assert tuner.generate_parameters(51)[BUDGET] == 3


def test_a_finite_space_is_tried_once_with_each_budget() -> None:
    space = {"x": {"_type": "randint", "_value": [0, 5]}}
    for exec_mode in ("parallelism", "serial"):
        manager = Manager(made(space, R=9, exec_mode=exec_mode), 2)
        manager.run(lambda _, parameters: parameters["x"])
        tried = Counter((parameters["x"], parameters[BUDGET]) for parameters in manager.started.values())
        assert {pair for pair in tried if pair[1] == 1} == {(x, 1) for x in range(5)}
        assert {x for x, budget in tried if budget == 9} == set(range(5))
        assert all(count == 1 for (_, budget), count in tried.items() if budget == 1)
        with pytest.raises(
            NoMoreTrialError, match="everything in the search space was tried with each budget"
        ):
            manager.tuner.generate_parameters(99_999)


def tuner_is_done(tuner: Hyperband) -> bool:
    return tuner.generate_multiple_parameters([99_999]) == []


def test_a_first_round_that_ran_out_shrinks_the_later_ones() -> None:
    manager = Manager(made({"x": {"_type": "randint", "_value": [0, 5]}}, R=9, repeat=False), 1)
    manager.run(lambda _, parameters: parameters["x"])
    budgets = [parameters[BUDGET] for parameters in manager.started.values()]
    # 5, then 1 of them; 4 new ones, then 1 of those; 3.
    assert budgets == [1] * 5 + [3] * 5 + [9] * 4
    assert manager.started[5] == {"x": 4, BUDGET: 3}


def test_what_was_tried_elsewhere_is_not_tried_with_that_budget_again() -> None:
    tuner = made({"x": {"_type": "randint", "_value": [0, 5]}}, R=1)
    tuner.import_data([{"parameter": {"x": 3}, "value": 1.0}, {"parameter": {"x": 2, BUDGET: 7}, "value": 1}])
    tuner.receive_trial_result(None, {"x": 0, BUDGET: 1}, 0.5, customized=True)
    found = [tuner.generate_parameters(id_)["x"] for id_ in range(3)]
    assert sorted(found) == [1, 2, 4]
    assert tuner_is_done(tuner)


def test_a_trial_that_ran_with_other_parameters_goes_on_with_those() -> None:
    tuner = made({"x": {"_type": "loguniform", "_value": [0.01, 1]}}, R=3)
    first = tuner.generate_multiple_parameters([0, 1, 2])
    tuner.receive_trial_result(0, {"x": 0.1, BUDGET: 1}, 1.0)
    tuner.receive_trial_result(1, first[1], 0.0)
    for id_ in range(3):
        tuner.trial_end(id_, True)
    assert math.exp(math.log(0.1)) != 0.1
    assert tuner.generate_parameters(3) == {"x": 0.1, BUDGET: 3}


def test_a_changed_space_keeps_what_is_still_in_it() -> None:
    tuner = made(R=9)
    first = tuner.generate_multiple_parameters(list(range(9)))
    middle = sorted(parameters["x"] for parameters in first)[4]
    for id_ in range(8):
        tuner.receive_trial_result(id_, first[id_], first[id_]["x"])
        tuner.trial_end(id_, True)
    tuner.update_search_space({"x": {"_type": "uniform", "_value": [0, middle]}})
    tuner.receive_trial_result(8, first[8], first[8]["x"])
    tuner.trial_end(8, True)
    promoted = tuner.generate_multiple_parameters([9, 10, 11])
    assert [parameters["x"] for parameters in promoted] == sorted(
        (parameters["x"] for parameters in first if parameters["x"] <= middle), reverse=True
    )[:3]
    tuner.update_search_space({"x": {"_type": "uniform", "_value": [2, 3]}})
    for id_ in (9, 10, 11):
        tuner.trial_end(id_, True)
    (parameters,) = tuner.generate_multiple_parameters([12])
    assert 2 <= parameters["x"] <= 3


def test_a_wider_space_keeps_all_that_goes_on() -> None:
    def space(high: float) -> dict[str, Any]:
        return {
            "x": {"_type": "loguniform", "_value": [1e-5, high]},
            "n": {"_type": "randint", "_value": [0, 9]},
        }

    tuner = made(space(1), R=81)
    first = tuner.generate_multiple_parameters(list(range(81)))
    tuner.update_search_space(space(2))
    for id_, parameters in enumerate(first):
        tuner.receive_trial_result(id_, parameters, id_)
        tuner.trial_end(id_, True)
    second = tuner.generate_multiple_parameters(list(range(81, 108)))
    assert second == [{**first[id_], BUDGET: 3} for id_ in range(80, 53, -1)]


def test_the_name_of_the_budget_is_taken() -> None:
    with pytest.raises(ValueError, match="the name TRIAL_BUDGET is taken"):
        made({BUDGET: SPACE["x"]})
    (problem,) = check_algorithm("tuner", "Hyperband", None, {BUDGET: SPACE["x"]})
    assert problem == "search space: TRIAL_BUDGET: the name is taken: a trial gets its budget under it"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"R": 0}, "R is 0; it should be an integer of at least 1"),
        ({"R": 2.5}, "R is 2.5; it should be an integer of at least 1"),
        ({"eta": 1}, "eta is 1; it should be an integer of at least 2"),
        ({"exec_mode": "both"}, "exec_mode is 'both'; it should be one of 'parallelism', 'serial'"),
        ({"repeat": 1}, "repeat is 1; it should be true or false"),
        ({"r": 1}, "unknown argument 'r'; it takes optimize_mode, seed, R, eta, exec_mode, repeat"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, Any], text: str) -> None:
    assert check_algorithm("tuner", "hyperband", arguments, SPACE) == [f"tuner Hyperband: {text}"]
    if "r" not in arguments and "repeat" not in arguments and arguments.get("R") != 2.5:
        with pytest.raises(ValueError, match="should be"):
            Hyperband(**arguments)


def test_what_a_caller_does_to_parameters_changes_nothing() -> None:
    space = {"n": {"_type": "choice", "_value": [{"_name": "a", **SPACE}]}}
    tuner = made(space, R=3)
    first = tuner.generate_multiple_parameters([0, 1, 2])
    kept = [parameters["n"]["x"] for parameters in first]
    for id_, parameters in enumerate(first):
        parameters["n"].clear()
        tuner.receive_trial_result(id_, parameters, id_)
        tuner.trial_end(id_, True)
    assert tuner.generate_parameters(3)["n"]["x"] == kept[2]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("exec_mode", ["parallelism", "serial"])
@pytest.mark.parametrize("kind", ["endless", "finite"])
def test_one_made_anew_goes_on_as_the_one_before(kind: str, exec_mode: str, seed: int) -> None:
    """With intermediate results, failures, and what is owed to a serial one."""
    space = SPACE if kind == "endless" else {"x": {"_type": "randint", "_value": [0, 25]}}
    runs = []
    for dies in (False, True):
        story = Story(space, exec_mode)
        rng = random.Random(seed)
        for number in range(400):
            story.step(rng)
            if dies and number % 60 == 37:
                story.rebuild()
        runs.append(story.manager.started)
    assert runs[0] == runs[1]
    assert list(runs[0]) == list(runs[1])
    assert len(runs[0]) > 60
    assert len({parameters[BUDGET] for parameters in runs[0].values()}) == 4


class Story:
    """A search of which every call is noted, so that a new tuner can be told them."""

    def __init__(self, space: dict[str, Any], exec_mode: str) -> None:
        self._make = lambda: made(space, R=27, exec_mode=exec_mode)
        self._calls: list[tuple[str, tuple[Any, ...]]] = []
        self.manager = Manager(self._make(), 5)
        self.manager.start = self._start  # type: ignore[method-assign]

    def _start(self, id_: int, parameters: dict[str, Any]) -> None:
        Manager.start(self.manager, id_, parameters)
        self._calls.append(("restore_proposal", (id_, parameters)))

    def _tell(self, name: str, *arguments: Any) -> None:
        self._calls.append((name, arguments))
        getattr(self.manager.tuner, name)(*arguments)

    def rebuild(self) -> None:
        tuner, handed_in = self._make(), []
        for name, arguments in self._calls:
            if name == "restore_refusal":
                arguments = (*arguments, lambda *what: handed_in.append(what))
            getattr(tuner, name)(*arguments)
        # What it handed in by itself is what the one before did.
        assert all(self.manager.started[id_] == parameters for id_, parameters in handed_in)
        tuner._owed.update(dict.fromkeys(tuner._owed, self.manager.start))
        self.manager.tuner = tuner

    def step(self, rng: random.Random) -> None:
        manager = self.manager
        before = manager._next_id
        manager.fill()
        refused = [id_ for id_ in range(before, manager._next_id) if id_ not in manager.started]
        if refused:
            self._calls.append(("restore_refusal", (refused,)))
        id_ = rng.choice(manager.running) if manager.running else 0
        what, value = rng.random(), rng.random()
        if what < 0.4 or not manager.running:
            self._tell("receive_intermediate_result", id_, "t", int(what * 10), value)
            return
        if what < 0.8:
            self._tell("receive_trial_result", id_, manager.started[id_], value)
        manager.running.remove(id_)
        self._tell("trial_end", id_, what < 0.95)
