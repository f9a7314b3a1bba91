"""Algorithms that users add by name: registered in a file, and brought by packages."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from nni_config import AlgorithmConfig, ExperimentConfig, InvalidConfigError, registered_algorithms
from nni_config.algorithm_descriptions import conflicts, read_descriptions
from nni_config.config_directory import config_directory
from nni_config.json_schema import experiment_schema
from nni_config.registered_algorithms import (
    AlgoMeta,
    RegistryError,
    comes_with_a_package,
    find_registered,
    registry_file,
    write_algorithms,
)

DEMO = {"algoType": "tuner", "builtinName": "Demo", "className": "demo_tuner.DemoTuner"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NNI_CONFIG_DIR", str(tmp_path / "config"))
    return tmp_path / "config"


def written(*metas: dict[str, Any]) -> list[AlgoMeta]:
    return [AlgoMeta.load(meta) for meta in metas]


def test_where_the_folder_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert config_directory() == tmp_path / "config"
    monkeypatch.delenv("NNI_CONFIG_DIR")
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    assert config_directory() == tmp_path / "nni"
    monkeypatch.setattr("sys.base_prefix", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert config_directory() == tmp_path / ".config" / "nni"
    (tmp_path / "conda-meta").mkdir()
    assert config_directory() == tmp_path / "nni"


def test_what_is_written_is_read_again(folder: Path) -> None:
    full = {
        **DEMO,
        "alias": "Démo2",
        "acceptClassArgs": False,
        "classArgs": {"steps": 5, "deep": {"a": [1]}},
        "classArgsValidator": "demo_tuner.Validator",
        "nniVersion": "2.0",
    }
    metas = written(full, {"algoType": "assessor", "builtinName": "Stop", "className": "a.b.Stop"})
    assert registered_algorithms.registered_algorithms() == []
    path = write_algorithms(metas)
    assert path == registry_file() == folder / "registered_algorithms.yml"
    assert path.stat().st_mode & 0o777 == 0o644
    assert [it.name for it in folder.iterdir()] == [path.name]
    assert registered_algorithms.registered_algorithms() == metas
    assert registered_algorithms.registered_algorithms("assessor") == metas[1:]
    assert {"algoType": "tuner", **metas[0].dump()} == {**full, "source": "user"}
    for name in ("demo", "DEMO", "démo2"):
        assert find_registered(name, "tuner") == metas[0]
    assert find_registered("demo", "assessor") is None


def test_the_form_of_nni() -> None:
    meta = AlgoMeta.load({"builtinName": "A", "className": "b.C", "source": "nni"}, "tuner")
    assert meta == ("A", None, "b.C", True, None, None, "tuner", False, True, None)
    assert meta.dump() == {"builtinName": "A", "className": "b.C", "source": "nni"}
    assert AlgoMeta.load({**DEMO, "algoType": "advisor"})[6:8] == ("tuner", True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[1]", "it is not a file of registered algorithms"),
        ("tuner: []", "it is not a file of registered algorithms"),
        ("tuners: [{builtinName: a}]", "KeyError('className')"),
        ("tuners: [5]", "5 is no algorithm"),
        ("assessors: 5", "assessors is no list"),
        ("tuners: [", "registered_algorithms.yml:1: it is not YAML"),
    ],
)
def test_a_broken_file_is_told_where_it_matters(
    valid_config: ExperimentConfig, folder: Path, content: str, said: str
) -> None:
    folder.mkdir()
    registry_file().write_text(content)
    with pytest.raises(RegistryError, match=r"registered_algorithms\.yml") as error:
        registered_algorithms.registered_algorithms()
    assert said in str(error.value)
    valid_config.validate()  # built-in algorithms do not need the file
    valid_config.tuner = AlgorithmConfig(name="Demo")
    with pytest.raises(InvalidConfigError, match="whether 'Demo' is registered cannot be told"):
        valid_config.validate()


def test_an_empty_file_has_no_algorithms(folder: Path) -> None:
    folder.mkdir()
    registry_file().write_text("# nothing yet\n")
    assert registered_algorithms.registered_algorithms() == []


def test_a_registered_name_is_an_algorithm_of_ones_own(valid_config: ExperimentConfig) -> None:
    valid_config.tuner = AlgorithmConfig(name="TPEx", class_args={"place": "${x}", "optimize_mode": "best"})
    valid_config.search_space = ["anything"]
    valid_config.initial_parameters = [{"a": 1}]
    with pytest.raises(InvalidConfigError, match="there is no tuner 'TPEx'"):
        valid_config.validate()
    write_algorithms(written({**DEMO, "builtinName": "tpeX"}))
    with pytest.raises(InvalidConfigError, match="does not say what is better") as error:
        valid_config.validate()
    assert len(error.value.problems) == 1
    valid_config.optimize_mode = "minimize"
    valid_config.validate()
    assert valid_config.warnings() == [
        "tuner.class_args.place: '${x}' looks like a placeholder that is not filled in"
    ]
    valid_config.assessor = AlgorithmConfig(name="TPEx")
    with pytest.raises(InvalidConfigError, match="there is no assessor 'TPEx'"):
        valid_config.validate()


def test_registered_names_are_among_those_that_are_available(valid_config: ExperimentConfig) -> None:
    write_algorithms(written(DEMO))
    valid_config.tuner = AlgorithmConfig(name="Demos")
    with pytest.raises(InvalidConfigError) as error:
        valid_config.validate()
    assert "did you mean 'Demo'?); available: TPE, " in str(error.value)
    assert ", BOHB, Optuna, Demo, or class_name" in str(error.value)


def test_the_schema_knows_registered_names() -> None:
    config: dict[str, Any] = {
        "trialCommand": "a",
        "trialConcurrency": 1,
        "tuner": {"name": "demo+", "classArgs": {"optimize_mode": "best", "x": "${x}"}},
        "trainingService": {"platform": "local"},
    }
    assert not Draft202012Validator(experiment_schema()).is_valid(config)
    write_algorithms(written({**DEMO, "builtinName": "Demo+"}))
    validator = Draft202012Validator(experiment_schema())
    validator.validate(config)
    validator.validate({**config, "searchSpace": ["anything"]})
    both = {**config["tuner"], "className": "a.B"}
    for wrong in ({"name": "Demo2"}, {"name": "Demoo"}, {"name": "TPE"}, both):
        assert not validator.is_valid({**config, "tuner": wrong})


def test_what_installed_packages_bring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "site" / "demo_tuner-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: demo-tuner\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[nni.tuners]\nBrought = demo_tuner:Brought\n[nni.assessors]\nEnd = demo_tuner.end:End\n"
        "[nni.class_args_validators]\nBrought = demo_tuner:Check\n"
    )
    monkeypatch.syspath_prepend(tmp_path / "site")
    registered_algorithms._brought.cache_clear()
    try:
        assert metadata.version("demo-tuner") == "1.0"
        brought = find_registered("brought", "tuner")
        assert brought is not None
        assert (brought.class_name, brought.validator_class_name) == (
            "demo_tuner.Brought",
            "demo_tuner.Check",
        )
        assert comes_with_a_package(brought)
        ended = find_registered("END", "assessor")
        assert ended is not None
        assert ended.class_name == "demo_tuner.end.End"
        write_algorithms(written({**DEMO, "builtinName": "Brought"}))
        again = find_registered("brought", "tuner")
        assert again is not None
        assert again.class_name == "demo_tuner.DemoTuner"
        assert not comes_with_a_package(again)
        assert len(registered_algorithms.registered_algorithms()) == 2
    finally:
        registered_algorithms._brought.cache_clear()


def described(tmp_path: Path, content: Any) -> list[AlgoMeta]:
    path = tmp_path / "meta.yml"
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
    return read_descriptions(path)


def test_one_description_and_several(tmp_path: Path) -> None:
    assert described(tmp_path, {**DEMO, "source": "nni"}) == written(DEMO)
    assert described(tmp_path, {"algorithms": [DEMO, {**DEMO, "builtinName": "Other"}]}) == written(
        DEMO, {**DEMO, "builtinName": "Other"}
    )


def test_an_advisor_is_a_tuner_that_says_so(tmp_path: Path) -> None:
    for description in ({**DEMO, "algoType": "advisor"}, {**DEMO, "isAdvisor": True}):
        (meta,) = described(tmp_path, description)
        assert (meta.algo_type, meta.is_advisor) == ("tuner", True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "None is no algorithm; needed are algoType, builtinName, className"),
        ("- 1", "[1] is no algorithm"),
        ("algorithms: []", "[] is not a list of algorithms"),
        ("algorithms: 5", "5 is not a list of algorithms"),
        ({"algorithms": [DEMO], "algoType": "tuner"}, "algoType: not allowed beside algorithms"),
        ("a: [", "it is not YAML"),
        ({}, "meta.yml:1: algoType: it is not set"),
        ({**DEMO, "className": None}, "meta.yml:4: className: it is not set"),
        (
            {**DEMO, "classNames": "a.B"},
            "meta.yml:5: classNames: there is no such field; did you mean className?",
        ),
        ({**DEMO, "alias": 5}, "alias: 5 is not allowed; allowed is text"),
        ({**DEMO, "classArgs": [1]}, "classArgs: [1] is not allowed; allowed is names with values"),
        ({**DEMO, "algoType": "assessor", "isAdvisor": True}, "isAdvisor: an assessor is no advisor"),
        ({**DEMO, "algoType": "tuners"}, "'tuners' is not allowed; allowed are tuner, assessor and advisor"),
        ({**DEMO, "className": "DemoTuner"}, "className: 'DemoTuner' has no module"),
        ({**DEMO, "className": "a..B"}, "className: 'a..B' is not a class"),
        ({**DEMO, "classArgsValidator": "a b.C"}, "classArgsValidator: 'a b.C' is not a class"),
        ({**DEMO, "builtinName": " "}, "builtinName: ' ' is not a name"),
        ({**DEMO, "builtinName": "tpe"}, "builtinName: tpe is the name of a built-in algorithm"),
        ({**DEMO, "alias": "Random"}, "alias: Random is the name of a built-in algorithm"),
        ({"algorithms": [DEMO, {**DEMO, "alias": "TPE"}]}, "algorithms[1].alias: TPE is the name"),
    ],
)
def test_what_is_wrong_with_a_description_is_named(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(InvalidConfigError) as error:
        described(tmp_path, content)
    assert said in str(error.value)


def test_names_of_others_are_not_taken() -> None:
    one, other = written(DEMO, {**DEMO, "builtinName": "Other", "alias": "demo"})
    assert conflicts([one], [one]) == []
    assert [str(it) for it in conflicts([other], [one])] == [
        "Other: demo is a name of tuner Demo; allowed is a name of its own"
    ]
    assert len(conflicts([one, one], [])) == 1
