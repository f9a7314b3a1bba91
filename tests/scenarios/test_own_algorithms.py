"""Algorithms of the user's own: instances in Python, and a tuner that another process serves."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "served_tuner"
NODE_MODULES = ROOT / "tests" / "integration" / "node" / "node_modules"

BESIDE = """
from nni.tuner import Tuner
from nni.assessor import Assessor, AssessResult

class Stepping(Tuner):
    def __init__(self, start):
        self.next = start
    def generate_parameters(self, parameter_id, **kwargs):
        self.next += 1
        return {"x": self.next}
    def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
        if value == 12 and self.dies:
            import os, pathlib
            if not pathlib.Path("died").exists():
                pathlib.Path("died").touch()
                os.kill(os.getpid(), 9)
    def update_search_space(self, search_space):
        self.space = search_space
    dies = False

class Strict(Assessor):
    def assess_trial(self, trial_job_id, history):
        return AssessResult.Good
"""
SHOWN = """
def shown(experiment):
    print("FINALS", [trial.value for trial in sorted(experiment.export_data(), key=lambda it: it.value)])
"""


@pytest.fixture
def stage(stage):
    stage.write("beside.py", BESIDE)
    return stage


def finals(output: str) -> list[Any]:
    return [json.loads(line.partition(" ")[2]) for line in output.splitlines() if line.startswith("FINALS")]


@pytest.mark.parametrize("place", ["beside", "in the script"])
def test_instances(stage, id_in, place):
    """Row 105: they run, in a fresh copy after a resume and a death, by this script and by another one."""
    tuner = "Stepping(10)" if place == "beside" else "Mine(10)"
    output = stage.run(
        f"""
        from beside import Stepping, Strict
        class Mine(Stepping):
            def __init__(self, start):
                super().__init__(start)
                self.dies = True
        {SHOWN.replace(chr(10), chr(10) + " " * 8)}
        experiment = make(trials=3, concurrency=1)
        experiment.config.tuner = {tuner}
        experiment.config.assessor = Strict()
        assert experiment.run(0) is True
        shown(experiment)
        experiment.config.max_trial_number = 5
        assert experiment.resume(0) is True
        shown(experiment)
        """
    )
    assert finals(output) == [[11, 12, 13], [11, 12, 13, 14, 15]]
    folder = stage.experiments / id_in(output)
    for name in ("tuner", "assessor"):
        (path,) = (folder / "classes").glob(f"{name}_*.pickle")
        assert path.stat().st_mode & 0o777 == 0o600
    log = (folder / "log" / "nnimanager.log").read_text()
    assert ("its history was replayed" in log or "was made anew, replayed" in log) and "differed" not in log
    assert ("died" in log) == (place != "beside")
    # Another process, which does not know the classes.
    output = stage.run(
        f"""
        {SHOWN.replace(chr(10), chr(10) + " " * 8)}
        experiment = Experiment(None, id={folder.name!r})
        experiment.load_checkpoint()
        print(experiment.config.tuner.class_name, experiment.config.tuner.instance_file)
        experiment.config.max_trial_number = 6
        assert experiment.resume(0) is True
        shown(experiment)
        """
    )
    assert finals(output) == [[11, 12, 13, 14, 15, 16]]
    assert f"{'beside.Stepping' if place == 'beside' else '__main__.Mine'} tuner_" in output


@pytest.mark.parametrize("form", ["instance", "class"])
def test_a_resume_that_is_refused_leaves_what_was_there(stage, form):
    """The new object or class takes the place of the old one with the record, not before."""
    script = """
        from beside import Stepping
        class Mine(Stepping):
            def __init__(self, start=10):
                super().__init__(start)
            def generate_parameters(self, parameter_id, **kwargs):
                return {"x": super().generate_parameters(parameter_id)["x"] * FACTOR}
        def configured(trials):
            experiment = make(trials=trials, concurrency=1, id="mine")
            experiment.config.tuner = TUNER
            return experiment
        def finals(experiment):
            return sorted(result.value for result in experiment.export_data())
        """
    tuner = (
        "Mine()"
        if form == "instance"
        else '{"className": "__main__.Mine", "codeDirectory": Path(__file__).parent}'
    )
    script = script.replace("TUNER", tuner)
    files = stage.experiments / "mine" / "classes"

    def there():
        return sorted(path for path in files.rglob("*") if "__pycache__" not in path.parts)

    stage.run(f"{script.replace('FACTOR', '1')}\n        assert configured(2).run(0) is True\n")
    before = there()
    output = stage.run(
        script.replace("FACTOR", "1000")
        + """
        experiment = configured(3)
        experiment.config.assessor.name = "Medianstop"
        try:
            experiment.resume(0)
        except ValueError as error:
            print("REFUSED", error)
        """
    )
    assert "REFUSED" in output and "assessor.name: it was None and is now" in output
    assert there() == before
    output = stage.run(
        script
        + """
        experiment = Experiment(None, id="mine")
        experiment.load_checkpoint()
        experiment.config.max_trial_number = 3
        assert experiment.resume(0) is True
        print("FINALS", finals(experiment))
        """
    )
    assert "FINALS [11, 12, 13]" in output
    assert there() == before
    output = stage.run(
        script.replace("FACTOR", "1000")
        + """
        experiment = configured(4)
        assert experiment.resume(0) is True
        print("FINALS", finals(experiment))
        """
    )
    assert "FINALS [11, 12, 13, " in output and "000" in output  # those of the new one come last
    assert len(there()) == len(before) and there() != before


def test_an_instance_of_a_built_in_class(stage):
    """Its mode is the experiment's; its state is its own, and its seed makes it repeatable."""
    output = stage.run(
        f"""
        from nni.algorithms.hpo.tpe_tuner import TpeTuner
        {SHOWN.replace(chr(10), chr(10) + " " * 8)}
        for _ in range(2):
            experiment = make(trials=4, concurrency=1)
            experiment.config.tuner = TpeTuner(optimize_mode="minimize", seed=3)
            assert experiment.run(0) is True
            shown(experiment)
            assert experiment.get_experiment_profile()["params"]["optimizeMode"] == "minimize"
        """
    )
    first, second = finals(output)
    assert first == second and len(set(first)) == 4


