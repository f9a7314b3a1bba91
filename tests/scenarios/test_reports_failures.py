"""Field reports on trials that fail: which are run again, how, and what everybody is told of it."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.slow

LISTENER = """
import json
from nni.tuner import Tuner

class Listener(Tuner):
    def update_search_space(self, search_space):
        pass

    def note(self, *words):
        with open("told.jsonl", "a") as file:
            print(json.dumps(words), file=file)

    def generate_parameters(self, parameter_id, **kwargs):
        return {"x": parameter_id}

    def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
        self.note("result", parameter_id, value)

    def trial_end(self, parameter_id, success, **kwargs):
        self.note("end", parameter_id, success)
"""

FAILING = """
import json, os, signal, sys, nni
x = nni.get_next_parameter()["x"]
attempt = int(os.environ["NNI_TRIAL_ATTEMPT"])
with open(f"runs-{x}", "a") as file:
    print(json.dumps([sys.argv, x, nni.get_trial_id(), nni.get_sequence_id(), os.getcwd()]), file=file)
nni.report_intermediate_result(attempt)
if x == 0 and attempt < 2 or x == 1:
    os.kill(os.getpid(), signal.SIGKILL)
if x == 2:
    raise ValueError("bad luck")
nni.report_final_result(x)
"""


def test_a_preempted_trial_is_run_again_as_it_was(stage, id_in):
    """Rows 219 and 220: the same command and parameters, as often as was allowed, and all can be seen."""
    stage.write("listener.py", LISTENER)
    stage.write("failing.py", FAILING)
    output = stage.run(
        """
        experiment = make("python3 failing.py --name 'two words'", trials=4, concurrency=1)
        experiment.config.max_trial_retries = 2
        experiment.config.tuner = {"className": "listener.Listener", "codeDirectory": Path(__file__).parent}
        print("RESULT", experiment.run(0), [trial.status for trial in experiment.list_trial_jobs()])
        """
    )
    assert "RESULT True ['SUCCEEDED', 'FAILED', 'FAILED', 'SUCCEEDED']" in output
    runs = [(stage.folder / f"runs-{x}").read_text().splitlines() for x in range(4)]
    assert [len(each) for each in runs] == [3, 3, 1, 1]
    assert [len(set(each)) for each in runs] == [1] * 4, "a repeated run was given something else"
    assert json.loads(runs[0][0])[0] == ["failing.py", "--name", "two words"]

    experiment_id = id_in(output)
    told = (stage.experiments / experiment_id / "log" / "told.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in told] == [
        ["result", 0, 0],
        ["end", 0, True],
        ["end", 1, False],
        ["end", 2, False],
        ["result", 3, 3],
        ["end", 3, True],
    ]
    listed = json.loads(stage.nnictl("trial", "ls", experiment_id).stdout)
    killed = "killed by signal 9 (SIGKILL)"
    assert [each["attempt"] for each in listed] == [2, 2, 0, 0]
    assert [each.get("earlierEnds", []) for each in listed] == [[killed] * 2, [killed] * 2, [], []]
    assert [each.get("signal") or each.get("exitCode") for each in listed] == [0, 9, 1, 0]
    assert "ValueError: bad luck" in listed[2]["stderrTail"]
    assert stage.is_quiet(), stage.processes()


@pytest.mark.parametrize("limit", [1, 5])
def test_how_many_first_failures_are_too_many_can_be_set(stage, limit):
    """Row 219: three at once are a default that can be turned off; then the limit alone counts."""
    output = stage.run(
        f"""
        experiment = make("exit 4", trials=50, concurrency=1)
        experiment.config.stop_on_early_failures = False
        experiment.config.max_failed_trial_number = {limit}
        print("RESULT", experiment.run(0), experiment.get_status(), len(experiment.list_trial_jobs()))
        """
    )
    assert f"RESULT False ERROR {limit}" in output
    assert f"max_failed_trial_number ({limit}) is reached" in output
    assert stage.is_quiet(), stage.processes()


STEPPING = """
from pathlib import Path
from nni.tuner import Tuner

class Stepping(Tuner):
    def __init__(self, gate):
        self.gate, self.next, self.known = Path(gate), 10, []

    def update_search_space(self, search_space):
        pass

    def generate_parameters(self, parameter_id, **kwargs):
        self.next += 1
        if self.next == 14 and not self.gate.exists():
            raise OSError("the data set is not mounted")
        return {"x": self.next, "known": self.known[:]}

    def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
        self.known.append(value)
"""


def test_a_search_goes_on_after_a_fatal_error_with_all_that_it_knew(stage):
    """Row 130: the tuner is as it was before the error, and nothing is run twice."""
    stage.write("stepping.py", STEPPING)
    stage.write("trial.py", "import nni\nnni.report_final_result(nni.get_next_parameter()['x'])\n")
    output = stage.run(
        """
        gate = Path(__file__).with_name("mounted")
        experiment = make(trials=6, concurrency=1, id="mine")
        experiment.config.tuner = {"className": "stepping.Stepping", "classArgs": {"gate": str(gate)}}
        experiment.config.tuner.code_directory = Path(__file__).parent
        print("FIRST", experiment.run(0), experiment.get_status(), len(experiment.list_trial_jobs()))
        gate.touch()
        print("SECOND", Experiment.resume("mine", 0), Experiment(None, id="mine").get_status())
        jobs = Experiment(None, id="mine").list_trial_jobs()
        print("NUMBERS", [job.sequenceId for job in jobs], {job.status for job in jobs})
        print("GIVEN", [list(job.hyperParameters[0].parameters.values()) for job in jobs])
        """
    )
    assert "FIRST False ERROR 3" in output and "the data set is not mounted" in output
    assert "SECOND True DONE" in output
    assert "NUMBERS [0, 1, 2, 3, 4, 5] {'SUCCEEDED'}" in output
    given = json.loads(output.partition("GIVEN ")[2].splitlines()[0])
    numbers = [x for x, _ in given]
    assert numbers[:3] == [11, 12, 13] and numbers == sorted(set(numbers))
    assert [known for _, known in given] == [numbers[:count] for count in range(6)]
    assert stage.is_quiet(), stage.processes()
