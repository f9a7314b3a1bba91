"""Many trials to which everything happens that may: no exception, no value out of the space, right types.

tools/fuzz_algorithms.py runs the same with 2,000 trials for every tuner in every search space.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nni_manager.algorithms.tuner import Tuner
from nni_manager.testing.algorithm_runs import RUNNERS, SPACE_NAMES, run
from nni_manager.testing.search_spaces import FINITE
from nni_manager.testing.tuner_marathon import Marathon, problems_in

QUICK = [name for name, runner in RUNNERS.items() if runner.needs_numpy_alone]
SLOW = [name for name in RUNNERS if name not in QUICK]
TRIALS = {"TPE": 200, "TPE_legacy": 200}
"""Of those that take longer here; the rest has 500: some rounds of Hyperband, many generations of PBT."""


@pytest.fixture(autouse=True)
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNI_CHECKPOINT_DIRECTORY", str(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("space", SPACE_NAMES)
@pytest.mark.parametrize("name", QUICK)
def test_many_trials_of_a_quick_tuner(name: str, space: str) -> None:
    assert run(name, space, TRIALS.get(name, 500), 1) > 0


@pytest.mark.parametrize("space", SPACE_NAMES)
@pytest.mark.parametrize("name", QUICK)
@given(seed=st.integers(0, 2**31))
@settings(max_examples=3)
def test_some_trials_of_a_quick_tuner(name: str, space: str, seed: int) -> None:
    assert run(name, space, 50, seed) > 0


@pytest.mark.slow
@pytest.mark.parametrize("space", ["mixed", "nested", "finite"])
@pytest.mark.parametrize("name", SLOW)
def test_some_trials_of_a_tuner_with_a_model(name: str, space: str) -> None:
    assert run(name, space, 16, 1) > 0


class Wrong(Tuner):
    """Proposes what is not in the search space, after a while."""

    def __init__(self, wrong: Any) -> None:
        self.wrong = wrong

    def update_search_space(self, search_space: Any) -> None: ...

    def generate_parameters(self, parameter_id: int, **kwargs: Any) -> Any:
        return {"a": 0, "b": {"_name": "none"}} if parameter_id < 50 else self.wrong

    def receive_trial_result(self, *arguments: Any, **kwargs: Any) -> None: ...

    def import_data(self, data: Any) -> None: ...


@pytest.mark.parametrize(
    "wrong", [{"a": 3, "b": {"_name": "none"}}, {"a": 0.0, "b": {"_name": "none"}}, {"a": 0}, "text"]
)
def test_what_is_wrong_is_found(wrong: Any) -> None:
    with pytest.raises(AssertionError):
        Marathon(Wrong(wrong), random.Random(0), problems_in(FINITE)).run(100)
