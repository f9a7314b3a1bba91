"""Searches on machines behind SSH, each given as user@host or user@host:port.

    python search.py me@gpu-a me@gpu-b:2222 --key ~/.ssh/id_ed25519

Without --key the keys of the SSH agent and the usual ones in ~/.ssh are tried.
"""

import argparse
from pathlib import Path

from nni.experiment import Experiment
from nni.experiment.config import RemoteMachineConfig


def machine(text: str, key: str | None) -> RemoteMachineConfig:
    """Returns a machine."""
    user, _, place = text.rpartition("@")
    host, _, port = place.partition(":")
    given = {} if key is None else {"ssh_key_file": key}
    return RemoteMachineConfig(host=host, user=user, port=int(port or 22), **given)


arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("machines", nargs="+", metavar="user@host[:port]")
arguments.add_argument("--key", metavar="FILE", help="a private key")
arguments.add_argument("--trials", type=int, default=12)
arguments.add_argument("--port", type=int, default=8080, help="of the page on this machine")
options = arguments.parse_args()

experiment = Experiment("remote")
config = experiment.config
config.experiment_name = "spirals"
config.search_space = {
    "units": {"_type": "choice", "_value": [2, 4, 8, 16]},
    "rate": {"_type": "loguniform", "_value": [0.001, 1]},
}
config.trial_command = "python3 trial.py"
config.trial_code_directory = Path(__file__).parent
config.trial_concurrency = 2 * len(options.machines)
config.max_trial_number = options.trials
config.tuner.name = "TPE"
config.tuner.class_args["optimize_mode"] = "maximize"
config.training_service.machine_list = [machine(text, options.key) for text in options.machines]
# Go on with the others where a machine cannot be used.
config.training_service.allow_partial = True

if not experiment.run(options.port):
    raise SystemExit("the search failed")
