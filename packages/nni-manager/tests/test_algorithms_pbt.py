"""Population based training: generations, who copies whom, perturbation, resume and import."""

from __future__ import annotations

import json
import math
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nni import NoMoreTrialError
from nni_manager.algorithms.hpo_utils import deformat_parameters, format_search_space
from nni_manager.algorithms.hpo_utils.formatting import format_known_parameters
from nni_manager.algorithms.population.perturbation import perturbed
from nni_manager.algorithms.registry import check_algorithm
from nni_manager.algorithms.tuners.pbt import PBTTuner
from nni_manager.testing.search_spaces import FINITE, SPACES, parameter_problems

SPACE = {"lr": {"_type": "loguniform", "_value": [1e-4, 1e-1]}, "n": {"_type": "randint", "_value": [0, 9]}}
DIRECTORIES = ("load_checkpoint_dir", "save_checkpoint_dir")


class Population:
    """A tuner that is called by hand; trials run until a test ends them.

    Attributes:
        tuner: The tuner.
        running: The parameters of the trials that run, by id.
        later: The ids that parameters were handed in for later.
    """

    def __init__(self, folder: Path, space: dict[str, Any] = SPACE, **arguments: Any) -> None:
        arguments = {"population_size": 4, "seed": 1, **arguments}
        self.tuner = PBTTuner(all_checkpoint_dir=str(folder), **arguments)
        self.tuner.update_search_space(space)
        self.running: dict[int, dict[str, Any]] = {}
        self.later: list[int] = []
        self.next_id = 0

    def ask(self, count: int = 1) -> list[dict[str, Any]]:
        ids = list(range(self.next_id, self.next_id + count))
        self.next_id += count
        proposed = self.tuner.generate_multiple_parameters(ids, st_callback=self.take)
        self.running.update(zip(ids, proposed, strict=False))
        return proposed

    def take(self, parameter_id: int, parameters: dict[str, Any]) -> None:
        self.later.append(parameter_id)
        self.running[parameter_id] = parameters

    def end(self, parameter_id: int, value: Any = None, success: bool = True) -> dict[str, Any]:
        parameters = self.running.pop(parameter_id)
        if value is not None:
            self.tuner.receive_trial_result(parameter_id, parameters, value)
        self.tuner.trial_end(parameter_id, success)
        return parameters

    def generation(self, *values: Any) -> list[dict[str, Any]]:
        """Runs the trials of a generation to their ends; "failed" is a failure. Returns their parameters."""
        self.ask(len(values) - len(self.running))
        ids = sorted(self.running, key=lambda one: member(self.running[one]))
        return [
            self.end(one, None if value == "failed" else value, value != "failed")
            for one, value in zip(ids, values, strict=True)
        ]


def place(path: str) -> tuple[int, int]:
    return int(Path(path).parts[-2]), int(Path(path).parts[-1])


def member(parameters: dict[str, Any]) -> int:
    return place(parameters["save_checkpoint_dir"])[0]


def own(parameters: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name not in DIRECTORIES}


def test_the_first_generation_loads_nothing(tmp_path: Path) -> None:
    first = Population(tmp_path / "made" / "here").ask(4)
    for index, parameters in enumerate(first):
        assert parameters["load_checkpoint_dir"] == parameters["save_checkpoint_dir"]
        assert parameters["save_checkpoint_dir"] == str(tmp_path / "made" / "here" / str(index) / "0")
        assert list(parameters) == ["lr", "n", *DIRECTORIES]
    assert len({json.dumps(own(parameters)) for parameters in first}) == 4


def test_directories_are_there_before_a_trial_and_private(tmp_path: Path) -> None:
    population = Population(tmp_path / "made")
    for parameters in [*population.generation(1, 2, 3, 4), *population.ask(4)]:
        path = Path(parameters["save_checkpoint_dir"])
        for directory in (path, path.parent, tmp_path / "made"):
            assert stat.S_IMODE(directory.stat().st_mode) == 0o700


@pytest.mark.parametrize(("mode", "best", "worst"), [("maximize", 3, 0), ("minimize", 0, 3)])
def test_the_worst_copies_the_best_and_explores(tmp_path: Path, mode: str, best: int, worst: int) -> None:
    population = Population(tmp_path, optimize_mode=mode, fraction=0.25, resample_probability=0.0)
    first = population.generation(1, 2, 3, {"default": 4, "text": "x"})
    second = population.ask(4)
    assert [place(parameters["save_checkpoint_dir"]) for parameters in second] == [
        (index, 1) for index in range(4)
    ]
    loaded = [place(parameters["load_checkpoint_dir"]) for parameters in second]
    expected = [(index, 0) for index in range(4)]
    expected[worst] = (best, 0)
    assert loaded == expected
    for index in range(4):
        if index != worst:
            assert own(second[index]) == own(first[index])
    ratio = second[worst]["lr"] / first[best]["lr"]
    step = (1e-1 / 1e-4) ** 0.2
    at_bound = second[worst]["lr"] in (pytest.approx(1e-4), pytest.approx(1e-1))
    assert at_bound or ratio in (pytest.approx(step), pytest.approx(1 / step))
    assert abs(second[worst]["n"] - first[best]["n"]) <= 1


