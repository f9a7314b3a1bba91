"""Steers an experiment from a script: start it, watch it, change it, stop it, and read what it found."""

import time
from pathlib import Path

from nni.experiment import Experiment

experiment = Experiment("local")
experiment.config.experiment_name = "control"
experiment.config.trial_concurrency = 1
experiment.config.max_trial_number = 3
experiment.config.search_space = {
    "x": {"_type": "uniform", "_value": [-5, 5]},
    "y": {"_type": "uniform", "_value": [-5, 5]},
}
experiment.config.trial_command = "python3 trial.py"
experiment.config.trial_code_directory = Path(__file__).parent
experiment.config.tuner.name = "TPE"
experiment.config.tuner.class_args["optimize_mode"] = "minimize"

experiment.start(port=0)
while experiment.get_status() != "DONE":
    time.sleep(0.5)
print("after three trials:", experiment.get_job_statistics())

# The manager keeps serving: with a higher limit the experiment goes on, now with two trials at a time.
experiment.update_trial_concurrency(2)
experiment.update_max_trial_number(6)
while len(experiment.list_trial_jobs()) < 6 or experiment.get_status() != "DONE":
    time.sleep(0.5)

experiment.stop()

# What was found can be read after the end as well.
metrics = experiment.get_job_metrics()
for trial in experiment.list_trial_jobs():
    curve = [metric.data for metric in metrics[trial.trialJobId]]
    print(trial.sequenceId, trial.status, trial.hyperParameters[0].parameters, curve)
best = experiment.best_trial()
print("best:", best.hyperParameters[0].parameters, best.finalMetricData[0].data)
