"""Scripts as people write them pass a type checker, and it finds what is wrong in them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

SCRIPTS = {
    "template": """
from pathlib import Path
from nni.experiment import Experiment, RunMode
experiment = Experiment("local", id="mine")
experiment.config.experiment_name = "digits"
experiment.config.trial_command = "python3 digits.py"
experiment.config.trial_code_directory = Path(__file__).parent
experiment.config.trial_concurrency = 2
experiment.config.max_trial_number = 20
experiment.config.max_experiment_duration = "1h"
experiment.config.search_space = {"x": {"_type": "uniform", "_value": [0, 1]}}
experiment.config.tuner.name = "TPE"
experiment.config.tuner.class_args["optimize_mode"] = "maximize"
experiment.config.tuner.class_args = {"optimize_mode": "maximize"}
experiment.config.assessor.class_name = "stopper.Stopper"
experiment.config.assessor.code_directory = Path(__file__).parent
experiment.config.training_service.use_active_gpu = True
experiment.config.training_service.platform = "local"
print(experiment.config.trial_concurrency * 2, experiment.config.tuner.name)
experiment.start(8080, run_mode=RunMode.Detach)
finished: bool | None = experiment.run(port=8080, wait_completion=False)
""",
    "pieces": """
from nni.experiment import AlgorithmConfig, CustomAlgorithmConfig, Experiment, ExperimentConfig, LocalConfig
config = ExperimentConfig("local", trial_concurrency=2)
config.tuner = AlgorithmConfig(name="GridSearch")
config.assessor = CustomAlgorithmConfig(class_name="stopper.Stopper", code_directory=".")
config.training_service = LocalConfig(use_active_gpu=True)
config.validate()
experiment = Experiment(config)
experiment.config = ExperimentConfig.load("experiment.yml")
later = Experiment(None, "mine")
if later.config is None:
    later.config = config
for result in Experiment.connect(8080).export_data():
    print(result.parameter["x"], result.value)
for trial in experiment.list_trial_jobs():
    print(trial.trialJobId, trial.status, [metric.data for metric in trial.finalMetricData or []])
""",
    "trial": """
import nni
parameters = {"x": 0.5}
parameters.update(nni.get_next_parameter())
nni.report_intermediate_result({"default": parameters["x"], "loss": 1})
nni.report_final_result(parameters["x"])
print(nni.get_trial_id(), nni.get_sequence_id(), nni.get_experiment_id())
""",
}

WRONG = """
from nni.experiment import AlgorithmConfig, Experiment, LocalConfig
Experiment(5)
Experiment(LocalConfig())
experiment = Experiment("local")
experiment.config = 5
experiment.run("8080")
"""


@pytest.fixture(scope="module")
def problems(tmp_path_factory) -> dict[str, list[str]]:
    """What mypy has against each script, by its name."""
    folder = tmp_path_factory.mktemp("scripts")
    scripts = {**SCRIPTS, "wrong": WRONG}
    for example in ("digits/search.py", "digits/digits.py"):
        path = EXAMPLES / example
        scripts[path.stem] = path.read_text()
    for name, text in scripts.items():
        (folder / f"{name}.py").write_text(text)
    options = ["--strict", "--config-file=", f"--cache-dir={folder / 'cache'}", "--no-error-summary"]
    options.append("--disable-error-code=import-untyped")  # scikit-learn has no types
    files = [f"{name}.py" for name in scripts]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *files], cwd=folder, capture_output=True, text=True
    )
    assert done.stderr == ""
    found: dict[str, list[str]] = {name: [] for name in scripts}
    for line in done.stdout.splitlines():
        found[line.partition(".py:")[0]].append(line)
    return found


@pytest.mark.parametrize("name", [*SCRIPTS, "search", "digits"])
def test_a_right_script_passes(problems: dict[str, list[str]], name: str) -> None:
    assert problems[name] == []


def test_wrong_lines_are_found(problems: dict[str, list[str]]) -> None:
    lines = [int(line.split(":")[1]) for line in problems["wrong"] if ": error:" in line]
    assert lines == [3, 4, 6, 7], problems["wrong"]
