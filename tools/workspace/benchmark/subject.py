"""Runs one experiment by the public interface that NNI 3.0 and its successor share.

    python subject.py FOLDER PORT TRIALS CONCURRENCY

It writes FOLDER/result.json: the version, when run() was called, and when it returned.
"""

import json
import sys
import time
from pathlib import Path

import nni
from nni.experiment import Experiment, ExperimentConfig


def main() -> None:
    """Runs the command line."""
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    config = ExperimentConfig("local")
    config.experiment_name = "benchmark"
    config.experiment_working_directory = str(folder / "experiments")
    config.max_trial_number = int(sys.argv[3])
    config.trial_concurrency = int(sys.argv[4])
    config.search_space = {"x": {"_type": "uniform", "_value": [0, 1]}}
    config.trial_command = f"{sys.executable} noop.py {folder / 'trials.txt'} report"
    config.trial_code_directory = str(Path(__file__).parent)
    config.tuner.name = "Random"
    called = time.time()
    Experiment(config).run(port)
    result = {"version": nni.__version__, "called": called, "returned": time.time()}
    (folder / "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
