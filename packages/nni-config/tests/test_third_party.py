"""Configuration classes of others: what was written for NNI works unmodified (compat.md 2.1, 2.4)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Union

import pytest
from nni_config import (
    ConfigBase,
    ExperimentConfig,
    InvalidConfigError,
    TrainingServiceConfig,
    start_problems,
    utils,
)
from nni_config.wire import config_from_message, config_to_message
from typing_extensions import Literal

# The style of these classes is that of NNI's own documentation, not of this code base.
# ruff: noqa: UP006, UP007, UP035, UP045


@dataclass(init=False)
class _Node(ConfigBase):
    host: str
    gpus: Union[List[int], int, str, None] = None

    def _canonicalize(self, parents):
        super()._canonicalize(parents)
        assert isinstance(parents[0], _GridConfig)
        assert isinstance(parents[1], ExperimentConfig)
        self.gpus = utils.canonical_gpu_indices(self.gpus)

    def _validate_canonical(self):
        super()._validate_canonical()
        utils.validate_gpu_indices(self.gpus)


@dataclass(init=False)
class _GridConfig(TrainingServiceConfig):
    platform: Literal["grid"] = "grid"
    queue: str
    memory: Union[str, int] = "1gb"
    nodes: List[_Node]
    key_file: Optional[utils.PathLike] = None
    labels: Optional[Dict[str, str]] = None
    namespace: Optional[str]

    def _canonicalize(self, parents):
        super()._canonicalize(parents)
        if utils.is_missing(self.namespace):
            self.namespace = "default"
        self.memory = utils.parse_memory_size(self.memory)

    def _validate_canonical(self):
        super()._validate_canonical()
        if self.queue == "never":
            raise AssertionError
        assert self.queue in ["fast", "slow"]
        if not self.nodes:
            raise ValueError("GridConfig: no nodes")


def grid(config: ExperimentConfig, **fields: object) -> ExperimentConfig:
    config.training_service = {
        "platform": "grid",
        "queue": "fast",
        "nodes": [{"host": "a"}, {"HOST": "b", "gpus": "0,1"}],
    } | fields
    return config


def test_a_class_written_for_nni(valid_config: ExperimentConfig, tmp_path: Path) -> None:
    config = grid(valid_config, memory="1.5gb", keyFile="~/key", labels={"team": "a"})
    written = config.json()["trainingService"]
    assert written == {
        "platform": "grid",
        "trialCommand": "python3 trial.py",
        "trialCodeDirectory": written["trialCodeDirectory"],
        "debug": False,
        "queue": "fast",
        "memory": 1536,
        "nodes": [{"host": "a"}, {"host": "b", "gpus": [0, 1]}],
        "keyFile": str((Path.home() / "key").resolve()),
        "labels": {"team": "a"},
        "namespace": "default",
    }
    assert ExperimentConfig("grid").training_service == _GridConfig()
    canonical = config.canonical_copy()
    assert config_from_message(config_to_message(canonical)) == canonical


def test_a_place_of_others_cannot_be_started(valid_config: ExperimentConfig) -> None:
    (problem,) = start_problems(grid(valid_config).canonical_copy())
    assert str(problem) == (
        "training_service.platform: this version does not run trials on 'grid'; to have them run start the "
        "experiment there, with `platform: local`"
    )


@pytest.mark.parametrize(
    ("fields", "where", "text"),
    [
        ({"queue": "other"}, "training_service", "in ['fast', 'slow']"),
        ({"queue": "never"}, "training_service", "test_third_party.py:"),
        ({"nodes": []}, "training_service", "GridConfig: no nodes"),
        ({"queue": None}, "training_service.queue", "is not set"),
        ({"memory": "1xb"}, "training_service", "supported units are tb, gb, mb, kb, b"),
        ({"nodes": [{"host": "a", "gpus": "0,0"}]}, "training_service.nodes[0]", "Duplication detected"),
        ({"nodes": [{"hots": "a"}]}, "training_service.nodes[0].hots", "did you mean host"),
        ({"labels": {"team": 1}}, "training_service.labels.team", "is not text"),
    ],
)
def test_what_such_a_class_refuses_is_told_as_everything_else(
    valid_config: ExperimentConfig, fields: dict[str, object], where: str, text: str
) -> None:
    with pytest.raises(InvalidConfigError) as error:
        grid(valid_config, **fields).validate()
    assert any(str(problem).startswith(where) and text in str(problem) for problem in error.value.problems)
