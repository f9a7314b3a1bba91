"""Looks for the minimum of a function, thousands of trials in two processes."""

import sys
from pathlib import Path

from nni.experiment import Experiment

experiment = Experiment("local")
experiment.config.experiment_name = "reuse mode"
experiment.config.trial_concurrency = 2
experiment.config.max_trial_number = 1000
experiment.config.search_space = {
    "x": {"_type": "uniform", "_value": [-2, 2]},
    "y": {"_type": "uniform", "_value": [-1, 3]},
}
experiment.config.trial_command = "python3 function.py"
experiment.config.trial_code_directory = Path(__file__).parent
experiment.config.tuner.name = "Random"
experiment.config.tuner.class_args["optimize_mode"] = "minimize"
experiment.config.training_service.reuse_mode = True
experiment.run(int(sys.argv[1]) if len(sys.argv) > 1 else 8080)
