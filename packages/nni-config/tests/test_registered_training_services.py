"""Packages of others with configuration classes for places where trials run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from nni_config import registered_training_services as services
from nni_config.registered_training_services import TrainingServiceRegistryError

PACKAGE = """
from dataclasses import dataclass
from nni.experiment.config.training_service import TrainingServiceConfig

@dataclass(init=False)
class FarConfig(TrainingServiceConfig):
    platform: str = "far_away"
    gateway: str

class nni_training_service_info:
    config_class = FarConfig
    node_module_path = "/far_away/index.js"
    node_class_name = "FarService"
"""
# In processes of their own, since a platform stays known in the process that loaded its class.
LOAD = """
import sys
from nni_config import ExperimentConfig, InvalidConfigError
try:
    config = ExperimentConfig(training_service={"platform": sys.argv[1], "gateway": "a"})
except InvalidConfigError as error:
    print(error)
else:
    print(type(config.training_service).__name__, config.training_service.gateway)
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages, and a configuration's folder of the test's own."""
    site = tmp_path / "site"
    (site / "far_away").mkdir(parents=True)
    (site / "far_away" / "__init__.py").write_text(PACKAGE)
    monkeypatch.setenv("NNI_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("PYTHONPATH", str(site))
    return site


def run(program: str, *words: str) -> str:
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def register(name: str) -> str:
    return run(
        "import sys\nfrom nni_config import registered_training_services as services\n"
        "try: print(services.register_package(sys.argv[1]))\n"
        "except services.TrainingServiceRegistryError as error: print(error)",
        name,
    )


def test_a_registered_package_is_loaded_by_its_platform(site: Path) -> None:
    assert "'far_away' is not a platform; available: local" in run(LOAD, "far_away")
    assert register("far_away") == "False"
    assert register("far_away") == "True"
    assert services.registered_packages() == {
        "far_away": {"nodeModulePath": "/far_away/index.js", "nodeClassName": "FarService"}
    }
    assert services.known_packages() == ["far_away"]
    assert run(LOAD, "far_away") == "FarConfig a"
    assert "far_away" in run(LOAD, "nowhere")
    assert services.unregister_package("far_away")
    assert not services.unregister_package("far_away")
    assert "'far_away' is not a platform" in run(LOAD, "far_away")


def test_a_package_that_has_gone_or_broken_is_told(site: Path) -> None:
    register("far_away")
    (site / "far_away" / "__init__.py").write_text("import nothing_at_all\n")
    said = run(LOAD, "far_away")
    assert said.endswith(
        "the package far_away cannot be imported: ModuleNotFoundError: No module named 'nothing_at_all'"
    )
    assert said.startswith("training_service.platform: ")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("nothing_at_all", "", "cannot be imported: ModuleNotFoundError"),
        ("empty", "", "the package empty has no training service: it needs an attribute nni_training"),
        ("wrong", "class nni_training_service_info: config_class = int", "subclass of nni.experiment.config"),
        ("other", PACKAGE, "FarConfig's platform is 'far_away'; allowed is the package's name 'other'"),
    ],
)
def test_what_is_no_training_service_is_refused(site: Path, name: str, text: str, said: str) -> None:
    if name != "nothing_at_all":
        (site / f"{name}.py").write_text(text)
    assert said in register(name)
    assert services.registered_packages() == {}


@pytest.mark.parametrize("content", ["{", "[1]"])
def test_a_broken_file_is_named(site: Path, content: str) -> None:
    services.registry_file().parent.mkdir()
    services.registry_file().write_text(content)
    with pytest.raises(TrainingServiceRegistryError, match=r"training_services\.json"):
        services.registered_packages()
    assert "training_services.json" in run(LOAD, "far_away")


def test_what_installed_packages_bring(site: Path) -> None:
    info = site / "far_away-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: far-away\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nni.training_services]\nfar_away = far_away:FarConfig\n")
    assert run(LOAD, "far_away") == "FarConfig a"
    listed = "import json\nfrom nni_config import registered_training_services as s\n"
    assert json.loads(run(f"{listed}print(json.dumps(s.known_packages()))")) == ["far_away"]
