from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (
    "proto",
    "packages/nni-trial",
    "packages/nni-config",
    "packages/nni-client",
    "packages/nni-manager",
)
IMPORTS = "import nni, nni_proto, nni_config, nni_client, nni_manager; from nni.experiment import Experiment"


@pytest.mark.slow
def test_plain_pip_installs_all_from_the_tree(fresh_python: Callable[[], Any]) -> None:
    python = fresh_python()
    # It is imported a few times only, and compiling all takes longer than the rest.
    python.install("--no-compile", *(ROOT / folder for folder in FOLDERS))
    assert python.output(f"{IMPORTS}; print(Experiment.__name__)") == "Experiment"
    assert python.script("nnictl", "--help").returncode == 0
    python.pip("check")


def test_the_wheels_work_together(distributions: dict[str, Any], fresh_python: Callable[[], Any]) -> None:
    python = fresh_python()
    python.install_wheels(*(built.wheel for built in distributions.values()))
    python.see_third_party_packages()
    assert python.output(f"{IMPORTS}; print(nni_client.__file__)").startswith(str(python.site_packages))
