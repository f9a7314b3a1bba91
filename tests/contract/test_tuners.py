"""The tuner contract for every built-in tuner, and that one made anew goes on as the one before."""

from __future__ import annotations

import json
import math
import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nni_manager.algorithms.registry import built_in_algorithms
from nni_manager.algorithms.tuner import Tuner
from nni_manager.algorithms.tuners.batch import BatchTuner
from nni_manager.algorithms.tuners.bohb import BOHB
from nni_manager.algorithms.tuners.dngo import DNGOTuner
from nni_manager.algorithms.tuners.evolution import EvolutionTuner
from nni_manager.algorithms.tuners.gp import GPTuner
from nni_manager.algorithms.tuners.grid_search import GridSearchTuner
from nni_manager.algorithms.tuners.hyperband import Hyperband
from nni_manager.algorithms.tuners.hyperopt import HyperoptTuner
from nni_manager.algorithms.tuners.metis import MetisTuner
from nni_manager.algorithms.tuners.optuna import OptunaTuner
from nni_manager.algorithms.tuners.pbt import PBTTuner
from nni_manager.algorithms.tuners.random import RandomTuner
from nni_manager.algorithms.tuners.smac import SMACTuner
from nni_manager.algorithms.tuners.tpe import TpeTuner
from nni_manager.engine.effects import (
    RequestParameters,
    TellFinalResult,
    TellImportedTrials,
    TellSearchSpace,
    TellTrialEnd,
)
from nni_manager.engine.events import ParametersProposed, ParametersRefused
from nni_manager.engine.statuses import TrialStatus
from nni_manager.testing.search_spaces import FINITE, SPACES, parameter_problems
from nni_manager.testing.tuner import MakeTuner, TunerContract
from nni_manager.tuning.requests import request_of
from nni_manager.tuning.told_history import ToldHistory
from nni_manager.tuning.tuner_dispatcher import TunerDispatcher
from nni_proto import values
from nni_proto.v1.algorithm_pb2 import AlgorithmResponse

SEEDS = int(os.environ.get("NNI_TEST_SEEDS", "1"))
"""How many orders of events each tuner meets in each search space before and between its deaths."""
REBUILT_SPACES = ("mixed", "nested", "choice", "qloguniform", "normal")
VALUES = [0.5, 1, 2.5, {"default": 0.25, "text": "x"}, math.nan, math.inf, "no number", {"other": 1}, None]