def test_the_number_that_copies_is_rounded_up_and_half_at_most(tmp_path: Path) -> None:
    for size, fraction, count in [
        (10, 0.2, 2),
        (30, 0.1, 3),
        (7, 0.2, 2),
        (3, 0.5, 1),
        (4, 0.0, 0),
        (4, 1, 2),
    ]:
        population = Population(tmp_path / f"{size}-{fraction}", population_size=size, fraction=fraction)
        population.generation(*range(size))
        second = population.ask(size)
        copied = [each for each in second if member(each) != place(each["load_checkpoint_dir"])[0]]
        assert [member(each) for each in copied] == list(range(count))
        assert all(place(each["load_checkpoint_dir"])[0] >= size - count for each in copied)


def test_who_fails_copies_a_good_one_and_starts_anew_in_the_first_generation(tmp_path: Path) -> None:
    population = Population(tmp_path)
    first = population.generation("failed", 1, 2, "failed")
    second = population.generation("failed", "failed", 3, "failed")
    for index in (0, 3):
        assert second[index]["load_checkpoint_dir"] == second[index]["save_checkpoint_dir"]
        assert own(second[index]) != own(first[index])
    third = population.ask(4)
    assert [place(parameters["load_checkpoint_dir"]) for parameters in third] == [(2, 1)] * 4


def test_a_generation_that_fails_as_a_whole_is_tried_again(tmp_path: Path) -> None:
    population = Population(tmp_path)
    for value in ("failed", "no number"):  # a trial without a result counts as a failed one
        for parameters in population.generation(*[value] * 4):
            assert parameters["load_checkpoint_dir"] == parameters["save_checkpoint_dir"]
    third = population.generation(1, 2, 3, 4)
    loaded = [place(each["load_checkpoint_dir"]) for each in population.generation(*["failed"] * 4)]
    again = population.ask(4)
    assert [place(parameters["load_checkpoint_dir"]) for parameters in again] == loaded
    assert [place(parameters["save_checkpoint_dir"]) for parameters in again] == [(i, 4) for i in range(4)]
    assert third[0]["load_checkpoint_dir"] == third[0]["save_checkpoint_dir"]


def test_a_failure_after_a_result_is_a_failure(tmp_path: Path) -> None:
    population = Population(tmp_path)
    population.generation(1, 2, 3, 4)
    population.ask(4)
    ids = sorted(population.running)
    population.end(ids[0], 100, success=False)
    for one, value in zip(ids[1:], (1, 2, 3), strict=True):
        population.end(one, value)
    loaded = [place(parameters["load_checkpoint_dir"]) for parameters in population.ask(4)]
    assert loaded == [(3, 1), (1, 1), (2, 1), (3, 1)]


def test_nan_is_the_worst_result_and_better_than_a_failure(tmp_path: Path) -> None:
    population = Population(tmp_path, fraction=0.25)
    population.generation(1, 2, 3, 4)
    for values, loaded in (
        ((math.nan, 2, -1e300, 5), [3, 1, 2, 3]),
        ((math.nan, 2, "failed", math.inf), [0, 1, 3, 3]),
    ):
        population.generation(*values)
        found = [place(parameters["load_checkpoint_dir"])[0] for parameters in population.ask(4)]
        assert found == loaded


def test_the_next_generation_starts_when_the_last_trial_ends(tmp_path: Path) -> None:
    """Row 94: results alone do not start it, since the checkpoint may not be saved yet."""
    population = Population(tmp_path)
    population.ask(4)
    for one in range(4):
        population.tuner.receive_trial_result(one, population.running[one], one)
    assert population.ask(2) == []
    population.tuner.trial_end(0, True)
    population.tuner.trial_end(1, False)
    population.tuner.trial_end(2, True)
    assert population.ask(1) == [] and population.later == []
    population.tuner.trial_end(3, True)
    assert population.later == [4, 5, 6]
    assert [member(parameters) for parameters in population.ask(2)] == [3]


def test_more_and_fewer_are_asked_for_than_there_are_members(tmp_path: Path) -> None:
    for at_once in (1, 3, 9):
        population = Population(tmp_path / str(at_once))
        trained = []
        population.ask(at_once)
        while len(trained) < 12:
            trained.append(population.end(min(population.running), 1))
            population.ask(1)
        places = [place(parameters["save_checkpoint_dir"]) for parameters in trained]
        assert sorted(places) == sorted((index, number) for index in range(4) for number in range(3))
        assert [number for _, number in places] == sorted(number for _, number in places)


