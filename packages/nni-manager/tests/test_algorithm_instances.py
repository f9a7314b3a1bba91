"""Instances of built-in classes, as scripts assign them to a configuration."""

from __future__ import annotations

import pickle
from importlib.util import find_spec
from pathlib import Path

import cloudpickle
import pytest
from nni_config.algorithm_instances import AlgorithmInstance
from nni_manager.algorithms.built_ins import BUILT_INS, BuiltIn
from nni_manager.tuning.making import make_algorithm
from nni_proto.v1.algorithm_pb2 import InitializeAlgorithm
from nni_proto.values import to_message

WITH_MODE = [
    built_in
    for built_in in BUILT_INS
    if "optimize_mode" in built_in.arguments and find_spec(built_in.class_path.rpartition(".")[0]) is not None
]


@pytest.mark.parametrize("built_in", WITH_MODE, ids=lambda it: it.name)
@pytest.mark.parametrize("mode", ["minimize", "maximize"])
def test_one_tells_its_mode_and_can_be_pickled(
    built_in: BuiltIn, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNI_CHECKPOINT_DIRECTORY", str(tmp_path))
    made = built_in.load()(**{**built_in.fixed_arguments, "optimize_mode": mode})
    again = AlgorithmInstance(pickle.loads(cloudpickle.dumps(made)))
    assert again.optimize_mode == mode
    assert again.missing_method(built_in.kind) is None  # type: ignore[arg-type]
    assert f"{type(made).__module__}.{type(made).__qualname__}" == again.class_name


@pytest.mark.parametrize("built_in", WITH_MODE, ids=lambda it: it.name)
@pytest.mark.parametrize("mode", ["minimize", "maximize"])
def test_one_that_a_name_stands_for_gets_the_mode_of_the_experiment(
    built_in: BuiltIn, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNI_CHECKPOINT_DIRECTORY", str(tmp_path))
    kind = InitializeAlgorithm.AlgorithmKind.Value(f"ALGORITHM_KIND_{built_in.kind.upper()}")
    request = InitializeAlgorithm(kind=kind, name=built_in.name.lower(), optimize_mode=mode)
    space = {"x": {"_type": "choice", "_value": [{"y": 1}, {"y": 2}]}}
    request.search_space.CopyFrom(to_message(space))
    assert AlgorithmInstance(make_algorithm(request)).optimize_mode == mode
