"""nnictl algo and nnictl trainingservice: what users add by name."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nni_client import algorithm_questions
from nni_client.commands import main
from nni_config import registered_algorithms
from nni_config.registered_algorithms import registry_file
from nni_config.registered_training_services import registered_packages

MODULE = """
print("what modules print does not matter")
from nni import ClassArgsValidator
from nni.assessor import Assessor
from nni.tuner import Tuner

class DemoTuner(Tuner):
    def generate_parameters(self, parameter_id, **kwargs): ...
    def receive_trial_result(self, *args, **kwargs): ...
    def update_search_space(self, space): ...

class DemoAssessor(Assessor):
    def assess_trial(self, trial, history): ...

class DemoValidator(ClassArgsValidator):
    def validate_class_args(self, **kwargs): ...
"""
TUNER = {
    "algoType": "tuner",
    "builtinName": "Demo",
    "className": "demo_tuner.DemoTuner",
    "classArgsValidator": "demo_tuner.DemoValidator",
}
ASSESSOR = {"algoType": "assessor", "builtinName": "Stop", "className": "demo_tuner.DemoAssessor"}


@pytest.fixture
def site(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that modules are imported from; what is registered is the test's own."""
    site = home / "site"
    site.mkdir()
    (site / "demo_tuner.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("NNI_CONFIG_DIR", str(home / "config"))
    return site


@pytest.fixture
def nnictl(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Runs nnictl in this process and returns what it printed: on stderr if it was to fail."""

    def run(*words: str, exit_code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["nnictl", *words])
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        assert (end.value.code or 0) == exit_code, captured
        assert "Traceback" not in captured.err
        return captured.err if exit_code else captured.out

    return run


@pytest.fixture
def described(home: Path) -> Callable[..., str]:
    def write(*metas: dict[str, Any]) -> str:
        path = home / "meta.yml"
        path.write_text(json.dumps(metas[0] if len(metas) == 1 else {"algorithms": metas}))
        return str(path)

    return write


@pytest.mark.parametrize("words", [("register", "--meta_path"), ("reg", "-m"), ("register", "--meta")])
def test_one_is_registered_and_forgotten(
    nnictl: Callable[..., str], described: Callable[..., str], words: tuple[str, ...]
) -> None:
    assert nnictl("algo", *words, described(TUNER)) == "Demo registered sucessfully!\n"
    shown = json.loads(nnictl("algo", "show", "demo"))
    assert shown == {**TUNER, "source": "user"}
    unregister = "unreg" if words[0] == "reg" else "unregister"
    assert nnictl("algo", unregister, "demo", exit_code=1) == (
        "ERROR: demo is not found; did you mean Demo?\n"
    )
    assert nnictl("algo", unregister, "Demo") == "Demo unregistered sucessfully!\n"
    assert nnictl("algo", unregister, "Demo", exit_code=1) == (
        "ERROR: Demo is not found; registered algorithms: none\n"
    )


def test_several_are_registered_and_listed(nnictl: Callable[..., str], described: Callable[..., str]) -> None:
    said = nnictl("algo", "register", "--meta_path", described(TUNER, ASSESSOR))
    assert said == "Demo registered sucessfully!\nStop registered sucessfully!\n"
    said = nnictl("algo", "register", "-m", described({**TUNER, "alias": "Other", "classArgs": {"a": 1}}))
    lines = [line.split() for line in nnictl("algo", "list").splitlines()]
    assert lines[0] == ["Name", "Type", "source", "Class", "Name", "Module", "Name"]
    assert ["TPE", "tuner", "nni", "TpeTuner", "nni_manager.algorithms.tuners.tpe"] in lines
    assert ["Demo", "tuner", "user", "DemoTuner", "demo_tuner"] in lines
    assert ["Stop", "assessor", "user", "DemoAssessor", "demo_tuner"] in lines
    assert sum(line[0] == "Demo" for line in lines) == 1
    listed = {it["builtinName"]: it for it in json.loads(nnictl("algo", "list", "--json"))}
    assert listed["Demo"]["classArgs"] == {"a": 1}
    assert listed["TPE"]["source"] == "nni"
    assert json.loads(nnictl("algo", "show", "OTHER"))["builtinName"] == "Demo"


@pytest.mark.parametrize(
    ("meta", "said"),
    [
        ({"className": "demo_tuner.Nothing"}, "Demo: the class demo_tuner.Nothing cannot be used: the module "
         "demo_tuner has no class Nothing; it must be installed for "),
        ({"className": "no_module.A"}, "no_module.A cannot be used: No module named 'no_module'"),
        ({"className": "broken.A"}, "broken.A cannot be used: ZeroDivisionError: division by zero"),
        ({"algoType": "assessor"}, "demo_tuner.DemoTuner is no assessor: it has no method assess_trial; it "
         "should subclass nni.assessor.Assessor"),
        ({"className": "demo_tuner.DemoAssessor"}, "is no tuner: it has no method generate_multiple_"),
        ({"classArgsValidator": "no_module.A"}, "the class no_module.A cannot be used"),
        ({"classArgsValidator": "demo_tuner.DemoTuner"}, "is no validator: it has no method"),
        ({"builtinName": "Random"}, "meta.yml:1: builtinName: Random is the name of a built-in algorithm"),
        ({"className": None}, "meta.yml:1: className: it is not set"),
    ],
)  # fmt: skip
def test_what_does_not_work_is_not_registered(
    nnictl: Callable[..., str],
    described: Callable[..., str],
    site: Path,
    meta: dict[str, Any],
    said: str,
) -> None:
    (site / "broken.py").write_text("1 / 0\n")
    # One of two is enough: all or none.
    assert said in nnictl(
        "algo", "register", "-m", described(ASSESSOR, {**TUNER, **meta}), exit_code=1
    ).replace("algorithms[1].", "")
    assert not registry_file().exists()


def test_names_that_are_taken(nnictl: Callable[..., str], described: Callable[..., str]) -> None:
    nnictl("algo", "register", "-m", described(TUNER))
    taken = {**ASSESSOR, "alias": "DEMO"}
    assert nnictl("algo", "register", "-m", described(taken), exit_code=1) == (
        "ERROR: Stop: DEMO is a name of tuner Demo; allowed is a name of its own\n"
    )
    assert nnictl("algo", "unregister", "TPE", exit_code=1) == (
        "ERROR: TPE is provided by nni; it cannot be unregistered\n"
    )
    said = nnictl("algo", "show", "Nothing", exit_code=1)
    assert said.startswith("ERROR: Nothing is not found; there are: TPE, ") and said.endswith(", Demo\n")
    assert nnictl("algo", "register", "-m", "/no/such.yml", exit_code=1) == (
        "ERROR: /no/such.yml: No such file or directory\n"
    )
    assert "--meta-path" in nnictl("algo", "register", exit_code=2)


def test_what_comes_with_a_package_cannot_be_unregistered(
    nnictl: Callable[..., str], site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = site / "demo_tuner-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: demo-tuner\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nni.tuners]\nBrought = demo_tuner:DemoTuner\n")
    monkeypatch.syspath_prepend(site)
    registered_algorithms._brought.cache_clear()
    try:
        assert json.loads(nnictl("algo", "show", "brought"))["className"] == "demo_tuner.DemoTuner"
        assert nnictl("algo", "unregister", "Brought", exit_code=1) == (
            "ERROR: Brought comes with an installed package; uninstall the package of demo_tuner\n"
        )
    finally:
        registered_algorithms._brought.cache_clear()


def test_without_the_manager_it_says_what_to_install(
    nnictl: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(algorithm_questions, "_MODULE", "nni_manager_that_is_not_there.at_all")
    said = nnictl("algo", "list", exit_code=1)
    assert said.startswith("ERROR: This needs the package nni-manager: ")


FAR = """
from nni.experiment.config.training_service import TrainingServiceConfig

class FarConfig(TrainingServiceConfig):
    platform: str = "far_off"

class nni_training_service_info:
    config_class = FarConfig
    node_module_path = "far.js"
    node_class_name = "Far"
"""


def test_training_services(nnictl: Callable[..., str], site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (site / "far_off.py").write_text(FAR)
    monkeypatch.syspath_prepend(site)
    assert nnictl("trainingservice", "list") == ""
    assert nnictl("trainingservice", "register", "--package", "far_off") == "Sucessfully registered far_off\n"
    assert nnictl("trainingservice", "register", "--package", "far_off") == "Sucessfully updated far_off\n"
    assert nnictl("trainingservice", "list") == "far_off\n"
    assert json.loads(nnictl("trainingservice", "list", "--json")) == ["far_off"]
    assert registered_packages() == {"far_off": {"nodeModulePath": "far.js", "nodeClassName": "Far"}}
    said = nnictl("trainingservice", "unregister", "--package", "far_off")
    assert said == "Sucessfully unregistered far_off\n"
    assert nnictl("trainingservice", "unregister", "--package", "far_off", exit_code=1) == (
        "ERROR: far_off is not registered; registered packages: none\n"
    )
    assert nnictl("trainingservice", "register", "--package", "json", exit_code=1).startswith(
        "ERROR: the package json has no training service"
    )
    assert nnictl("trainingservice", "register", "--package", "nothing_at_all", exit_code=1) == (
        "ERROR: the package nothing_at_all cannot be imported: ModuleNotFoundError: "
        "No module named 'nothing_at_all'\n"
    )
    assert "provided by nni" in nnictl("trainingservice", "register", "--package", "local", exit_code=1)
