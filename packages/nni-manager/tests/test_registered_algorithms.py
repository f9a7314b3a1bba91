"""Registered algorithms in the manager: found by name, checked before the start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from nni_config.config_files import get_builtin_config_file, get_config_file
from nni_config.registered_algorithms import AlgoMeta, read_registry, registry_file, write_algorithms
from nni_manager.algorithms import package_utils, registered
from nni_manager.algorithms.class_args_validator import ClassArgsValidator
from nni_manager.algorithms.registry import check_algorithm, find_algorithm
from nni_manager.algorithms.tuners.tpe import TpeTuner
from nni_manager.origin.seed import tuner_seed

MODULE = """
from nni import ClassArgsValidator
from nni.tuner import Tuner

class DemoTuner(Tuner):
    def __init__(self, steps, depth=1):
        self.steps, self.depth = steps, depth

class DemoValidator(ClassArgsValidator):
    def validate_class_args(self, **kwargs):
        self.range("steps", int, 1, 9).validate(kwargs["steps"])
        print("checked")
"""
DEMO = AlgoMeta(
    "Demo", "Other", "demo_tuner.DemoTuner", True, {"steps": 3}, None, "tuner", False, False, None
)
CHECKED = DEMO._replace(validator_class_name="demo_tuner.DemoValidator")


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    site = tmp_path / "site"
    site.mkdir()
    (site / "demo_tuner.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.syspath_prepend(site)
    monkeypatch.delitem(sys.modules, "demo_tuner", raising=False)
    monkeypatch.setenv("NNI_CONFIG_DIR", str(tmp_path / "config"))
    registered._asked.cache_clear()
    return site


def test_it_is_found_by_its_name_and_alias() -> None:
    write_algorithms([DEMO])
    for name in ("demo", "OTHER"):
        found = find_algorithm("tuner", name)
        assert (found.name, found.class_path) == ("Demo", "demo_tuner.DemoTuner")
    assert find_algorithm("tuner", "tpe").load() is TpeTuner
    with pytest.raises(LookupError, match=r"available are: TPE, .*, BOHB, Optuna, Demo"):
        find_algorithm("tuner", "Demos")
    with pytest.raises(LookupError, match="available are: Medianstop, Curvefitting"):
        find_algorithm("assessor", "Demo")


def test_any_search_space_is_right_for_it() -> None:
    write_algorithms([DEMO])
    assert check_algorithm("tuner", "Demo", {"anything": 1}, ["what it likes"]) == []


@pytest.mark.parametrize(
    ("class_args", "problems"),
    [
        (None, []),
        ({"steps": 9}, []),
        ({"steps": 10}, ["tuner Demo: steps is 10; it should be int from 1 to 9"]),
        ({"steps": None}, ["tuner Demo: steps is None; it should be int from 1 to 9"]),
    ],
)
def test_its_arguments_are_checked_by_its_validator(
    class_args: dict[str, Any] | None, problems: list[str]
) -> None:
    write_algorithms([CHECKED])
    assert check_algorithm("tuner", "Demo", class_args, {}) == problems
    assert "demo_tuner" not in sys.modules  # what users write is imported elsewhere


def test_a_validator_is_asked_once_about_the_same_arguments(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_algorithms([CHECKED])
    asked = []
    real = subprocess.run
    monkeypatch.setattr(
        registered.subprocess, "run", lambda *words, **options: asked.append(1) or real(*words, **options)
    )
    for steps in (1, 2, 1):
        check_algorithm("tuner", "Demo", {"steps": steps}, {})
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("raise SystemExit(3)", "the check of the arguments ended with exit code 3: it said nothing"),
        ("import nothing_at_all", "tuner Demo: the class demo_tuner.DemoValidator cannot be used: No module"),
        ("import os; os.kill(os.getpid(), 9)", "ended with exit code -9"),
    ],
)
def test_a_validator_that_breaks_is_a_problem_of_the_configuration(
    site: Path, change: str, said: str
) -> None:
    write_algorithms([CHECKED])
    (site / "demo_tuner.py").write_text(change)
    (problem,) = check_algorithm("tuner", "Demo", None, {})
    assert said in problem


def test_a_broken_registry_is_told_and_does_not_touch_built_in_algorithms() -> None:
    write_algorithms([DEMO])
    registry_file().write_text("tuners: 5")
    (problem,) = check_algorithm("tuner", "Demo", None, {})
    assert str(registry_file()) in problem
    assert check_algorithm("tuner", "TPE", None, {"x": {"_type": "uniform", "_value": [0, 1]}}) == []


def test_it_has_no_seed_but_its_own() -> None:
    from nni_config import AlgorithmConfig

    write_algorithms([DEMO])
    assert tuner_seed(AlgorithmConfig(name="Demo")) is None
    assert tuner_seed(AlgorithmConfig(name="Demo", class_args={"seed": 5})) == 5


def test_nnis_functions() -> None:
    assert package_utils.get_algo_meta("Demo") is None
    package_utils.register_algo_meta(DEMO)
    package_utils.register_algo_meta(CHECKED)
    assert read_registry() == [CHECKED]
    assert package_utils.get_algo_meta("other") == CHECKED
    tpe = package_utils.get_algo_meta("tpe")
    assert tpe is not None
    assert (tpe.name, tpe.algo_type, tpe.is_builtin, tpe.is_advisor) == ("TPE", "tuner", True, False)
    assert [meta.name for meta in package_utils.get_all_algo_meta()][-1] == "Demo"
    with pytest.raises(ValueError, match="Random is a built-in algorithm"):
        package_utils.register_algo_meta(DEMO._replace(name="Random"))
    assert package_utils.get_builtin_module_class_name("tuner", "demo") == ("demo_tuner", "DemoTuner")
    assert package_utils.get_builtin_module_class_name("assessor", "demo") == (None, None)
    assert package_utils.create_validator_instance("tuner", "TPE") is None
    validator = package_utils.create_validator_instance("tuner", "Demo")
    assert isinstance(validator, ClassArgsValidator)
    with pytest.raises(ValueError, match="steps is 0"):
        validator.validate_class_args(steps=0)
    package_utils.unregister_algo_meta("demo")
    assert read_registry() == [CHECKED]
    package_utils.unregister_algo_meta("Demo")
    assert read_registry() == []


def test_instances_of_algorithms(site: Path, tmp_path: Path) -> None:
    package_utils.register_algo_meta(DEMO)
    made = package_utils.create_builtin_class_instance("demo", {"depth": 2}, "tuner")
    assert (made.steps, made.depth) == (3, 2)
    assert package_utils.create_builtin_class_instance("demo", {"steps": 7}, "tuner").steps == 7
    assert isinstance(package_utils.create_builtin_class_instance("TPE", None, "tuner"), TpeTuner)
    with pytest.raises(RuntimeError, match="Builtin name is not found: nothing"):
        package_utils.create_builtin_class_instance("nothing", {}, "tuner")
    package_utils.register_algo_meta(DEMO._replace(name="Gone", alias=None, class_name="gone.Tuner"))
    with pytest.raises(RuntimeError, match="Builtin module can not be loaded: No module named 'gone'"):
        package_utils.create_builtin_class_instance("Gone", {}, "tuner")
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "own_tuner_of_this_test.py").write_text("class Own:\n    def __init__(self, a): self.a = a\n")
    parameters = {
        "className": "own_tuner_of_this_test.Own",
        "codeDirectory": str(folder),
        "classArgs": {"a": 1},
    }
    try:
        assert package_utils.create_customized_class_instance(parameters).a == 1
    finally:
        sys.path.remove(str(folder))
    with pytest.raises(ValueError, match="Directory not found: /no/such"):
        package_utils.create_customized_class_instance({"codeDirectory": "/no/such", "className": "a.B"})
    with pytest.raises(ImportError, match=r"should be 'module\.Class'"):
        package_utils.load_class("Own")
    with pytest.raises(ImportError, match="has no class Nothing"):
        package_utils.load_class("demo_tuner.Nothing")


def test_the_packaged_list_of_built_in_algorithms_is_in_step() -> None:
    expected: dict[str, list[dict[str, Any]]] = {"tuners": [], "assessors": []}
    for meta in package_utils.get_all_algo_meta():
        expected[f"{meta.algo_type}s"].append(meta.dump())
    path = get_builtin_config_file("builtin_algorithms.yml")
    text = yaml.safe_dump(expected, sort_keys=False)
    assert path.read_text(encoding="utf-8") == text, f"write this to {path}:\n{text}"


def test_files_of_the_configurations_folder_begin_empty() -> None:
    assert get_config_file("registered_algorithms.yml") == registry_file()
    assert read_registry() == []
    assert json.loads(get_config_file("training_services.json").read_text()) == {}
    with pytest.raises(FileNotFoundError):
        get_config_file("nothing.yml")
