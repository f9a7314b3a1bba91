"""The built-in algorithms: their names, classes, arguments, and what they need to be installed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from nni_manager.algorithms.argument_checks import Check, Table, boolean, folder_or_none, number, one_of, text
from nni_manager.algorithms.hpo_utils.validation import points_problems, search_space_problems
from nni_manager.algorithms.optuna_bridge import samplers as optuna_samplers
from nni_manager.algorithms.successive_halving import checks as successive_halving


@dataclass(frozen=True)
class BuiltIn:
    """An algorithm that is chosen by its name.

    Attributes:
        name: Its name.
        kind: "tuner" or "assessor".
        class_path: Its class, "module.Class".
        arguments: What each of its arguments has to be; empty for a registered one.
        aliases: Its other names.
        fixed_arguments: Arguments that its class gets beside the user's.
        packages: What it imports that is not installed with the manager, by the names of the modules.
        extra: The extra of nni-manager that installs them.
        notice: What a person who chose it is to know, "" for nothing.
        space_problems: Returns what is wrong with a search space for it.
        combination_problems: Returns what is wrong with arguments that are right each by itself.
    """

    name: str
    kind: str
    class_path: str
    arguments: Mapping[str, Check]
    aliases: tuple[str, ...] = ()
    fixed_arguments: Mapping[str, Any] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    extra: str = ""
    notice: str = ""
    space_problems: Callable[[Any], list[str]] = search_space_problems
    combination_problems: Callable[[Mapping[str, Any]], list[str]] = lambda _: []

    def load(self) -> type[Any]:
        """Returns its class."""
        module, _, name = self.class_path.rpartition(".")
        loaded: type[Any] = getattr(importlib.import_module(module), name)
        return loaded

    def missing_packages(self) -> list[str]:
        """Returns which of its packages are not installed. None of them is imported."""
        return [package for package in self.packages if find_spec(package) is None]


_TUNERS = "nni_manager.algorithms.tuners"
_ASSESSORS = "nni_manager.algorithms.assessors"
_OPTIMIZE_MODE = {"optimize_mode": one_of("minimize", "maximize")}
_COMMON = {**_OPTIMIZE_MODE, "seed": number(int, 0, optional=True)}
_MODE_OR_NONE = {**_COMMON, "optimize_mode": one_of("minimize", "maximize", None)}
_TPE_ARGUMENTS = {
    "constant_liar_type": one_of("best", "worst", "mean", None),
    "n_startup_jobs": number(int, 1),
    "n_ei_candidates": number(int, 1),
    "linear_forgetting": number(int, 1),
    "prior_weight": number(float, 1e-6),
    "gamma": number(float, 1e-6),
}
_HYPEROPT_ARGUMENTS = {
    "parallel_optimize": boolean,
    "constant_liar_type": one_of("min", "max", "mean"),
}
_PBT_ARGUMENTS = {
    "all_checkpoint_dir": folder_or_none,
    "population_size": number(int, 2),
    "factor": number(float, 0.0),
    "resample_probability": number(float, 0.0, 1.0),
    "fraction": number(float, 0.0, 0.5),
}
_GP_ARGUMENTS = {
    "utility": one_of("ei", "ucb", "poi"),
    "kappa": number(float, 0.0),
    "xi": number(float, 0.0),
    "nu": number(float, 1e-6),
    "alpha": number(float, 0.0),
    "cold_start_num": number(int, 1),
    "selection_num_warm_up": number(int, 1),
    "selection_num_starting_points": number(int, 0),
}
_METIS_ARGUMENTS = {
    "no_resampling": boolean,
    "no_candidates": boolean,
    "selection_num_starting_points": number(int, 1),
    "cold_start_num": number(int, 1),
    "exploration_probability": number(float, 0.0, 1.0),
}
_DNGO_ARGUMENTS = {
    "sample_size": number(int, 1),
    "trials_per_update": number(int, 1),
    "num_epochs_per_training": number(int, 1),
}
_HYPERBAND_ARGUMENTS = {
    "R": number(int, 1),
    "eta": number(int, 2),
    "exec_mode": one_of("parallelism", "serial"),
    "repeat": boolean,
}
_BOHB_ARGUMENTS = {
    "min_budget": number(int, 1),
    "max_budget": number(int, 1),
    "eta": number(int, 2),
    "min_points_in_model": number(int, 1, optional=True),
    "top_n_percent": number(int, 1, 99),
    "num_samples": number(int, 1),
    "random_fraction": number(float, 0.0, 1.0),
    "bandwidth_factor": number(float, 1e-6),
    "min_bandwidth": number(float, 1e-9),
    "config_space": text(optional=True),
    "repeat": boolean,
}
_CURVEFITTING_ARGUMENTS = {
    "epoch_num": number(int, 1),
    "start_step": number(int, 0),
    "threshold": number(float, 0.0),
    "gap": number(int, 1),
}

BUILT_INS = (
    BuiltIn("TPE", "tuner", f"{_TUNERS}.tpe.TpeTuner", {**_COMMON, "tpe_args": Table(_TPE_ARGUMENTS)}),
    BuiltIn(
        "TPE_legacy",
        "tuner",
        f"{_TUNERS}.hyperopt.HyperoptTuner",
        {**_COMMON, **_HYPEROPT_ARGUMENTS},
        fixed_arguments={"algorithm_name": "tpe"},
        notice="TPE_legacy is TPE here; the name TPE has more settings",
    ),
    BuiltIn(
        "Anneal",
        "tuner",
        f"{_TUNERS}.hyperopt.HyperoptTuner",
        {**_COMMON, **_HYPEROPT_ARGUMENTS},
        fixed_arguments={"algorithm_name": "anneal"},
    ),
    BuiltIn("Random", "tuner", f"{_TUNERS}.random.RandomTuner", _MODE_OR_NONE),
    BuiltIn("GridSearch", "tuner", f"{_TUNERS}.grid_search.GridSearchTuner", _MODE_OR_NONE),
    BuiltIn(
        "Batch",
        "tuner",
        f"{_TUNERS}.batch.BatchTuner",
        _COMMON,
        aliases=("BatchTuner",),
        space_problems=points_problems,
    ),
    BuiltIn(
        "Evolution",
        "tuner",
        f"{_TUNERS}.evolution.EvolutionTuner",
        {**_COMMON, "population_size": number(int, 1)},
    ),
    BuiltIn("PBT", "tuner", f"{_TUNERS}.pbt.PBTTuner", {**_COMMON, **_PBT_ARGUMENTS}, aliases=("PBTTuner",)),
    BuiltIn(
        "SMAC",
        "tuner",
        f"{_TUNERS}.smac.SMACTuner",
        {**_COMMON, "config_dedup": boolean},
        packages=("smac", "ConfigSpace"),
        extra="SMAC",
    ),
    BuiltIn(
        "GP",
        "tuner",
        f"{_TUNERS}.gp.GPTuner",
        {**_COMMON, **_GP_ARGUMENTS},
        aliases=("GPTuner",),
        packages=("sklearn", "scipy"),
        extra="GP",
    ),
    BuiltIn(
        "Metis",
        "tuner",
        f"{_TUNERS}.metis.MetisTuner",
        {**_COMMON, **_METIS_ARGUMENTS},
        aliases=("MetisTuner",),
        packages=("sklearn", "scipy"),
        extra="Metis",
    ),
    BuiltIn(
        "DNGO",
        "tuner",
        f"{_TUNERS}.dngo.DNGOTuner",
        {**_COMMON, **_DNGO_ARGUMENTS},
        aliases=("DNGOTuner",),
        packages=("sklearn", "scipy"),
        extra="DNGO",
    ),
    BuiltIn(
        "Hyperband",
        "tuner",
        f"{_TUNERS}.hyperband.Hyperband",
        {**_COMMON, **_HYPERBAND_ARGUMENTS},
        space_problems=successive_halving.space_problems,
    ),
    BuiltIn(
        "BOHB",
        "tuner",
        f"{_TUNERS}.bohb.BOHB",
        {**_COMMON, **_BOHB_ARGUMENTS},
        packages=("statsmodels",),
        extra="BOHB",
        space_problems=successive_halving.space_problems,
        combination_problems=successive_halving.bohb_problems,
    ),
    BuiltIn(
        "Optuna",
        "tuner",
        f"{_TUNERS}.optuna.OptunaTuner",
        {
            **_COMMON,
            "sampler": text(),
            "sampler_args": optuna_samplers.is_object,
        },
        packages=("optuna",),
        extra="Optuna",
        combination_problems=optuna_samplers.combination_problems,
    ),
    BuiltIn(
        "Medianstop",
        "assessor",
        f"{_ASSESSORS}.medianstop.MedianstopAssessor",
        {**_OPTIMIZE_MODE, "start_step": number(int, 0)},
    ),
    BuiltIn(
        "Curvefitting",
        "assessor",
        f"{_ASSESSORS}.curvefitting.CurvefittingAssessor",
        {**_OPTIMIZE_MODE, **_CURVEFITTING_ARGUMENTS},
        packages=("scipy",),
        extra="Curvefitting",
    ),
)
"""All of them, in the order in which they are listed."""

ELSEWHERE = dict.fromkeys(
    ("networkmorphism", "ppo", "ppotuner", "regularizedevolution", "regularizedevolutiontuner"),
    "it belongs to architecture search, which is not part of this product",
)
"""Names of NNI's that are not here, in lower case, and why."""