def test_without_st_callback_it_is_said_what_is_needed(tmp_path: Path) -> None:
    population = Population(tmp_path)
    with pytest.raises(TypeError, match=r"st_callback=f\) calls f\(parameter_id, parameters\)"):
        population.tuner.generate_multiple_parameters([0])
    assert [member(population.tuner.generate_parameters(one)) for one in range(4)] == [0, 1, 2, 3]
    with pytest.raises(
        NoMoreTrialError, match="generation 1 starts when all trials of generation 0 have ended"
    ):
        population.tuner.generate_parameters(4)


def test_without_a_folder_it_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NNI_CHECKPOINT_DIRECTORY", raising=False)
    with pytest.raises(ValueError, match="all_checkpoint_dir is not set"):
        PBTTuner()
    monkeypatch.setenv("NNI_CHECKPOINT_DIRECTORY", str(tmp_path))
    tuner = PBTTuner("minimize", None, 2)
    tuner.update_search_space(SPACE)
    assert tuner.generate_parameters(0)["save_checkpoint_dir"] == str(tmp_path / "0" / "0")


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("resample_probability", [0.0, 0.5])
def test_twenty_perturbations_stay_in_the_space(name: str, resample_probability: float) -> None:
    """Row 114."""
    space = format_search_space(SPACES[name])
    rng = np.random.default_rng(3)
    for _ in range(5):
        parameters: dict[str, Any] = {}
        for _ in range(20):
            chosen = perturbed(
                format_known_parameters(parameters, space), space, rng, 0.2, resample_probability
            )
            parameters = json.loads(json.dumps(deformat_parameters(chosen, space)))
            assert parameter_problems(parameters, SPACES[name]) == []


@pytest.mark.parametrize(
    ("definition", "before", "after"),
    [
        ({"_type": "choice", "_value": ["a", "b", "c"]}, "b", {"a", "c"}),
        ({"_type": "choice", "_value": ["a", "b", "c"]}, "c", {"b", "c"}),
        ({"_type": "randint", "_value": [3, 9]}, 3, {3, 4}),
        ({"_type": "uniform", "_value": [0, 10]}, 5.0, {3.0, 7.0}),
        ({"_type": "uniform", "_value": [0, 10]}, 9.0, {7.0, 10.0}),
        ({"_type": "loguniform", "_value": [1, 1e5]}, 100.0, {10.0, 1000.0}),
        ({"_type": "quniform", "_value": [0, 10, 2]}, 4, {2, 6}),
        ({"_type": "quniform", "_value": [0.2, 0.8, 0.3]}, 0.8, {0.6, 0.8}),
        ({"_type": "qloguniform", "_value": [1, 40, 10]}, 10, {1, 20}),
        ({"_type": "normal", "_value": [0, 5]}, 3.0, {2.0, 4.0}),
        ({"_type": "qnormal", "_value": [0, 5, 3]}, 3, {0, 6}),
        ({"_type": "lognormal", "_value": [0, 5]}, 1.0, {math.exp(-1), math.exp(1)}),
        ({"_type": "qlognormal", "_value": [1, 1, 0.5]}, 0.0, {0.0, 0.5}),
    ],
)
def test_a_step_of_each_type(definition: dict[str, Any], before: Any, after: set[Any]) -> None:
    space = format_search_space({"x": definition})
    rng = np.random.default_rng(0)
    found = set()
    for _ in range(40):
        chosen = perturbed(format_known_parameters({"x": before}, space), space, rng, 0.2, 0.0)
        found.add(deformat_parameters(chosen, space)["x"])
    if isinstance(before, str):
        assert found == after
    else:
        assert sorted(found) == pytest.approx(sorted(after))


def test_twenty_generations_count_right(tmp_path: Path) -> None:
    """Row 114: the counters go on, whatever is copied from whom."""
    population = Population(tmp_path)
    for number in range(20):
        for index, parameters in enumerate(population.generation(number % 4, 1, 1.5, 2.5)):
            assert place(parameters["save_checkpoint_dir"]) == (index, number)
            assert place(parameters["load_checkpoint_dir"])[1] == max(number - 1, 0)
            assert parameter_problems(own(parameters), SPACE) == []


