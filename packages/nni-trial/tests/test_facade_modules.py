from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nni
import pytest
from nni.utils import merge_parameter

EVERY_FACADE = {
    "nni.experiment": [
        "Experiment",
        "RunMode",
        "ExperimentConfig",
        "LocalConfig",
        "AlgorithmConfig",
        "TrialJob",
    ],
    "nni.experiment.config": ["ExperimentConfig", "LocalConfig", "AlgorithmConfig", "CustomAlgorithmConfig"],
    "nni.experiment.config.base": ["ConfigBase"],
    "nni.experiment.config.training_service": ["TrainingServiceConfig"],
    "nni.experiment.config.utils": ["diff", "is_missing", "parse_time", "parse_memory_size"],
    "nni.experiment.data": ["TrialResult", "TrialMetricData", "TrialHyperParameters", "TrialJob"],
    "nni.tuner": ["Tuner"],
    "nni.assessor": ["Assessor", "AssessResult"],
    "nni.recoverable": ["Recoverable"],
    "nni.typehint": ["TrialRecord", "ParameterRecord", "Parameters", "SearchSpace", "TrialMetric"],
    "nni.parameter_expressions": ["choice", "randint", "quniform", "qlognormal"],
    "nni.common.hpo_utils": ["Deduplicator", "ParameterSpec", "format_search_space", "validate_search_space"],
    "nni.utils": [
        "OptimizeMode",
        "extract_scalar_reward",
        "ClassArgsValidator",
        "merge_parameter",
        "NodeType",
    ],
    "nni.tools.package_utils": [
        "AlgoMeta",
        "create_builtin_class_instance",
        "create_customized_class_instance",
        "create_validator_instance",
        "get_algo_meta",
        "get_all_algo_meta",
        "get_builtin_module_class_name",
        "register_algo_meta",
        "unregister_algo_meta",
    ],
    "nni.runtime.msg_dispatcher": ["MsgDispatcher"],
    "nni.runtime.msg_dispatcher_base": ["MsgDispatcherBase", "CommandType"],
    "nni.runtime.tuner_command_channel": ["CommandType", "TunerCommandChannel"],
    "nni.runtime.tuner_command_channel.command_type": ["CommandType"],
    "nni.runtime.tuner_command_channel.legacy": [
        "CommandType",
        "LegacyCommandChannel",
        "send",
        "receive",
        "_set_in_file",
        "_set_out_file",
        "_get_out_file",
    ],
    "nni.runtime.config": ["get_builtin_config_file", "get_config_directory", "get_config_file"],
    "nni.algorithms.hpo.tpe_tuner": ["TpeTuner", "TpeArguments"],
    "nni.algorithms.hpo.bohb_advisor": ["BOHB"],
    "nni.algorithms.hpo.hyperband_advisor": ["Hyperband"],
    "nni.algorithms.hpo.pbt_tuner": ["PBTTuner"],
    "nni.algorithms.hpo.random_tuner": ["RandomTuner"],
    "nni.algorithms.hpo.gridsearch_tuner": ["GridSearchTuner"],
    "nni.algorithms.hpo.batch_tuner": ["BatchTuner"],
    "nni.algorithms.hpo.evolution_tuner": ["EvolutionTuner"],
    "nni.algorithms.hpo.hyperopt_tuner": ["HyperoptTuner", "json2space", "json2parameter", "json2vals"],
    "nni.algorithms.hpo.smac_tuner": ["SMACTuner"],
    "nni.algorithms.hpo.dngo_tuner": ["DNGOTuner"],
    "nni.algorithms.hpo.optuna_tuner": ["OptunaTuner"],
    "nni.algorithms.hpo.medianstop_assessor": ["MedianstopAssessor"],
    "nni.algorithms.hpo.curvefitting_assessor": ["CurvefittingAssessor"],
    "nni.algorithms.hpo.curvefitting_assessor.curvefitting_assessor": ["CurvefittingAssessor"],
    "nni.algorithms.hpo.curvefitting_assessor.model_factory": ["CurveModel"],
}


