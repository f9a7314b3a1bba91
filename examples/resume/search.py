"""A search that goes on wherever it was interrupted."""

import json
import time
from pathlib import Path

from nni.experiment import Experiment

FOLDER = Path(__file__).parent

experiment = Experiment("local", id="resume-example")
config = experiment.config
config.experiment_name = "resume"
config.trial_command = "python3 trial.py"
config.trial_code_directory = FOLDER
config.trial_concurrency = 2
config.max_trial_number = 8
config.max_trial_retries = 2  # a trial that died by a signal is run again, with the same parameters
config.max_failed_trial_number = 5  # a search that goes nowhere ends
config.initial_parameters = [{"x": 0.5}, {"x": 0.2}]  # tried first
config.search_space = {"x": {"_type": "uniform", "_value": [0, 1]}}
config.tuner.name = "TPE"
config.tuner.class_args["optimize_mode"] = "minimize"

if experiment.has_checkpoint():
    print("going on with", experiment.get_job_statistics())
experiment.run_or_resume(port=0)

# It is done; with a higher limit it goes on. Now with parameters of one's own, and a tuner that is told a
# result from elsewhere, for as many trials as there are then.
experiment.resume(port=0, wait_completion=False)
experiment.update_max_trial_number(1000)
experiment.pause()
experiment.create_trial({"x": 0.31})
experiment.import_data([{"parameter": {"x": 0.9}, "value": 0.36}])
experiment.update_max_trial_number(len(experiment.list_trial_jobs()))
experiment.unpause()
while experiment.get_status() != "DONE":
    time.sleep(0.2)
experiment.stop()

best = experiment.best_trial()
(FOLDER / "best.json").write_text(json.dumps(best.hyperParameters[0].parameters))
print("best:", best.hyperParameters[0].parameters)
