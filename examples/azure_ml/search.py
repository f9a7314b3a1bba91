"""A search whose trials run in jobs of Azure Machine Learning.

az login
python search.py SUBSCRIPTION RESOURCE_GROUP WORKSPACE COMPUTE
"""

import argparse
from pathlib import Path

from nni.experiment import Experiment

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("subscription", help="the id of the Azure subscription")
arguments.add_argument("resource_group")
arguments.add_argument("workspace")
arguments.add_argument("compute", help="a compute target of the workspace")
arguments.add_argument("--image", default="python:3.11")
arguments.add_argument("--trials", type=int, default=12)
arguments.add_argument("--port", type=int, default=8080, help="of the page on this machine")
options = arguments.parse_args()

experiment = Experiment("aml")
config = experiment.config
config.experiment_name = "line"
config.search_space = {
    "rate": {"_type": "loguniform", "_value": [0.001, 1]},
    "batch": {"_type": "choice", "_value": [1, 4, 16]},
}
config.trial_command = "python3 trial.py"
config.trial_code_directory = Path(__file__).parent
config.trial_concurrency = 4
config.max_trial_number = options.trials
config.tuner.name = "TPE"
config.tuner.class_args["optimize_mode"] = "minimize"

azure = config.training_service
azure.subscription_id = options.subscription
azure.resource_group = options.resource_group
azure.workspace_name = options.workspace
azure.compute_target = options.compute
azure.docker_image = options.image

if not experiment.run(options.port):
    raise SystemExit("the search failed")