@pytest.mark.parametrize("facade", EVERY_FACADE)
def test_a_facade_has_the_names_that_nni_users_import(facade: str) -> None:
    module = importlib.import_module(facade)
    for name in EVERY_FACADE[facade]:
        value = getattr(module, name)
        assert name in dir(module) or facade == "nni.typehint"  # names of types know no module of theirs
        if facade != "nni.typehint":
            assert value.__name__ == name


@pytest.mark.parametrize("facade", EVERY_FACADE)
def test_star_import_gives_public_names_only(facade: str) -> None:
    names: dict[str, Any] = {}
    exec(f"from {facade} import *", names)
    expected = set(EVERY_FACADE[facade]) - {"Parameters", "SearchSpace", "TrialMetric"}
    assert expected <= set(names)
    assert not {"annotations", "Any", "forward", "TYPE_CHECKING", "np"} & set(names)


def test_every_class_of_the_configuration_is_there() -> None:
    import nni.experiment.config
    import nni_config

    for name in nni_config.__all__:
        assert getattr(nni.experiment.config, name) is getattr(nni_config, name)
        assert getattr(nni.experiment, name) is getattr(nni_config, name)


def test_names_of_nni_itself_are_the_same_objects() -> None:
    import nni.experiment
    import nni.utils

    assert nni.Experiment is nni.experiment.Experiment
    assert nni.ClassArgsValidator is nni.utils.ClassArgsValidator


@pytest.mark.parametrize("facade", ["nni.experiment", "nni.tuner", "nni.utils"])
def test_a_missing_name_is_an_attribute_error_that_names_what_there_is(facade: str) -> None:
    module = importlib.import_module(facade)
    with pytest.raises(
        AttributeError, match=rf"module '{facade}' has no attribute 'Nothing'; this version has .*,?"
    ):
        module.Nothing  # noqa: B018
    assert not hasattr(module, "__wrapped__")


SLIM = """
try:
    {statement}
except ImportError as error:
    print(error)
else:
    print("no error")
"""
WITHOUT_PACKAGES = ("-S",)  # without the folder where this workspace's packages are installed


@pytest.mark.parametrize(
    ("statement", "install"),
    [
        ("from nni.experiment import Experiment", "pip install nni-client"),
        ("from nni.experiment import *", "pip install nni-client"),
        ("import nni; nni.Experiment", "pip install nni-client"),
        ("import nni.experiment.config", "pip install nni-config"),
        ("import nni.experiment.data", "pip install nni-client"),
        ("from nni.tuner import Tuner", "pip install nni-manager"),
        ("from nni.utils import OptimizeMode", "pip install nni-manager"),
        ("import nni.algorithms.hpo.tpe_tuner", "pip install nni-manager"),
        ("from nni.utils import merge_parameter", "no error"),
        ("import nni.experiment", "no error"),
        ("from nni import *", "no error"),
    ],
)
def test_a_missing_package_is_named(statement: str, install: str, trial: Any) -> None:
    output = trial.run(SLIM.format(statement=statement), options=WITHOUT_PACKAGES).stdout
    assert output.endswith(f"{install}\n")
    if install != "no error":
        assert output.startswith("nni.")
        assert sys.executable in output


def test_a_package_that_is_too_old_is_named(tmp_path: Path, trial: Any) -> None:
    (tmp_path / "nni_manager").mkdir()
    (tmp_path / "nni_manager" / "__init__.py").touch()
    path = f"{trial.environment['PYTHONPATH']}:{tmp_path}"
    code = "try: from nni.tuner import Tuner\nexcept ImportError as error: print(error)"
    result = trial.run(code, options=WITHOUT_PACKAGES, PYTHONPATH=path)
    assert "newer than the one installed" in result.stdout
    assert result.stdout.endswith("pip install --upgrade nni-manager\n")


