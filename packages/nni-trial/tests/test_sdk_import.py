from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

LOADED = """
import sys
before = set(sys.modules)
import nni
{then}
print(*sorted(set(sys.modules) - before))
"""

TABLE = {"nni", "nni._exports", "nni._environment", "__future__"}


def loaded(trial: Any, then: str, **environment: str) -> set[str]:
    return set(trial.run(LOADED.format(then=then), **environment).stdout.split())


def test_importing_nni_in_a_trial_loads_only_its_table_of_names(trial: Any) -> None:
    assert loaded(trial, "") <= {*TABLE, "nni._import_hook"}


def test_importing_nni_outside_a_trial_loads_even_less(trial: Any) -> None:
    assert loaded(trial, "", NNI_PLATFORM="") <= TABLE


def test_a_whole_trial_does_without_the_heavy_parts_of_the_standard_library(trial: Any) -> None:
    then = (
        "nni.get_next_parameter(); nni.report_intermediate_result({'default': 1}); nni.report_final_result(2)"
    )
    modules = loaded(trial, then)
    assert "nni.trial" in modules
    heavy = {"json", "re", "enum", "functools", "logging", "typing", "threading", "asyncio", "pathlib"}
    assert not modules & {*heavy, "subprocess", "warnings"}
    assert not {name.split(".")[0] for name in modules} & {
        "nni_proto",
        "nni_config",
        "grpc",
        "google",
        "pydantic",
    }
    assert trial.values("f") == [2]


STORY = """
import sys
import nni, nni.trial
assert nni.__version__ == nni.version.__version__ and int(nni.__version__.split(".")[0]) > 3
parameters = nni.get_next_parameter()
assert parameters == {"lr": 0.1, "layers": 3}, parameters
assert type(parameters["layers"]) is int
nni.report_intermediate_result({"default": float("inf"), "note": "\\u00fc"})
nni.report_final_result(0.5)
assert nni.get_next_parameters() is None
print(nni.get_experiment_id(), nni.get_trial_id(), nni.get_sequence_id(), sys.version_info[:2])
"""


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.12", "3.13"])
def test_a_trial_runs_on_every_supported_python(
    version: str, trial: Any, find_python: Callable[[str], str]
) -> None:
    result = trial.run(STORY, python=find_python(version), options=("-W", "error"))
    major, minor = version.split(".")
    assert result.stdout.strip() == f"{trial.experiment_id} {trial.trial_id} 7 ({major}, {minor})"
    assert trial.values() == [{"default": float("inf"), "note": "ü"}]
    assert trial.values("f") == [0.5]


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7"])
def test_an_old_python_is_named_with_the_command(
    version: str, trial: Any, find_python: Callable[[str], str]
) -> None:
    python = find_python(version)
    script = trial.folder / "train.py"
    script.write_text("import nni\n", encoding="utf-8")
    result = subprocess.run(
        [python, str(script), "--lr", "0.1"],
        env=trial.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1
    last_line = result.stderr.strip().splitlines()[-1]
    assert last_line.startswith("ImportError: nni needs Python 3.8 or later.")
    assert f"This is Python {version}." in last_line
    assert python in last_line
    assert f"{script} --lr 0.1" in last_line


def test_star_import_needs_no_other_package(trial: Any) -> None:
    result = trial.run(
        "from nni import *; print(get_next_parameter()['lr'], NoMoreTrialError())", options=("-S",)
    )
    assert result.stdout.strip() == "0.1 Search space fully explored"


def test_a_gone_name_says_what_it_was(trial: Any) -> None:
    code = """
    import nni
    for name in ("choice", "trace", "nothing_ever"):
        try:
            getattr(nni, name)
        except AttributeError as error:
            print(error)
    """
    choice, trace, nothing = trial.run(code).stdout.splitlines()
    assert "'choice': it was for neural architecture search" in choice
    assert "'trace': it was for" in trace
    assert nothing == "module 'nni' has no attribute 'nothing_ever'"


def test_no_more_trial_error_is_as_nni_has_it() -> None:
    import pickle

    import nni

    assert str(nni.NoMoreTrialError()) == "Search space fully explored"
    copy = pickle.loads(pickle.dumps(nni.NoMoreTrialError("enough")))
    assert (str(copy), copy.errorinfo) == ("enough", "enough")
