"""Algorithms that cannot be made, and what is said about it; algorithms that fork."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from nni_manager.engine.effects import RequestParameters
from nni_manager.engine.events import AlgorithmFailed, ParametersProposed
from nni_manager.tuning.algorithm_process import AlgorithmProcess
from nni_manager.tuning.interface import AlgorithmError, AlgorithmSettings

SPACE = {"x": {"_type": "uniform", "_value": [0, 1]}}
GOOD = """
from nni.tuner import Tuner
class Good(Tuner):
    def __init__(self, a=1, *, b=2): pass
    def update_search_space(self, search_space): pass
    def generate_parameters(self, parameter_id, **kwargs): return {}
    def receive_trial_result(self, *args, **kwargs): pass
"""

ADVISORS = """
from nni.algorithms.hpo.bohb_advisor import BOHB
from nni.algorithms.hpo.hyperband_advisor import Hyperband
class Base(Hyperband):
    def handle_trial_end(self, data): super().handle_trial_end(data)
class Mine(Base):
    handle = None
    handle_text = "no method"
    def _get_one_trial_job(self): pass
class Good(BOHB):
    def trial_end(self, parameter_id, success, **kwargs): super().trial_end(parameter_id, success, **kwargs)
"""

Make = Callable[..., tuple[AlgorithmProcess, "asyncio.Queue[Any]"]]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    processes: list[AlgorithmProcess] = []

    def made(code: str = "", **settings: Any) -> tuple[AlgorithmProcess, asyncio.Queue[Any]]:
        (tmp_path / "code").mkdir()
        (tmp_path / "code" / "mine.py").write_text(textwrap.dedent(code))
        events: asyncio.Queue[Any] = asyncio.Queue()
        chosen = {
            "kind": "tuner",
            "name": None,
            "class_name": None,
            "code_directory": str(tmp_path / "code"),
            "class_args": None,
            "search_space": SPACE,
            "optimize_mode": "minimize",
            "log_directory": tmp_path / "log",
            "checkpoint_directory": tmp_path / "checkpoint",
            **settings,
        }
        processes.append(AlgorithmProcess(AlgorithmSettings(**chosen), events.put_nowait))
        return processes[-1], events

    yield made
    for process in processes:
        await process.close()


@pytest.mark.parametrize(
    ("code", "settings", "expected"),
    [
        ("", {"class_name": "nowhere.Mine"}, "there is no module nowhere in {folder}"),
        ("", {"class_name": "mine.inner.Mine"}, "there is no module mine.inner in {folder}"),
        (GOOD, {"class_name": "mine.Missing"}, "mine.py has no class Missing; its classes are Good"),
        (GOOD, {"class_name": "Good"}, "the class name 'Good' should be 'module.Class'"),
        ("import torchh", {"class_name": "mine.Good"}, "cannot be imported: No module named 'torchh'"),
        ("def f(:", {"class_name": "mine.Good"}, "SyntaxError"),
        (
            "class Mine: pass",
            {"class_name": "mine.Mine"},
            "mine.Mine is no tuner: it has no method generate_mul",
        ),
        (
            GOOD,
            {"class_name": "mine.Good", "class_args": {"c": 1}},
            "mine.Good: got an unexpected keyword argument 'c'; its arguments are a, b",
        ),
        (
            "class Mine:\n    def __init__(self):\n        raise OSError('no disk')",
            {"class_name": "mine.Mine"},
            "the constructor raised OSError: no disk",
        ),
        (
            GOOD + "        \n    def update_search_space(self, space):\n        raise KeyError('lr')",
            {"class_name": "mine.Good"},
            "Good raised KeyError: 'lr'",
        ),
        ("import os; os._exit(4)", {"class_name": "mine.Good"}, "its process exited with exit code 4"),
        ("", {"name": "TPE", "class_args": {"x": 1}}, "unknown argument 'x'; it takes optimize_mode"),
        (
            "",
            {"name": "TPE", "optimize_mode": "best"},
            "is 'best'; it should be one of 'minimize', 'maximize'",
        ),
        ("", {"name": "Nope"}, "tuner 'Nope' is unknown; available are: TPE"),
        ("", {"name": "TPE", "search_space": {"x": 1}}, "search space: x: 1 is not a parameter"),
        ("", {"name": "TPE", "class_args": {"seed": 2**70}}, "does not fit in 64 bits"),
        (
            ADVISORS,
            {"class_name": "mine.Mine"},
            "mine.Mine has _get_one_trial_job, handle_trial_end, which nobody calls: Hyperband and BOHB",
        ),
    ],
)
async def test_what_cannot_be_made_is_explained(
    make: Make, tmp_path: Path, code: str, settings: dict[str, Any], expected: str
) -> None:
    process, events = make(code, **settings)
    with pytest.raises(AlgorithmError) as caught:
        await process.start()
    assert expected.format(folder=tmp_path / "code") in str(caught.value)
    is_fault_of_code = "raised" in expected or "exited" in expected or "SyntaxError" in expected
    begin = "the tuner failed: " if is_fault_of_code else "tuner: "
    assert str(caught.value).startswith(("the tuner cannot be started: ", begin))
    await process.close()
    assert events.empty()


async def test_subclasses_of_bohb_are_tuners(make: Make) -> None:
    process, _ = make(ADVISORS, class_name="mine.Good")
    await process.start()


async def test_a_mistake_of_the_user_has_no_traceback_and_one_of_the_code_has(make: Make) -> None:
    process, _ = make(GOOD, class_name="mine.Missing")
    with pytest.raises(AlgorithmError) as caught:
        await process.start()
    assert "Traceback" not in str(caught.value)
    (Path(process._settings.code_directory or "") / "mine.py").write_text("1 / 0")
    process = AlgorithmProcess(process._settings, print)
    with pytest.raises(AlgorithmError, match="ZeroDivisionError") as caught:
        await process.start()
    assert 'mine.py", line 1' in str(caught.value)
    await process.close()


async def test_optimize_mode_of_the_experiment_reaches_a_built_in_tuner(make: Make) -> None:
    process, _ = make(name="GridSearch", optimize_mode="maximize")
    await process.start()
    with pytest.raises(AlgorithmError, match="Search space is empty"):
        await process.change_search_space(1, {})


FORKING = """
import multiprocessing, os
from nni.tuner import Tuner