def test_an_error_inside_another_package_is_shown_as_it_is(tmp_path: Path, trial: Any) -> None:
    (tmp_path / "nni_client.py").write_text("import a_package_that_is_missing\n")
    path = f"{trial.environment['PYTHONPATH']}:{tmp_path}"
    code = "try: from nni.experiment import Experiment\nexcept ImportError as error: print(error)"
    result = trial.run(code, options=WITHOUT_PACKAGES, PYTHONPATH=path)
    assert result.stdout == "No module named 'a_package_that_is_missing'\n"


@pytest.mark.parametrize("module", ["nas", "retiarii", "compression", "nas.nn.pytorch", "retiarii.strategy"])
def test_what_is_gone_says_what_it_was(module: str) -> None:
    with pytest.raises(ImportError, match=r"nni\.\w+ was for (neural|model).* does not have it") as caught:
        importlib.import_module(f"nni.{module}")
    assert caught.value.name == "nni." + module.partition(".")[0]


@pytest.mark.parametrize("module", ["networkmorphism_tuner", "ppo_tuner", "regularized_evolution_tuner"])
def test_tuners_of_architecture_search_say_that_they_are(module: str) -> None:
    name = f"nni.algorithms.hpo.{module}"
    with pytest.raises(ImportError, match=f"{name} was for neural architecture search.* does not have it"):
        importlib.import_module(name)


def test_submodules_need_no_import_of_their_own(trial: Any) -> None:
    trial.run("""
    import nni
    nni.trial.overwrite_intermediate_seq(0)
    nni.utils.merge_parameter({}, {})
    nni.experiment
    """)


class TestMergeParameter:
    def test_a_dict_is_changed_in_place(self) -> None:
        base = {"lr": 0.1, "name": "a", "free": None, "n": 1}
        assert merge_parameter(base, {"lr": 1, "free": [1], "n": True}) is base
        assert repr(base) == "{'lr': 1.0, 'name': 'a', 'free': [1], 'n': True}"

    def test_a_namespace_is_changed_in_place(self) -> None:
        base = SimpleNamespace(lr=0.1)
        assert merge_parameter(base, {"lr": 0.5}).lr == 0.5

    def test_defaults_may_be_those_of_a_class(self) -> None:
        class Defaults:
            lr = 0.1

        base = Defaults()
        assert merge_parameter(base, {"lr": 1}).lr == 1.0
        assert Defaults.lr == 0.1
        with pytest.raises(ValueError, match=r"which are lr$"):
            merge_parameter(base, {"rate": 1})

    def test_no_parameters_change_nothing(self) -> None:
        assert merge_parameter({"lr": 0.1}, None) == {"lr": 0.1}
        assert merge_parameter({"lr": 0.1}, {}) == {"lr": 0.1}

    @pytest.mark.parametrize("base", [{"lr": 0.1}, SimpleNamespace(lr=0.1)])
    def test_an_unknown_name_is_an_error(self, base: Any) -> None:
        with pytest.raises(ValueError, match=r"Key 'rate' not found in base parameters, which are lr"):
            merge_parameter(base, {"rate": 1})

    @pytest.mark.parametrize(("default", "value"), [(1, 0.5), ("a", 1), (0.5, "1"), (True, 1)])
    def test_another_type_is_an_error(self, default: Any, value: Any) -> None:
        with pytest.raises(ValueError, match=r"x: the default .* is a \w+, but the parameter .* is a \w+"):
            merge_parameter({"x": default}, {"x": value})


def test_the_table_of_names_and_its_types_agree() -> None:
    from nni import _exports

    stub = Path(nni.__file__).with_name("__init__.pyi").read_text(encoding="utf-8")
    typed = {line.split(" as ")[1] for line in stub.splitlines() if " as " in line}
    assert typed == set(_exports._HOMES)
    for name in typed:
        assert hasattr(nni, name)
