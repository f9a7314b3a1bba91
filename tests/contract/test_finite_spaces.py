"""Rows 111 and 112: no tuner proposes a point of a finite search space twice, running trials counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nni_manager.algorithms.registry import BuiltIn, built_in_algorithms
from nni_manager.engine.statuses import TrialStatus
from nni_manager.testing.tuner_story import TunerStory

THREES = {name: {"_type": "randint", "_value": [0, 3]} for name in "ab"}
TWOS = {name: {"_type": "choice", "_value": [0, 1]} for name in "abcd"}
SPACES = {"9 points": (THREES, 9), "16 points": (TWOS, 16)}

TUNERS = {built_in.name: built_in for built_in in built_in_algorithms("tuner")}
WITH_BUDGETS = {"Hyperband": {"R": 3, "repeat": False}, "BOHB": {"max_budget": 3, "repeat": False}}
"""Each point comes once with each budget, as the algorithms say."""
ENDLESS = {"PBT": "the members of a population go on with the parameters that they have"}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "TPE": {"tpe_args": {"n_startup_jobs": 3}},
    "GP": {"cold_start_num": 3, "selection_num_warm_up": 50, "selection_num_starting_points": 0},
    "Metis": {"cold_start_num": 3, "selection_num_starting_points": 3},
    "DNGO": {"trials_per_update": 3, "num_epochs_per_training": 20, "sample_size": 50},
    "Optuna": {"sampler_args": {"n_startup_trials": 3}},
}


def story_of(built_in: BuiltIn, space: dict[str, Any], points: int) -> TunerStory:
    if built_in.name == "Batch":
        space = {"point": {"_type": "choice", "_value": list(range(points))}}
    arguments = {**built_in.fixed_arguments, **ARGUMENTS.get(built_in.name, {})}
    tuner = built_in.load()(**arguments, **WITH_BUDGETS.get(built_in.name, {}), seed=3)
    tuner.update_search_space(space)
    return TunerStory(tuner)


def proposed(story: TunerStory, concurrency: int) -> list[str]:
    """Asks for 100 trials, so many at once; every fifth fails. The experiment would be DONE where it ends."""
    names = []
    for parameter_id in range(100):
        parameters = story.ask(parameter_id)
        if parameters is None and not story.running:
            break
        if parameters is not None:
            names.append(json.dumps(parameters, sort_keys=True))
        if parameters is None or len(story.running) == concurrency:
            # Not in the order in which they began.
            ended = sorted(story.running, key=lambda id_: (id_ * 7) % 5)[0]
            if ended % 5 == 4:
                story.end(ended, TrialStatus.FAILED)
            else:
                story.finish(ended, float(ended % 4))
    else:
        pytest.fail("it does not end")
    return names


@pytest.mark.parametrize("concurrency", [1, 4, 8])
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if built_in.packages else [])
        for name, built_in in TUNERS.items()
        if name not in (*WITH_BUDGETS, *ENDLESS)
    ],
)
def test_each_point_once_and_then_done(name: str, space: str, concurrency: int) -> None:
    definition, points = SPACES[space]
    names = proposed(story_of(TUNERS[name], definition, points), concurrency)
    assert len(names) == len(set(names)) == points


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("name", WITH_BUDGETS)
def test_each_point_once_with_each_budget(name: str, space: str) -> None:
    """As long as no trial has ended, and so none goes on to a larger budget."""
    definition, points = SPACES[space]
    story = story_of(TUNERS[name], definition, points)
    while story.ask(len(story.proposals)) is not None:
        pass
    names = [json.dumps(parameters, sort_keys=True) for parameters in story.proposals if parameters]
    assert 0 < len(names) == len(set(names)) <= points * 2


@pytest.mark.parametrize("name", ENDLESS)
def test_those_that_say_so_repeat(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNI_CHECKPOINT_DIRECTORY", str(tmp_path))
    story = story_of(TUNERS[name], THREES, 9)
    for parameter_id in range(30):
        if story.ask(parameter_id) is not None:
            story.finish(parameter_id, 1.0)
    assert sum(parameters is not None for parameters in story.proposals) == 30
