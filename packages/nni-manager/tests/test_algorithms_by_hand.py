"""The classes of nni.algorithms.hpo, used and subclassed outside an experiment as people do with NNI's."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from nni.tuner import Tuner
from nni_manager.algorithms.built_ins import BUILT_INS
from nni_manager.testing.search_spaces import parameter_problems, without_added

SPACE = {
    "x": {"_type": "uniform", "_value": [0, 1]},
    "n": {"_type": "randint", "_value": [1, 100]},
    "lr": {"_type": "loguniform", "_value": [1e-5, 0.1]},
    "layer": {
        "_type": "choice",
        "_value": [{"_name": "a", "k": {"_type": "normal", "_value": [0, 1]}}, {"_name": "b"}],
    },
}
POINTS = {"points": {"_type": "choice", "_value": [{"x": number} for number in range(40)]}}

# By NNI's names: the module, the class, and arguments, for models without which one learns late or slowly.
CLASSES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "TPE": ("tpe_tuner", "TpeTuner", {"tpe_args": {"n_startup_jobs": 3}}),
    "TPE_legacy": ("hyperopt_tuner", "HyperoptTuner", {"algorithm_name": "tpe"}),
    "Anneal": ("hyperopt_tuner", "HyperoptTuner", {"algorithm_name": "anneal"}),
    "Random": ("random_tuner", "RandomTuner", {}),
    "GridSearch": ("gridsearch_tuner", "GridSearchTuner", {}),
    "Batch": ("batch_tuner", "BatchTuner", {}),
    "Evolution": ("evolution_tuner", "EvolutionTuner", {"optimize_mode": "maximize", "population_size": 4}),
    "PBT": ("pbt_tuner", "PBTTuner", {"population_size": 4}),
    "SMAC": ("smac_tuner", "SMACTuner", {}),
    "GP": ("gp_tuner", "GPTuner", {"cold_start_num": 3, "selection_num_warm_up": 100}),
    "Metis": ("metis_tuner", "MetisTuner", {"cold_start_num": 3, "selection_num_starting_points": 20}),
    "DNGO": ("dngo_tuner", "DNGOTuner", {"trials_per_update": 4, "num_epochs_per_training": 20}),
    "Hyperband": ("hyperband_advisor", "Hyperband", {"R": 9}),
    "BOHB": ("bohb_advisor", "BOHB", {"max_budget": 3, "num_samples": 8}),
    "Optuna": ("optuna_tuner", "OptunaTuner", {}),
}
NUMPY_ALONE = (
    "TPE",
    "TPE_legacy",
    "Random",
    "GridSearch",
    "Batch",
    "Anneal",
    "Evolution",
    "PBT",
    "Hyperband",
)

OTHERS = ("scipy", "sklearn", "statsmodels", "smac", "ConfigSpace", "optuna", "torch", "pandas", "hyperopt")


def class_of(name: str) -> type[Any]:
    module_name, class_name, _ = CLASSES[name]
    found: type[Any] = getattr(importlib.import_module(f"nni.algorithms.hpo.{module_name}"), class_name)
    return found


def arguments_of(name: str, folder: Path) -> dict[str, Any]:
    return {**CLASSES[name][2], **({"all_checkpoint_dir": str(folder)} if name == "PBT" else {})}


def search(tuner: Tuner, space: dict[str, Any], count: int) -> list[Any]:
    """Does what NNI's own tests of its tuners do: two at once, each ended, one in four failed."""
    tuner.update_search_space(space)
    late: list[tuple[int, Any]] = []
    proposed: list[Any] = []
    for first in range(0, count, 2):
        ids = [first, first + 1]
        trials = list(
            zip(
                ids,
                tuner.generate_multiple_parameters(ids, st_callback=lambda *it: late.append(it)),
                strict=False,
            )
        )
        trials += late
        late.clear()
        for parameter_id, parameters in trials:
            proposed.append(parameters)
            if parameter_id % 4 != 3:
                tuner.receive_trial_result(
                    parameter_id,
                    parameters,
                    {"default": 0.1 * parameter_id},
                    customized=False,
                    trial_job_id="abcde",
                )
            tuner.trial_end(parameter_id, parameter_id % 4 != 3)
    return proposed


