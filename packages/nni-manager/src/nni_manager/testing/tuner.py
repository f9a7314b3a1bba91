"""What every built-in tuner keeps to, whatever it is told; bound to each in tests/contract."""

# ruff: noqa: D102 - the names of the tests say what they hold.
from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nni_manager.algorithms.tuner import Tuner
from nni_manager.testing.search_spaces import FINITE, SPACES, parameter_problems, without_added

MakeTuner = Callable[[str], Tuner]

_RESULTS = st.one_of(
    st.floats(),
    st.integers(-(10**400), 10**400),
    st.booleans(),
    st.fixed_dictionaries({"default": st.floats(), "text": st.text()}),
    st.sampled_from(["no number", None, {}, {"default": "x"}, [1.0]]),
)
_EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "result", "end", "customized", "import"]), st.integers(0, 12), _RESULTS
    ),
    max_size=60,
)

_NO_ID: Any = None


class TunerContract:
    """Tests of a tuner. A subclass provides the fixture `make`.

    Attributes:
        proposals: How many are asked for in each search space; fewer where one takes long.
    """

    proposals = 60

    @pytest.fixture
    def make(self) -> MakeTuner:
        """Returns what makes a tuner for an optimize_mode, always with the same seed if it takes one."""
        raise NotImplementedError

    @pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
    @pytest.mark.parametrize("mode", ["minimize", "maximize"])
    def test_every_proposal_is_in_the_space(self, make: MakeTuner, space: dict[str, Any], mode: str) -> None:
        tuner = make(mode)
        tuner.update_search_space(space)
        for parameter_id in range(self.proposals):
            for parameters in tuner.generate_multiple_parameters([parameter_id]):
                assert parameter_problems(without_added(parameters), space) == []
                assert json.loads(json.dumps(parameters)) == parameters
                tuner.receive_trial_result(parameter_id, parameters, math.sin(parameter_id))
                tuner.trial_end(parameter_id, True)

    def test_a_finite_space_is_proposed_once_with_pending_trials(self, make: MakeTuner) -> None:
        tuner = make("minimize")
        tuner.update_search_space(FINITE)
        proposed = tuner.generate_multiple_parameters(list(range(6)))
        for parameter_id, parameters in enumerate(proposed[:4]):
            tuner.receive_trial_result(parameter_id, parameters, 1.0)
            tuner.trial_end(parameter_id, parameter_id != 3)
        proposed += tuner.generate_multiple_parameters(list(range(6, 20)))
        assert len(proposed) == len({json.dumps(parameters, sort_keys=True) for parameters in proposed}) == 9
        assert tuner.generate_multiple_parameters([20, 21]) == []

    @pytest.mark.parametrize(
        "space", [SPACES["mixed"], SPACES["nested"], FINITE], ids=["mixed", "nested", "finite"]
    )
    @given(events=_EVENTS)
    @settings(max_examples=25, deadline=None)
    def test_no_order_of_events_breaks_it(
        self, request: pytest.FixtureRequest, space: dict[str, Any], events: list[tuple[str, int, Any]]
    ) -> None:
        make: MakeTuner = request.getfixturevalue("make")
        tuner = make("maximize")
        tuner.update_search_space(space)
        asked: list[Any] = []
        for kind, number, result in events:
            known = asked[number % len(asked)] if asked else {}
            if kind == "ask":
                asked += tuner.generate_multiple_parameters([len(asked)])
                assert all(parameter_problems(without_added(parameters), space) == [] for parameters in asked)
            elif kind == "result":
                tuner.receive_trial_result(number, known, result, customized=False, trial_job_id="abcde")
            elif kind == "end":
                tuner.trial_end(number, bool(result))
            elif kind == "import":
                tuner.import_data([{"parameter": known, "value": result}])
            elif tuner._accept_customized:
                tuner.receive_trial_result(_NO_ID, {"lr": number, "n": 1}, result, customized=True)
                tuner.trial_end(_NO_ID, True)

    def test_a_changed_space_holds_from_the_next_trial_on(self, make: MakeTuner) -> None:
        tuner = make("minimize")
        tuner.update_search_space({"x": {"_type": "uniform", "_value": [0, 1]}})
        for parameter_id in range(30):
            (parameters,) = tuner.generate_multiple_parameters([parameter_id])
            if parameter_id % 5:
                tuner.receive_trial_result(parameter_id, parameters, parameters["x"])
        changed = {
            "x": {"_type": "uniform", "_value": [0.5, 2]},
            "y": {"_type": "choice", "_value": ["a", "b"]},
        }
        tuner.update_search_space(changed)
        for parameter_id in range(30, 60):
            (parameters,) = tuner.generate_multiple_parameters([parameter_id])
            assert parameter_problems(without_added(parameters), changed) == []
            tuner.receive_trial_result(parameter_id - 5, parameters, 1.0)

    def test_the_same_seed_gives_the_same_run(self, make: MakeTuner) -> None:
        runs: list[list[Any]] = []
        for _ in range(2):
            tuner = make("minimize")
            tuner.update_search_space(SPACES["mixed"])
            runs.append([])
            for parameter_id in range(40):
                (parameters,) = tuner.generate_multiple_parameters([parameter_id])
                runs[-1].append(parameters)
                tuner.receive_trial_result(parameter_id, parameters, parameters["drop"])
        assert runs[0] == runs[1]

    def test_an_unknown_optimize_mode_is_refused(self, make: MakeTuner) -> None:
        with pytest.raises(ValueError, match="best"):
            make("best")
