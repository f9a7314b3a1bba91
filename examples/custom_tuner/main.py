"""Runs an experiment with the tuner in hill_climber.py."""

from pathlib import Path

from nni.experiment import CustomAlgorithmConfig, Experiment

folder = Path(__file__).parent
experiment = Experiment("local")
experiment.config.experiment_name = "hill climber"
experiment.config.trial_command = "python3 trial.py"
experiment.config.trial_code_directory = folder
experiment.config.trial_concurrency = 2
experiment.config.max_trial_number = 30
experiment.config.search_space = {"x": [-2, 2], "y": [-1, 3]}
experiment.config.tuner = CustomAlgorithmConfig(
    class_name="hill_climber.HillClimber",
    code_directory=folder,
    class_args={"optimize_mode": "minimize", "seed": 1},
)

if __name__ == "__main__":
    experiment.run(8080)