@pytest.mark.parametrize("name", CLASSES)
def test_a_search_by_hand(name: str, tmp_path: Path) -> None:
    space = POINTS if name == "Batch" else SPACE
    tuner = class_of(name)(**arguments_of(name, tmp_path))
    proposed = search(tuner, space, 14)
    assert len(proposed) >= 10
    if name != "Batch":
        assert all(parameter_problems(without_added(parameters), SPACE) == [] for parameters in proposed)
    tuner.import_data(
        [{"parameter": proposed[0], "value": 0.5}, {"parameter": proposed[1], "value": {"default": 0}}]
    )
    tuner.update_search_space(
        space if name in ("Batch", "SMAC") else {**space, "more": {"_type": "choice", "_value": [1]}}
    )


@pytest.mark.parametrize("name", CLASSES)
def test_a_subclass_changes_what_goes_in_and_out(name: str, tmp_path: Path) -> None:
    """As people do: results are scaled, parameters get a key of their own."""
    parent = class_of(name)

    class Mine(parent):  # type: ignore[misc,valid-type]
        heard = 0

        def generate_multiple_parameters(self, parameter_id_list: list[int], **kwargs: Any) -> Any:
            proposed = super().generate_multiple_parameters(parameter_id_list, **kwargs)
            return [{**parameters, "mine": 1} for parameters in proposed]

        def receive_trial_result(self, parameter_id: int, parameters: Any, value: Any, **kwargs: Any) -> None:
            self.heard += 1
            given = {key: it for key, it in parameters.items() if key != "mine"}
            super().receive_trial_result(parameter_id, given, 2 * value["default"], **kwargs)

    tuner = Mine(**arguments_of(name, tmp_path))
    proposed = search(tuner, POINTS if name == "Batch" else SPACE, 8)
    assert sum(parameters.get("mine", 0) for parameters in proposed) >= 4
    assert tuner.heard >= 4


def test_the_classes_are_all_here() -> None:
    assert CLASSES.keys() == {it.name for it in BUILT_INS if it.kind == "tuner"}
    assert set(NUMPY_ALONE) == {it.name for it in BUILT_INS if it.kind == "tuner" and not it.packages}
    assert all(issubclass(class_of(name), Tuner) for name in CLASSES)


@pytest.mark.parametrize("name", NUMPY_ALONE)
def test_what_needs_numpy_alone(name: str, tmp_path: Path) -> None:
    """The other libraries cannot be imported, as where they are not installed."""
    module_name, class_name, _ = CLASSES[name]
    code = f"""
import sys
for missing in {OTHERS}:
    sys.modules[missing] = None
from nni.algorithms.hpo.{module_name} import {class_name}
tuner = {class_name}(**{arguments_of(name, tmp_path)!r})
tuner.update_search_space({POINTS if name == "Batch" else SPACE!r})
count = 0
for id_ in range(30):
    for parameters in tuner.generate_multiple_parameters([id_], st_callback=lambda *it: None):
        tuner.receive_trial_result(id_, parameters, float(id_))
        tuner.trial_end(id_, True)
        count += 1
print(count)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) >= 4


def test_an_assessor_by_hand() -> None:
    """Medianstop needs numpy at most, and is told the ends of trials by position as in NNI."""
    from nni.algorithms.hpo.medianstop_assessor import MedianstopAssessor
    from nni.assessor import AssessResult

    assessor = MedianstopAssessor(optimize_mode="maximize", start_step=1)
    for trial in "abc":
        assert assessor.assess_trial(trial, [1.0, 2.0]) is AssessResult.Good
        assessor.trial_end(trial, True)
    assert assessor.assess_trial("d", [0.0, 0.1]) is AssessResult.Bad
    assert json.dumps(AssessResult.Bad.value) == "false"
