"""The helpers of `nni.experiment.config.utils` (compat.md 2.1)."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from nni_config import ExperimentConfig, LocalConfig, RemoteConfig, utils


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1h", 3600),
        ("1.5h", 5400),
        ("90m", 5400),
        ("2D", 172800),
        ("0.3s", 1),
        (60, 60),
        (0.5, 0.5),
        ("0s", 0),
    ],
)
def test_parse_time(value: Any, seconds: Any) -> None:
    assert utils.parse_time(value) == seconds


@pytest.mark.parametrize(
    ("value", "mebibytes"),
    [("1gb", 1024), ("1.5 GB", 1536), ("1kb", 1), ("1 b", 1), ("2tb", 2097152), ("3mb", 3), (512, 512)],
)
def test_parse_memory_size(value: Any, mebibytes: Any) -> None:
    assert utils.parse_memory_size(value) == mebibytes


@pytest.mark.parametrize("text", ["", "5", "5x", "five minutes and a bit", "h", "1e999d", "nand"])
def test_bad_units(text: str) -> None:
    with pytest.raises(ValueError, match=r"units are d, h, m, s|too large"):
        utils.parse_time(text)
    with pytest.raises(ValueError, match=r"Bad unit in .* supported units are tb, gb, mb, kb, b"):
        utils.parse_memory_size("5")


def test_gpu_indices() -> None:
    assert utils.canonical_gpu_indices("0,1") == [0, 1]
    assert utils.canonical_gpu_indices(3) == [3]
    assert utils.canonical_gpu_indices(None) is None
    utils.validate_gpu_indices(None)
    utils.validate_gpu_indices([0, 1])
    with pytest.raises(ValueError, match="Duplication detected in GPU indices"):
        utils.validate_gpu_indices([0, 0])
    with pytest.raises(ValueError, match="Negative detected in GPU indices"):
        utils.validate_gpu_indices([-1])


def test_what_nobody_set_is_missing() -> None:
    assert utils.is_missing(LocalConfig().trial_command)
    assert utils.is_missing(dataclasses.MISSING)
    assert not utils.is_missing("a")


def test_diff(valid_config: ExperimentConfig) -> None:
    other = valid_config.canonical_copy()
    assert utils.diff(valid_config, other) == ""
    other.trial_concurrency = 7
    lines = utils.diff(valid_config, other, "old", "new").splitlines()
    assert lines[:2] == ["--- old", "+++ new"]
    assert "- 'trialConcurrency': 2," in lines and "+ 'trialConcurrency': 7," in lines


def test_base_path(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    assert utils.get_base_path() == Path.cwd()
    utils.set_base_path(tmp_path)
    try:
        assert utils.get_base_path() == tmp_path
        config = LocalConfig(trial_command="a", trial_code_directory="code")
        with pytest.raises(RuntimeError, match="already"):
            utils.set_base_path(tmp_path)
    finally:
        utils.unset_base_path()
    assert config.json()["trialCodeDirectory"] == str(tmp_path.resolve() / "code")
    assert utils.resolve_path("code", tmp_path) == str(tmp_path.resolve() / "code")


def test_names() -> None:
    assert utils.camel_case("trial_gpu_number") == "trialGpuNumber"
    assert utils.case_insensitive("_Trial_GPU_number") == "trialgpunumber"


def test_platforms() -> None:
    assert isinstance(utils.training_service_config_factory("remote"), RemoteConfig)
    with pytest.raises(ValueError, match="Bad training service platform: 'mars'"):
        utils.training_service_config_factory("mars")
    assert utils.load_training_service_config({"platform": "local", "reuseMode": True}) == LocalConfig(
        reuse_mode=True
    )
    for other in ({"platform": "mars"}, {}, 5, None):
        assert utils.load_training_service_config(other) is other