class Search:
    """A tuner that is told what a plan says; it may be made anew at any moment.

    Attributes:
        suggestions: All it proposed, None for each refusal.
    """

    def __init__(self, make: MakeTuner, space: dict[str, Any]) -> None:
        self.suggestions: list[Any] = []
        self._make = make
        self._space = space
        self._history: list[Any] = []
        self._running: dict[int, Any] = {}
        self._next_id = self._number = 0
        self._sent: list[AlgorithmResponse] = []
        self._dispatcher = self._fresh()[1]

    def _fresh(self) -> tuple[Tuner, TunerDispatcher]:
        tuner = self._make("maximize")
        tuner.update_search_space(self._space)
        return tuner, TunerDispatcher(tuner, self._sent.append)

    def rebuild(self) -> None:
        tuner, self._dispatcher = self._fresh()
        told = ToldHistory(tuner, self._dispatcher)
        for entry in self._history:
            told.take(request_of(entry))
        assert len(told.end()) == 1
        assert self._sent == []

    def step(self, rng: random.Random) -> None:
        """Does one thing; the random numbers say what."""
        what, which, value = rng.random(), rng.random(), rng.choice(VALUES)
        if not self._running or (len(self._running) < 6 and what < 0.5):
            self.ask(1 + int(which * 3))
        elif what < 0.8:
            parameter_id = list(self._running)[int(which * len(self._running))]
            self.finish(parameter_id, self._running[parameter_id], value)
        elif what < 0.85:
            self.end(next(iter(self._running)), TrialStatus.FAILED)
        elif what < 0.9:
            own = dict.fromkeys(self._space, which) if which < 0.5 else next(iter(self._running.values()))
            self.tell(TellFinalResult(self.number(), "own", None, own, value, customized=True))
        elif what < 0.93:
            trials = ({"parameter": own, "value": 1.0} for own in list(self._running.values())[:2])
            self.tell(TellImportedTrials(self.number(), tuple(trials)))
        else:
            self.finish(10_000, {"never": "proposed"}, value)

    def number(self) -> int:
        self._number += 1
        return self._number

    def tell(self, call: Any) -> None:
        self._history.append(call)
        self._dispatcher.handle(request_of(call))
        self.take_answers()

    def ask(self, count: int) -> None:
        ids = tuple(range(self._next_id, self._next_id + count))
        self._next_id += count
        self.tell(RequestParameters(self.number(), ids))

    def take_answers(self) -> None:
        for response in self._sent:
            if response.HasField("propose"):
                parameters = values.from_message(response.propose.parameters)
                self._running[response.propose.parameter_id] = parameters
                self._history.append(ParametersProposed(response.propose.parameter_id, parameters, 0.0))
                self.suggestions.append(parameters)
            else:
                self._history.append(ParametersRefused(tuple(response.refuse.parameter_ids), ""))
                self.suggestions.append(None)
        self._sent.clear()

    def finish(self, parameter_id: int, parameters: Any, value: Any) -> None:
        call = TellFinalResult(self.number(), "trial", parameter_id, parameters, value, customized=False)
        self.tell(call)
        self.end(parameter_id, TrialStatus.SUCCEEDED)

    def end(self, parameter_id: int, status: TrialStatus) -> None:
        self._running.pop(parameter_id, None)
        self.tell(TellTrialEnd(self.number(), "trial", parameter_id, status))

    def change(self, space: dict[str, Any]) -> None:
        self.tell(TellSearchSpace(self.number(), space))