def work(number):
    return number * number, os.getpid()

class MyTuner(Tuner):
    def update_search_space(self, search_space): pass
    def receive_trial_result(self, *args, **kwargs): pass
    def generate_parameters(self, parameter_id, **kwargs):
        return {"result": METHOD}
    def by_processes(self, method):
        with multiprocessing.get_context(method).Pool(2) as pool:
            return [square for square, _ in pool.map(work, range(4))]
    def by_joblib(self):
        from joblib import Parallel, delayed
        return [square for square, _ in Parallel(n_jobs=2)(delayed(work)(n) for n in range(4))]
    def by_fork(self, kwargs):
        reader, writer = os.pipe()
        if os.fork() == 0:
            links = [os.readlink(entry) for entry in os.scandir("/proc/self/fd") if os.path.islink(entry)]
            sockets = [link for link in links if link.startswith("socket")]
            try:
                kwargs["st_callback"](0, {"from": "child"})
            except RuntimeError as error:
                os.write(writer, f"{sockets} {error}".encode())
            os._exit(0)
        os.wait()
        return os.read(reader, 1000).decode()
"""


@pytest.mark.parametrize(
    "method", ["self.by_processes('fork')", "self.by_processes('spawn')", "self.by_joblib()"]
)
async def test_a_tuner_may_use_processes(make: Make, method: str) -> None:
    process, events = make(FORKING.replace("METHOD", method), class_name="mine.MyTuner")
    await process.start()
    for number in (1, 2):
        process.tell(RequestParameters(number, (number,)))
        event = await events.get()
        assert isinstance(event, ParametersProposed)
        assert event.parameters == {"result": [0, 1, 4, 9]}
        await events.get()


async def test_a_forked_child_has_no_voice(make: Make) -> None:
    process, events = make(FORKING.replace("METHOD", "self.by_fork(kwargs)"), class_name="mine.MyTuner")
    await process.start()
    process.tell(RequestParameters(1, (0,)))
    event = await events.get()
    assert not isinstance(event, AlgorithmFailed)
    assert event.parameters["result"].startswith("[] only the process of the algorithm itself")
