"""The tuner contract for every built-in tuner."""

from __future__ import annotations

import pytest
from nni_manager.algorithms.tuner import Tuner
from nni_manager.algorithms.tuners.grid_search import GridSearchTuner
from nni_manager.algorithms.tuners.random import RandomTuner
from nni_manager.algorithms.tuners.tpe import TpeTuner
from nni_manager.testing.tuner import MakeTuner, TunerContract


class TestRandom(TunerContract):
    @pytest.fixture
    def make(self) -> MakeTuner:
        return lambda mode: RandomTuner(optimize_mode=mode, seed=7)


class TestGridSearch(TunerContract):
    @pytest.fixture
    def make(self) -> MakeTuner:
        return lambda mode: GridSearchTuner(optimize_mode=mode)


class TestTpe(TunerContract):
    @pytest.fixture
    def make(self) -> MakeTuner:
        return lambda mode: TpeTuner(optimize_mode=mode, seed=7)


class TestTpeWithoutStartup(TunerContract):
    """The model is used from the third result on, and running trials count as good."""

    @pytest.fixture
    def make(self) -> MakeTuner:
        def made(mode: str) -> Tuner:
            return TpeTuner(mode, seed=7, tpe_args={"n_startup_jobs": 2, "constant_liar_type": "best"})

        return made
