"""Runs the algorithms' tests with the oldest versions of the packages that they may be installed with.

smac needs a newer scikit-learn than the other algorithms do, so there are two environments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from workspace.environments import DISTRIBUTIONS, EDITABLE, ROOT, interpreter, prepare
from workspace.steps import Runner


class Environment(NamedTuple):
    """An environment with the oldest packages.

    Attributes:
        extras: Which extras of nni-manager it has.
        without: Packages that it does not have.
        raised: Packages that have to be newer than the oldest version that is allowed.
        selection: Which tests run, as pytest's -k has it.
        tuners: Which tuners search for TRIALS trials in every search space; "" for none.
    """

    extras: str
    without: tuple[str, ...]
    raised: Mapping[str, str]
    selection: str
    tuners: str


TRIALS = 50
_TUNERS = (
    "TPE,TPE_legacy,Anneal,Random,GridSearch,Batch,Evolution,PBT,GP,Metis,DNGO,Hyperband,BOHB,"
    "Optuna TPESampler,Optuna RandomSampler,Optuna CmaEsSampler,Optuna NSGAIISampler,Optuna NSGAIIISampler,"
    "Optuna QMCSampler"
)
ENVIRONMENTS = {
    "oldest": Environment("BOHB,Curvefitting,DNGO,GP,Metis,Optuna", ("smac",), {}, "not smac", _TUNERS),
    # The oldest scikit-learn that smac 2.4 takes.
    "oldest-smac": Environment(
        "all", (), {"scikit-learn": "1.6.1"}, "smac or test_tuners or by_hand", "SMAC"
    ),
}
"""By their names; the folder is .venv-<name>."""

_TOOLS = ("cmaes==0.10", "pytest-asyncio>=0.24,<2", "pytest-timeout>=2.3")
_TESTS = (
    "tests/contract/test_algorithm_outcomes.py",
    "tests/contract/test_assessors.py",
    "tests/contract/test_direction.py",
    "tests/contract/test_finite_spaces.py",
    "tests/contract/test_search_space_meaning.py",
    "tests/contract/test_tuner_marathon.py",
)
_WITH_SMAC = (
    "packages/nni-manager/tests/test_algorithms_by_hand.py",
    "packages/nni-manager/tests/test_algorithms_smac.py",
    "tests/contract/test_tuners.py",
)
"""What cannot be imported without smac."""


def run_with_oldest(steps: Runner, python: str, arguments: Sequence[str]) -> list[str]:
    """Makes the environments and runs the tests in them; returns a line about each.

    Args:
        steps: What runs and notes the steps.
        python: The interpreter, which should be the oldest that is supported.
        arguments: Arguments for pytest.
    """
    of_single_ones = sorted((ROOT / "packages/nni-manager/tests").glob("test_algorithms_*.py"))
    tests = {*(str(path.relative_to(ROOT)) for path in of_single_ones), *_TESTS, *_WITH_SMAC}
    summaries = []
    for name, environment in ENVIRONMENTS.items():
        venv = ROOT / f".venv-{name}"
        manager = f"./packages/nni-manager[{environment.extras}]"
        wanted = [*EDITABLE, "-e", manager, *_TOOLS, *oldest_versions(environment)]
        if not steps.action(f"environment {name}", partial(_prepare, venv, name, wanted, python)):
            continue
        selection = ["-m", "not slow", "-k", environment.selection]
        command = [str(interpreter(venv)), "-m", "pytest", "-q", *selection]
        paths = sorted(tests.difference(_WITH_SMAC if "smac" in environment.without else ()))
        steps.command(f"pytest {name}", [*command, *paths, *arguments])
        summaries.append(f"{name}: {steps.summary_of_pytest()}")
        fuzz = [str(interpreter(venv)), "tools/fuzz_algorithms.py", f"--trials={TRIALS}", "--seed=1"]
        steps.command(f"{TRIALS} trials {name}", [*fuzz, f"--only={environment.tuners}"])
    return summaries


def oldest_versions(environment: Environment) -> list[str]:
    """Returns "name==version" for what ours and the manager's extras need, the oldest that is allowed."""
    allowed: dict[str, str] = {}
    for folder in DISTRIBUTIONS:
        text = (ROOT / folder / "pyproject.toml").read_text(encoding="utf-8")
        project = text.partition("[project]")[2].partition("[tool.")[0]
        if not folder.endswith("nni-manager"):
            project = project.partition("[project.optional-dependencies]")[0]
        allowed.update(re.findall(r'"([A-Za-z0-9_.-]+)>=([0-9.]+)[^"]*"', project))
    oldest = {**allowed, **environment.raised}
    left_out = [name for name in oldest if name.startswith("nni-") or name in environment.without]
    return [f"{name}=={version}" for name, version in oldest.items() if name not in left_out]


def _prepare(venv: Path, name: str, wanted: Sequence[str], python: str) -> None:
    prepare(venv, name, wanted, python)