class RebuildContract:
    """Tests of a tuner that is made anew. A subclass provides the fixture `make` and names the class.

    Attributes:
        tuner: The class.
        steps: How much happens in a run; less where a suggestion takes long.
    """

    tuner: type[Tuner]
    steps = 150

    @pytest.mark.parametrize(
        ("name", "seed"),
        [(name, first + more) for first, name in enumerate(REBUILT_SPACES) for more in range(SEEDS)],
    )
    def test_after_five_deaths_the_next_suggestions_are_those_of_an_undisturbed_run(
        self, make: MakeTuner, name: str, seed: int
    ) -> None:
        """Each search space has an order of events of its own, and NNI_TEST_SEEDS as many as it says.

        After the last death, as many suggestions are compared as show a difference that stays.
        """
        deaths = random.Random(seed).sample(range(self.steps), 5)
        runs = []
        for dies in (False, True):
            search, rng = Search(make, SPACES[name]), random.Random(seed)
            for number in range(self.steps):
                search.step(rng)
                if dies and number in deaths:
                    search.rebuild()
            if dies:
                search.rebuild()
            for _ in range(min(20, self.steps // 3)):
                search.ask(1)
            runs.append(search.suggestions)
        assert json.dumps(runs[0]) == json.dumps(runs[1])
        assert len(runs[0]) > 0.4 * self.steps

    def test_a_change_of_the_search_space_is_part_of_the_history(self, make: MakeTuner) -> None:
        runs = []
        for dies in (False, True):
            search, rng = Search(make, SPACES["mixed"]), random.Random(1)
            for number in range(self.steps):
                search.step(rng)
                if number == self.steps // 2:
                    search.change({**SPACES["mixed"], "layers": {"_type": "randint", "_value": [5, 20]}})
                if dies and number % 25 == 0:
                    search.rebuild()
            for _ in range(20):
                search.ask(1)
            runs.append(search.suggestions)
        assert json.dumps(runs[0]) == json.dumps(runs[1])

    @given(
        order=st.permutations(["result", "result", "end", "end", "unknown", "customized", "imported"]),
        value=st.sampled_from([*VALUES, 10**400, -math.inf, [], True]),
        own=st.sampled_from([{}, "text", None, {"lr": 10**400, "layers": 3}, {"lr": 0.1, "layers": 5.0}]),
    )
    # Every class that has this test runs all of it.
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    def test_no_order_of_messages_is_an_error(
        self, request: pytest.FixtureRequest, order: list[str], value: Any, own: Any
    ) -> None:
        make: MakeTuner = request.getfixturevalue("make")
        search = Search(make, SPACES["mixed"])
        search.ask(3)
        first = search.suggestions[0]
        for what in order:
            if what == "result":
                call = TellFinalResult(search.number(), "trial", 0, first, value, customized=False)
                search.tell(call)
            elif what == "end":
                search.end(0, TrialStatus.FAILED)
            elif what == "unknown":
                search.finish(77, own, value)
            elif what == "customized":
                call = TellFinalResult(search.number(), "own", None, own, value, customized=True)
                search.tell(call)
                search.tell(TellTrialEnd(search.number(), "own", None, TrialStatus.SUCCEEDED))
            else:
                search.tell(TellImportedTrials(search.number(), ({"parameter": own, "value": value},)))
        search.rebuild()
        search.ask(2)
        assert None not in search.suggestions

    def test_what_a_user_tried_in_a_finite_space_is_not_tried_again(self, make: MakeTuner) -> None:
        tuner = make("minimize")
        tuner.update_search_space(FINITE)
        (first,) = tuner.generate_multiple_parameters([0])
        other = make("minimize")
        other.update_search_space(FINITE)
        other.receive_trial_result(None, first, 1.0, customized=True)  # type: ignore[arg-type]
        (second,) = tuner.generate_multiple_parameters([1])
        other.import_data([{"parameter": second, "value": 1.0}])
        rest = other.generate_multiple_parameters(list(range(20)))
        assert len(rest) == 7
        assert first not in rest
        assert second not in rest


class TestRandom(TunerContract, RebuildContract):
    tuner = RandomTuner

    @pytest.fixture
    def make(self) -> MakeTuner:
        return lambda mode: RandomTuner(optimize_mode=mode, seed=7)


class TestGridSearch(TunerContract, RebuildContract):
    tuner = GridSearchTuner

    @pytest.fixture
    def make(self) -> MakeTuner:
        return lambda mode: GridSearchTuner(optimize_mode=mode)


class TestTpe(TunerContract, RebuildContract):
    tuner = TpeTuner

    @pytest.fixture
    def make(self) -> MakeTuner:
        return lambda mode: TpeTuner(optimize_mode=mode, seed=7)


class TestTpeWithoutStartup(TunerContract, RebuildContract):
    """The model is used from the third result on, and running trials count as good."""

    tuner = TpeTuner

    @pytest.fixture
    def make(self) -> MakeTuner:
        def made(mode: str) -> Tuner:
            return TpeTuner(mode, seed=7, tpe_args={"n_startup_jobs": 2, "constant_liar_type": "best"})

        return made


class TestTpeLegacy(TunerContract, RebuildContract):
    tuner = HyperoptTuner

    @pytest.fixture
    def make(self) -> MakeTuner:
        return lambda mode: HyperoptTuner("tpe", mode, seed=7)


class TestAnneal(TunerContract, RebuildContract):
    tuner = HyperoptTuner

    @pytest.fixture
    def make(self) -> MakeTuner:
        return lambda mode: HyperoptTuner("anneal", mode, seed=7)


class TestAnnealWithLiars(TunerContract, RebuildContract):
    tuner = HyperoptTuner

    @pytest.fixture
    def make(self) -> MakeTuner:
        return lambda mode: HyperoptTuner("anneal", mode, True, "mean", seed=7)


class TestEvolution(TunerContract, RebuildContract):
    tuner = EvolutionTuner

    @pytest.fixture
    def make(self) -> MakeTuner:
        return lambda mode: EvolutionTuner(mode, seed=7)


class TestEvolutionOfFew(TunerContract, RebuildContract):
    """More trials run at once than are alive."""

    tuner = EvolutionTuner

    @pytest.fixture
    def make(self) -> MakeTuner:
        return lambda mode: EvolutionTuner(mode, population_size=3, seed=7)


class OptunaContract(TunerContract, RebuildContract):
    """The contract for one of Optuna's samplers, that starts to model after a few results."""

    tuner = OptunaTuner
    sampler = "TPESampler"
    sampler_args: dict[str, Any] = {}
    steps = 50
    proposals = 25

    @pytest.fixture
    def make(self) -> MakeTuner:
        return lambda mode: OptunaTuner(self.sampler, self.sampler_args, mode, seed=7)


class TestOptunaTpe(OptunaContract):
    sampler_args = {"n_startup_trials": 3}


class TestOptunaRandom(OptunaContract):
    sampler = "RandomSampler"


class TestOptunaCmaEs(OptunaContract):
    sampler = "CmaEsSampler"
    sampler_args = {"n_startup_trials": 3, "popsize": 4}


class TestOptunaNsgaII(OptunaContract):
    sampler = "NSGAIISampler"
    sampler_args = {"population_size": 4}


class TestOptunaQmc(OptunaContract):
    sampler = "QMCSampler"
    sampler_args = {"scramble": True}


class BudgetTests:
    """What holds in place of tests of a finite space where parameters come again with other budgets."""

    def test_a_finite_space_is_proposed_once_with_pending_trials(self, make: MakeTuner) -> None:
        tuner = make("minimize")
        tuner.update_search_space(FINITE)
        proposed: list[Any] = []
        while fresh := tuner.generate_multiple_parameters(list(range(len(proposed), len(proposed) + 7))):
            proposed += fresh
        budgets = {parameters["TRIAL_BUDGET"] for parameters in proposed}
        names = {json.dumps(parameters, sort_keys=True) for parameters in proposed}
        assert len(proposed) == len(names) == 9 * len(budgets)

    def test_what_a_user_tried_in_a_finite_space_is_not_tried_again(self, make: MakeTuner) -> None:
        tuner = make("minimize")
        tuner.update_search_space(FINITE)
        first, second = tuner.generate_multiple_parameters([0, 1])
        other = make("minimize")
        other.update_search_space(FINITE)
        other.receive_trial_result(None, first, 1.0, customized=True)  # type: ignore[arg-type]
        other.import_data([{"parameter": second, "value": 1.0}])
        rest = other.generate_multiple_parameters(list(range(100)))
        assert first not in rest
        assert second not in rest
        same_budget = [it for it in rest if it["TRIAL_BUDGET"] == first["TRIAL_BUDGET"]]
        assert len(same_budget) == 7


class TestHyperband(BudgetTests, TunerContract, RebuildContract):
    tuner = Hyperband

    @pytest.fixture
    def make(self) -> MakeTuner:
        return lambda mode: Hyperband(mode, R=27, seed=7)


class TestHyperbandSerial(RebuildContract):
    """What is asked for while a round is awaited is handed in later."""

    tuner = Hyperband
    test_what_a_user_tried_in_a_finite_space_is_not_tried_again = (
        BudgetTests.test_what_a_user_tried_in_a_finite_space_is_not_tried_again
    )

    @pytest.fixture
    def make(self) -> MakeTuner:
        return lambda mode: Hyperband(mode, R=9, exec_mode="serial", seed=7)


class TestBohb(BudgetTests, TunerContract, RebuildContract):
    tuner = BOHB

    @pytest.fixture
    def make(self) -> MakeTuner:
        return lambda mode: BOHB(mode, max_budget=9, num_samples=8, top_n_percent=50, seed=7)


class CalledByHand(PBTTuner):
    """Has what the manager gives it where a test does not."""

    def generate_multiple_parameters(self, parameter_id_list: list[int], **kwargs: Any) -> list[Any]:
        callback = {"st_callback": lambda *_: None}
        return super().generate_multiple_parameters(parameter_id_list, **callback, **kwargs)


class TestPbt(TunerContract):
    """A population that is larger than the tests, which do not end all trials."""

    @pytest.fixture
    def make(self, tmp_path: Path) -> MakeTuner:
        return lambda mode: CalledByHand(mode, str(tmp_path), population_size=64, seed=7)

    def test_a_finite_space_is_proposed_once_with_pending_trials(self, make: MakeTuner) -> None:
        """Members may have the same parameters, and train with them again and again."""
        tuner = make("minimize")
        tuner.update_search_space(FINITE)
        assert len(tuner.generate_multiple_parameters(list(range(100)))) == 64


class TestPbtGenerations(RebuildContract):
    tuner = PBTTuner

    @pytest.fixture
    def make(self, tmp_path: Path) -> MakeTuner:
        return lambda mode: PBTTuner(mode, str(tmp_path), population_size=5, seed=7)

    def test_what_a_user_tried_in_a_finite_space_is_not_tried_again(self, make: MakeTuner) -> None:
        """There is no checkpoint of the population behind it, so it changes nothing."""
        searches = [Search(make, FINITE) for _ in range(2)]
        searches[1].tell(TellFinalResult(1, "own", None, {"a": 1}, 1.0, customized=True))
        for search in searches:
            search.ask(7)
        assert searches[0].suggestions == searches[1].suggestions


class TestDngo(TunerContract, RebuildContract):
    tuner = DNGOTuner
    steps = 60
    proposals = 20

    @pytest.fixture
    def make(self) -> MakeTuner:
        return lambda mode: DNGOTuner(mode, 100, trials_per_update=4, num_epochs_per_training=30, seed=7)


class TestGp(TunerContract, RebuildContract):
    tuner = GPTuner
    steps = 30
    proposals = 12

    @pytest.fixture
    def make(self) -> MakeTuner:
        arguments = {"selection_num_warm_up": 60, "selection_num_starting_points": 3}
        return lambda mode: GPTuner(mode, cold_start_num=5, seed=7, **arguments)


class TestMetis(TunerContract, RebuildContract):
    tuner = MetisTuner
    steps = 30
    proposals = 12

    @pytest.fixture
    def make(self) -> MakeTuner:
        return lambda mode: MetisTuner(mode, selection_num_starting_points=6, cold_start_num=5, seed=7)


class TestSmac(TunerContract, RebuildContract):
    tuner = SMACTuner
    steps = 30
    proposals = 10

    @pytest.fixture
    def make(self) -> MakeTuner:
        def made(mode: str) -> Tuner:
            tuner = SMACTuner(mode, seed=7)
            tuner._cold_start_num = 4
            return tuner

        return made

    def test_a_changed_space_holds_from_the_next_trial_on(self, make: MakeTuner) -> None:
        """It is refused, and the old one holds."""
        tuner = make("minimize")
        tuner.update_search_space(SPACES["mixed"])
        with pytest.raises(ValueError, match="SMAC cannot change its search space while it runs"):
            tuner.update_search_space(SPACES["nested"])
        (parameters,) = tuner.generate_multiple_parameters([0])
        assert parameter_problems(parameters, SPACES["mixed"]) == []

    def test_a_change_of_the_search_space_is_part_of_the_history(self, make: MakeTuner) -> None:
        """It is refused, and nothing is different."""
        searches = [Search(make, SPACES["mixed"]) for _ in range(2)]
        searches[1]._dispatcher.handle(request_of(TellSearchSpace(1, SPACES["nested"])))
        (refusal,) = searches[1]._sent
        assert "SMAC cannot change its search space" in str(refusal)
        searches[1]._sent.clear()
        for search in searches:
            rng = random.Random(1)
            for _ in range(self.steps):
                search.step(rng)
        assert searches[0].suggestions == searches[1].suggestions


ELSEWHERE = {BatchTuner: "its search space is a list of points: test_algorithms_batch.py has its contract"}
"""Tuners to which these search spaces mean nothing."""


def test_every_built_in_tuner_is_held_to_these_contracts() -> None:
    held = {contract.tuner for contract in RebuildContract.__subclasses__()}
    assert held | ELSEWHERE.keys() == {built_in.load() for built_in in built_in_algorithms("tuner")}
