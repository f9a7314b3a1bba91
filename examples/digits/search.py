"""Searches the hyper-parameters of a support vector machine on scikit-learn's digits data set."""

import sys
from pathlib import Path

from nni.experiment import Experiment

search_space = {
    "C": {"_type": "loguniform", "_value": [0.01, 1000]},
    "gamma": {"_type": "loguniform", "_value": [1e-5, 1]},
    "kernel": {"_type": "choice", "_value": ["rbf", "poly", "sigmoid"]},
    "degree": {"_type": "randint", "_value": [1, 5]},
}
experiment = Experiment("local")
experiment.config.experiment_name = "digits"
experiment.config.trial_concurrency = 2
experiment.config.max_trial_number = 20
experiment.config.search_space = search_space
experiment.config.trial_command = "python3 digits.py"
experiment.config.trial_code_directory = Path(__file__).parent
experiment.config.tuner.name = "TPE"
experiment.config.tuner.class_args["optimize_mode"] = "maximize"
experiment.run(int(sys.argv[1]) if len(sys.argv) > 1 else 8080)
