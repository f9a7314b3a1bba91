"""Searches for parameters with which trial.py learns best; run it with Python."""

from pathlib import Path

from nni.experiment import Experiment

experiment = Experiment("local")
experiment.config.experiment_name = "hello"
experiment.config.trial_command = "python3 trial.py"
experiment.config.trial_code_directory = Path(__file__).parent
experiment.config.trial_concurrency = 2
experiment.config.max_trial_number = 20
experiment.config.search_space = {
    "learning_rate": {"_type": "loguniform", "_value": [0.0001, 0.3]},
    "momentum": {"_type": "uniform", "_value": [0, 0.9]},
    "batch_size": {"_type": "choice", "_value": [4, 8, 16, 32]},
}
experiment.config.tuner.name = "TPE"
experiment.config.tuner.class_args["optimize_mode"] = "minimize"

if __name__ == "__main__":
    experiment.run(0)
