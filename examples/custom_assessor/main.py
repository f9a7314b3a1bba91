"""Runs an experiment with the assessor in plateau.py."""

from pathlib import Path

from nni.experiment import Experiment
from plateau import Plateau

folder = Path(__file__).parent
experiment = Experiment("local")
experiment.config.experiment_name = "plateau"
experiment.config.trial_command = "python3 trial.py"
experiment.config.trial_code_directory = folder
experiment.config.trial_concurrency = 4
experiment.config.max_trial_number = 12
experiment.config.search_space = {"learning_rate": {"_type": "loguniform", "_value": [0.0001, 0.5]}}
experiment.config.tuner.name = "Random"
experiment.config.tuner.class_args = {"optimize_mode": "minimize", "seed": 1}
experiment.config.assessor = Plateau(patience=3)

if __name__ == "__main__":
    experiment.run(8080)
