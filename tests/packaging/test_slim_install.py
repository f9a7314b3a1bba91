from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

HEAVY = {
    "asyncio",
    "concurrent",
    "ctypes",
    "email",
    "http",
    "multiprocessing",
    "pydoc",
    "sqlite3",
    "ssl",
    "unittest",
    "urllib",
    "xml",
}
"""Parts of the standard library that a trial does not need to start."""


@pytest.fixture(scope="module")
def trial_machine(distributions: dict[str, Any], fresh_python: Callable[[], Any]) -> Any:
    python = fresh_python()
    python.install("--no-index", distributions["nni-trial"].wheel)
    return python


def test_nothing_else_is_installed(trial_machine: Any) -> None:
    assert trial_machine.distributions() == {"nni-trial"}


def test_the_trial_api_works_without_the_rest(trial_machine: Any) -> None:
    code = (
        "import nni; nni.report_intermediate_result(1); nni.report_final_result(2); print(nni.get_trial_id())"
    )
    assert trial_machine.output(code).splitlines()[-1]


@pytest.mark.parametrize(
    ("statement", "distribution"),
    [
        ("from nni.experiment import Experiment", "nni-client"),
        ("import nni.experiment.config", "nni-config"),
        ("from nni.tuner import Tuner", "nni-manager"),
        ("from nni.assessor import Assessor", "nni-manager"),
    ],
)
def test_a_facade_says_what_to_install(statement: str, distribution: str, trial_machine: Any) -> None:
    result = trial_machine.run("-c", statement)
    assert result.returncode == 1
    last_line = result.stderr.strip().splitlines()[-1]
    assert last_line.startswith(("ImportError:", "ModuleNotFoundError:"))
    assert f"pip install {distribution}" in last_line


def test_importing_nni_loads_little(trial_machine: Any) -> None:
    code = "import sys; before = set(sys.modules); import nni; print(*(set(sys.modules) - before))"
    loaded = {name.split(".")[0] for name in trial_machine.output(code).split()}
    assert "nni" in loaded
    standard_library = set(trial_machine.output("import sys; print(*sys.stdlib_module_names)").split())
    assert loaded - standard_library == {"nni"}
    assert not loaded & HEAVY


def test_importing_nni_leaves_the_logging_of_a_program_alone(trial_machine: Any) -> None:
    code = """
import logging, nni
root = logging.getLogger()
print(root.handlers, root.level, logging.getLogger("nni").handlers, logging.lastResort.level)
"""
    assert trial_machine.output(code) == "[] 30 [] 30"