def test_an_instance_in_a_notebook(stage):
    """A cell's code has no file, as that of `python -c` has none."""
    body = """
import sys
sys.path.insert(0, FOLDER)
from beside import Stepping
from nni.experiment import Experiment
class Halving(Stepping):
    def generate_parameters(self, parameter_id, **kwargs):
        self.next /= 2
        return {"x": self.next}
experiment = Experiment("local")
experiment.config.trial_command = "python3 trial.py"
experiment.config.trial_code_directory = FOLDER
experiment.config.trial_concurrency = 1
experiment.config.max_trial_number = 3
experiment.config.search_space = {}
experiment.config.tuner = Halving(16)
assert experiment.run(0) is True
print("FINALS", sorted(trial.value for trial in experiment.export_data()))
""".replace("FOLDER", repr(str(stage.folder)))
    done = subprocess.run(
        [sys.executable, "-c", f"exec(compile({body!r}, '<cell>', 'exec'))"],
        env=stage.environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert finals(done.stdout) == [[2, 4, 8]]


def test_what_cannot_be_pickled_is_named_before_anything_starts(stage):
    output = stage.run(
        """
        from beside import Stepping
        class Locked(Stepping):
            def __init__(self):
                super().__init__(0)
                self.parts = {"fine": 1, "guard": [threading.Lock()]}
        experiment = make(id="mine")
        experiment.config.tuner = Locked()
        try:
            experiment.start(0)
        except ValueError as error:
            print(error)
        """
    )
    assert "tuner: the instance of Locked cannot be sent to the process of the algorithm" in output
    assert "its attribute Locked.parts['guard'][0] (_thread.lock) cannot be pickled" in output
    assert not (stage.experiments / "mine").exists()


def test_a_recorded_instance_does_not_make_another_experiment(stage, id_in):
    """What a record shows of an instance is not the instance."""
    output = stage.run(
        """
        from beside import Stepping
        experiment = make(trials=1)
        experiment.config.tuner = Stepping(1)
        assert experiment.run(0) is True
        """
    )
    shown = stage.nnictl("config", "show", id_in(output)).stdout
    assert json.loads(shown)["tuner"] == {"className": "beside.Stepping", "instanceFile": ANY}
    config = stage.write("again.yml", shown)
    checked = stage.nnictl("config", "check", str(config), exit_code=1)
    done = stage.nnictl("create", "--config", str(config), "--port", "0", exit_code=1)
    for said in (checked.stdout + checked.stderr, done.stderr):
        assert "instance" in said and "assign one in Python again" in said, said


class ServedTuner:
    """The tuner of the example, in a process of its own."""

    def __init__(self, stage: Any, token: str) -> None:
        self._stage = stage
        self._token = token
        self._process: subprocess.Popen[str] | None = None
        self.port = 0
        self.log = stage.home / "tuner.log"

    def begin(self) -> None:
        environment = {**self._stage.environment, "NODE_PATH": str(NODE_MODULES), "TUNER_TOKEN": self._token}
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                ["node", str(EXAMPLE / "tuner.js"), str(self.port)], env=environment, stdout=log, stderr=log
            )
        lives = self.log.read_text().count("serving")
        assert self._stage.until(lambda: self.log.read_text().count("serving") > lives), self.log.read_text()
        self.port = int(re.findall(r"serving a tuner at 127\.0\.0\.1:(\d+)", self.log.read_text())[-1])

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()