def test_what_is_of_no_use_changes_nothing(tmp_path: Path) -> None:
    population = Population(tmp_path)
    population.ask(4)
    tuner = population.tuner
    tuner.receive_trial_result(None, {"lr": 0.1, "n": 1}, 9.0, customized=True)
    tuner.trial_end(None, True)
    tuner.receive_trial_result(77, {}, 9.0)
    tuner.trial_end(77, True)
    for one, value in enumerate((1, 2, 3, 4)):
        parameters = population.running[one]
        tuner.receive_trial_result(one, parameters, value)
        tuner.receive_trial_result(one, parameters, -value)
        tuner.trial_end(one, True)
        tuner.trial_end(one, False)
        tuner.receive_trial_result(one, parameters, -value)
    loaded = [place(parameters["load_checkpoint_dir"])[0] for parameters in population.ask(4)]
    assert loaded == [3, 1, 2, 3]


def test_it_is_repeatable_by_its_seed_whatever_the_order(tmp_path: Path) -> None:
    runs = []
    for number, order in enumerate(((0, 1, 2, 3), (3, 1, 0, 2))):
        population = Population(tmp_path / "shared", seed=5)
        population.ask(number)
        population.ask(4 - number)
        for one in order:
            population.end(one, one)
        runs.append(population.ask(4))
    assert runs[0] == runs[1]
    other = Population(tmp_path / "shared", seed=6)
    other.generation(0, 1, 2, 3)
    assert other.ask(4) != runs[0]


def test_a_changed_space_holds_for_the_next_trials(tmp_path: Path) -> None:
    population = Population(tmp_path)
    (first,) = population.ask(1)
    changed = {
        **SPACE,
        "n": {"_type": "randint", "_value": [100, 110]},
        "new": {"_type": "choice", "_value": [1, 2]},
    }
    population.tuner.update_search_space(changed)
    assert parameter_problems(own(first), SPACE) == []
    rest = population.ask(3)
    for parameters in rest:
        assert parameter_problems(own(parameters), changed) == []
    for one in range(4):
        population.end(one, one)
    second = population.ask(4)
    for parameters in second:
        assert parameter_problems(own(parameters), changed) == []
    assert own(second[1]) == own(rest[0])
    del changed["lr"]
    population.tuner.update_search_space(changed)
    population.generation(1, 1, 1, 1)
    for parameters in population.ask(4):
        assert parameter_problems(own(parameters), changed) == []


def test_parameters_of_a_finite_space_may_come_twice(tmp_path: Path) -> None:
    population = Population(tmp_path, FINITE, population_size=20)
    assert len({json.dumps(own(parameters)) for parameters in population.generation(*range(20))}) <= 9


def test_another_experiment_goes_on_from_imported_results(tmp_path: Path) -> None:
    before = Population(tmp_path / "before")
    results = []
    for number in range(2):
        for parameters, value in zip(
            before.generation(1, 2, 3, 4 + number), (1, 2, 3, 4 + number), strict=True
        ):
            results.append({"parameter": parameters, "value": value})
    half = before.ask(2)
    results.append({"parameter": half[0], "value": 9})
    population = Population(tmp_path / "after")
    population.tuner.import_data([*results, {"parameter": {"lr": 1}, "value": 1}, "text"])
    for index, parameters in enumerate(population.ask(4)):
        assert parameters["save_checkpoint_dir"] == str(tmp_path / "after" / str(index) / "2")
        source = 3 if index == 0 else index
        assert parameters["load_checkpoint_dir"] == str(tmp_path / "before" / str(source) / "1")


@pytest.mark.parametrize("reason", ["no whole generation", "directory is gone", "it trains already"])
def test_an_import_of_no_use_is_ignored_with_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    before = Population(tmp_path / "before")
    results = [{"parameter": parameters, "value": 1} for parameters in before.generation(1, 2, 3, 4)]
    population = Population(tmp_path / "after")
    if reason == "no whole generation":
        results.pop()
        text = "no generation has a result of each of 4 members"
    elif reason == "directory is gone":
        Path(results[2]["parameter"]["save_checkpoint_dir"]).rmdir()
        text = "2/0 does not exist"
    else:
        population.ask(1)
        text = "the population trains already"
    population.tuner.import_data(results)
    assert text in caplog.text
    assert population.ask(1)[0]["load_checkpoint_dir"].startswith(str(tmp_path / "after"))


def test_arguments_are_checked_before_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for given, wrong in [
        ({"all_checkpoint_dir": "relative"}, "the absolute path of a folder"),
        ({"all_checkpoint_dir": str(tmp_path / "file" / "below")}, "the absolute path of a folder"),
        ({"population_size": 1}, "an integer of at least 2"),
        ({"fraction": 0.6}, "a number from 0.0 to 0.5"),
        ({"factors": 0.2}, "unknown argument 'factors'"),
    ]:
        (problem,) = check_algorithm("tuner", "PBT", given, SPACE)
        assert wrong in problem
    for right in ({"all_checkpoint_dir": str(tmp_path / "new" / "one")}, {"all_checkpoint_dir": None}):
        assert check_algorithm("tuner", "PBTTuner", right, SPACE) == []
