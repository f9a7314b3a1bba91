"""nnictl algo template: what it writes works as it is."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from nni.assessor import AssessResult
from nni_client.commands import main

SPACE = {
    "x": {"_type": "uniform", "_value": [0, 1]},
    "n": {"_type": "randint", "_value": [2, 9]},
    "c": {"_type": "choice", "_value": ["a", "b"]},
    "q": {"_type": "qloguniform", "_value": [1, 100, 5]},
}


def template(*words: str) -> int:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr(sys, "argv", ["nnictl", "algo", "template", *words])
        main()
    return int(ended.value.code or 0)


def written(kind: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> ModuleType:
    monkeypatch.chdir(folder)
    assert template(kind) == 0
    spec = importlib.util.spec_from_file_location(f"my_{kind}", folder / f"my_{kind}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tuner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any) -> None:
    module = written("tuner", monkeypatch, tmp_path)
    said = capsys.readouterr().out
    assert f"codeDirectory: {tmp_path}" in said and "className: my_tuner.MyTuner" in said
    tuners = [module.MyTuner("maximize", seed=3) for _ in range(2)]
    for tuner in tuners:
        tuner.update_search_space(SPACE)
    first, again = ([tuner.generate_parameters(it) for it in range(5)] for tuner in tuners)
    assert first == again and len({json.dumps(it) for it in first}) == 5
    assert all(it.keys() == SPACE.keys() and it["c"] in "ab" and 0 <= it["x"] < 1 for it in first)
    tuner.receive_trial_result(0, first[0], {"default": 0.5, "more": 1})
    tuner.trial_end(0, True)
    tuner.import_data([{"parameter": first[1], "value": 2}])
    assert tuner.results == [(0.5, first[0]), (2, first[1])] and set(tuner.running) == {1, 2, 3, 4}
    with pytest.raises(ValueError, match="x: this tuner does not know nowhere"):
        tuner.update_search_space({"x": {"_type": "nowhere", "_value": []}})
    with pytest.raises(ValueError, match="optimize_mode is 'best'"):
        module.MyTuner("best")


def test_the_assessor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = written("assessor", monkeypatch, tmp_path)
    assessor = module.MyAssessor("minimize", patience=2)
    assert assessor.assess_trial("a", [3, 2, 2]) is AssessResult.Good
    assert assessor.assess_trial("a", [3, 2, {"default": 2.5}, 2]) is AssessResult.Bad
    assert module.MyAssessor("maximize", patience=2).assess_trial("a", [1, 2, 3]) is AssessResult.Good
    assessor.trial_end("a", True)


def test_the_advisor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = written("advisor", monkeypatch, tmp_path)
    sent: list[Any] = []
    advisor = module.MyAdvisor(seed=1)
    monkeypatch.setattr(advisor, "send", lambda command, data: sent.append((command.name, data)))
    advisor.handle_initialize(SPACE)
    advisor.handle_request_trial_jobs(2)
    assert [name for name, _ in sent] == ["Initialized", "NewTrialJob", "NewTrialJob"]
    assert json.loads(sent[1][1])["parameters"].keys() == SPACE.keys()
    result = {"parameter_id": 1, "trial_job_id": "a", "type": "FINAL", "sequence": 0, "value": "0.5"}
    advisor.handle_report_metric_data(result)
    advisor.handle_trial_end({"trial_job_id": "a", "event": "SUCCEEDED", "hyper_params": sent[1][1]})
    advisor.handle_import_data([{"parameter": {}, "value": 2}])
    assert advisor.results == [(1, 0.5), (None, 2)]


def test_where_it_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inner").mkdir()
    assert template("tuner", "--path", "inner") == 0
    assert template("tuner", "--path", "inner/climber.py") == 0
    assert "from climber import MyTuner" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "inner").iterdir()} == {"my_tuner.py", "climber.py"}
    (tmp_path / "inner" / "climber.py").write_text("mine")
    for path, why in (("inner/climber.py", "exists already"), ("my-tuner.py", "is not a file that Python")):
        assert template("tuner", "--path", path) == 1
        assert why in capsys.readouterr().err
    assert (tmp_path / "inner" / "climber.py").read_text() == "mine"
