"""A search whose trials run in jobs of OpenPAI.

    python search.py https://pai.example.org ada --token-file ~/.pai-token --storage data --mount ~/pai

The storage is mounted on this machine too, which --mount says.
"""

import argparse
from pathlib import Path

from nni.experiment import Experiment

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("host", help="the address of the web portal")
arguments.add_argument("username")
arguments.add_argument("--token-file", required=True, metavar="FILE", help="holds the account's token")
arguments.add_argument("--ca-file", metavar="FILE", help="for a portal with a certificate of its own")
arguments.add_argument("--storage", required=True, help="the name of a storage in OpenPAI")
arguments.add_argument("--mount", required=True, metavar="FOLDER", help="where it is mounted here")
arguments.add_argument("--container-mount", metavar="FOLDER", help="where jobs mount it")
arguments.add_argument("--virtual-cluster")
arguments.add_argument("--image", default="python:3.11")
arguments.add_argument("--trials", type=int, default=12)
arguments.add_argument("--port", type=int, default=8080, help="of the page on this machine")
options = arguments.parse_args()

experiment = Experiment("openpai")
config = experiment.config
config.experiment_name = "line"
config.search_space = {
    "rate": {"_type": "loguniform", "_value": [0.001, 1]},
    "batch": {"_type": "choice", "_value": [1, 4, 16]},
}
config.trial_command = "python3 trial.py"
config.trial_code_directory = Path(__file__).parent
config.trial_concurrency = 4
config.trial_gpu_number = 0
config.max_trial_number = options.trials
config.tuner.name = "TPE"
config.tuner.class_args["optimize_mode"] = "minimize"

pai = config.training_service
pai.host = options.host
pai.username = options.username
pai.token_file = options.token_file
pai.ca_file = options.ca_file
pai.virtual_cluster = options.virtual_cluster
pai.docker_image = options.image
pai.trial_cpu_number = 1
pai.trial_memory_size = "2gb"
pai.storage_config_name = options.storage
pai.local_storage_mount_point = options.mount
pai.container_storage_mount_point = options.container_mount or f"/mnt/{options.storage}"

if not experiment.run(options.port):
    raise SystemExit("the search failed")