@pytest.fixture
def served(stage) -> Iterator[ServedTuner]:
    if shutil.which("node") is None or not NODE_MODULES.is_dir():
        pytest.skip("Node.js, or what npm installs in tests/integration/node, is not there")
    tuner = ServedTuner(stage, "sesame")
    tuner.begin()
    yield tuner
    tuner.end()


@pytest.fixture
def configured(stage, served) -> Callable[..., Path]:
    """Writes the example's configuration for the tuner."""
    for name in ("trial.py",):
        shutil.copy(EXAMPLE / name, stage.folder)

    def write(token: str | None = "sesame", trials: int = 40) -> Path:
        text = (EXAMPLE / "config.yml").read_text()
        endpoint = f"endpoint: 127.0.0.1:{served.port}"
        text = text.replace(
            "endpoint: 127.0.0.1:5555", endpoint if token is None else f"{endpoint}\n  token: {token}"
        )
        text = text.replace("maxTrialNumber: 40", f"maxTrialNumber: {trials}")
        return stage.write("config.yml", text)

    return write


def test_a_tuner_in_another_language(stage, served, configured):
    """It searches, is killed and started again; nothing is lost. A resume needs its token again."""
    stage.nnictl("create", "--config", str(configured()), "--port", "0")
    (folder,) = (path for path in stage.experiments.iterdir() if not path.name.startswith("_"))
    log = folder / "log" / "nnimanager.log"

    def summary() -> dict[str, Any]:
        return json.loads((folder / "summary.json").read_text())

    assert stage.until(lambda: summary()["trial_counts"].get("SUCCEEDED", 0) >= 8)
    served.kill()
    assert stage.until(lambda: "The tuner died" in log.read_text())
    assert stage.until(lambda: "is waited for" in log.read_text())
    served.begin()
    assert stage.until(lambda: summary()["status"] == "DONE"), log.read_text()
    assert summary()["trial_counts"] == {"SUCCEEDED": 40}
    assert summary()["optimize_mode"] == "minimize"
    assert served.log.read_text().count("went on from a history") == 1
    exported = stage.home / "exported.json"
    stage.nnictl("experiment", "export", folder.name, "-f", str(exported), "-t", "json")
    tried = [json.dumps(trial["parameter"]) for trial in json.loads(exported.read_text())]
    assert len(set(tried)) == 40
    assert "sesame" not in log.read_text()
    stage.nnictl("stop", folder.name)
    refused = stage.nnictl("resume", folder.name, "--port", "0", exit_code=1)
    assert "NNI_SECRET_TUNER_TOKEN" in refused.stderr
    stage.environment["NNI_SECRET_TUNER_TOKEN"] = "sesame"
    stage.nnictl("resume", folder.name, "--port", "0")
    stage.nnictl("update", "trialnum", folder.name, "--value", "45")
    assert stage.until(lambda: summary()["trial_counts"] == {"SUCCEEDED": 45})
    stage.nnictl("stop", folder.name)


def test_a_tuner_that_refuses_and_one_that_is_not_there(stage, served, configured):
    """One error, before any trial starts."""
    done = stage.nnictl("create", "--config", str(configured(token="open")), "--port", "0", exit_code=1)
    assert "it does not know the token (wrong token)" in done.stderr and "open" not in done.stderr
    served.kill()
    done = stage.nnictl("create", "--config", str(configured()), "--port", "0", exit_code=1)
    address = f"127.0.0.1:{served.port}"
    assert done.stderr == f"ERROR: the tuner cannot be reached at {address}: Connection refused\n"
    assert not list(stage.experiments.glob("*/trials/*"))
