"""Field reports on configurations and search spaces; each test names the rows that it is about."""

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from nni_config import (
    ExperimentConfig,
    TrainingServiceConfig,
    check_search_space,
    search_space_warnings,
)

YAML = """\
experimentName: example
searchSpace:
  lr: {_type: loguniform, _value: [1e-5, 0.1]}
trialCommand: python3 trial.py
trialConcurrency: 2
tuner:
  name: TPE
trainingService:
  platform: local
"""


def refusal_of(folder: Path, content: str | bytes) -> list[str]:
    path = folder / "exp.yml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ValueError) as error:
        ExperimentConfig.load(path).validate()
    return [line.removeprefix(f"{folder}/") for line in str(error.value).splitlines()]


# -- E. Search space and parameter values --


def test_row_75_nested_choices_of_the_documented_shape() -> None:
    options = [{"_name": "Empty"}, {"_name": "Conv", "k": {"_type": "choice", "_value": [1, 3]}}]
    assert check_search_space({"layer": {"_type": "choice", "_value": options}}) == []
    del options[0]["_name"]
    (problem,) = check_search_space({"layer": {"_type": "choice", "_value": options}})
    assert problem.startswith("layer._value[0]: it mixes options with and without _name; allowed are ")


@pytest.mark.parametrize("bounds", [[-4, -1], [0, 1]])
def test_rows_76_and_91_logarithmic_bounds_are_above_zero(bounds: list[float]) -> None:
    for kind in ("loguniform", "qloguniform"):
        value = [*bounds, 0.1] if kind.startswith("q") else bounds
        (problem,) = check_search_space({"lr": {"_type": kind, "_value": value}})
        assert problem == (
            f"lr._value[0]: low is {bounds[0]}; allowed is a number above 0, since it is a logarithmic range"
        )
    assert check_search_space({"lr": {"_type": "loguniform", "_value": [1e-5, 1e-1]}}) == []


@pytest.mark.parametrize(
    ("bounds", "is_allowed"), [([3, 7], True), ([5, 5], False), ([0, 1], True), ([-5, 5], True)]
)
def test_row_79_an_empty_range_of_integers_is_an_error(bounds: list[int], is_allowed: bool) -> None:
    problems = check_search_space({"n": {"_type": "randint", "_value": bounds}})
    assert problems == (
        []
        if is_allowed
        else ["n._value: [5, 5] is empty, since high itself is never drawn; allowed is high above low"]
    )


@pytest.mark.parametrize(
    "name", ["epochs:", " lr", "a.b", "a/b", "学习率", "größe", "a b", "'", '"', "{x}", "\U0001f600"]
)
def test_row_84_odd_names_go_through_unchanged(valid_config: ExperimentConfig, name: str) -> None:
    valid_config.search_space = {name: {"_type": "uniform", "_value": [0, 1]}}
    assert list(valid_config.json()["searchSpace"]) == [name]
    is_odd = name in ("epochs:", " lr", "a.b", "a/b")
    assert bool(search_space_warnings(valid_config.search_space)) is is_odd


def test_row_85_negative_numbers() -> None:
    space = {"x": {"_type": "uniform", "_value": [-1, 1]}, "y": {"_type": "choice", "_value": [-1, 0, 1]}}
    assert check_search_space(space) == []


def test_row_88_numpy_is_converted_at_the_boundary(valid_config: ExperimentConfig) -> None:
    numpy = pytest.importorskip("numpy")
    valid_config.search_space = {
        "a": {
            "_type": "choice",
            "_value": [numpy.int64(1), numpy.float32(0.5), numpy.bool_(True), numpy.str_("x")],
        },
        "b": {"_type": "choice", "_value": numpy.arange(3)},
        "c": {"_type": "uniform", "_value": (numpy.float64(0), 1)},
        "d": {"_type": "choice", "_value": ((1, 2), numpy.array([[1.5]]))},
    }
    valid_config.tuner.class_args = {"seed": numpy.int32(3)}
    valid_config.max_trial_number = numpy.int64(5)
    written = valid_config.json()
    assert repr([entry["_value"] for entry in written["searchSpace"].values()]) == (
        "[[1, 0.5, True, 'x'], [0, 1, 2], [0.0, 1], [[1, 2], [[1.5]]]]"
    )
    assert repr(written["tuner"]["classArgs"]) == "{'seed': 3}"
    assert repr(written["maxTrialNumber"]) == "5"


def test_row_90_objects_of_parameters() -> None:
    space = {
        "optim": {
            "lr": {"_type": "loguniform", "_value": [1e-4, 1]},
            "wd": {"_type": "choice", "_value": [0]},
        }
    }
    assert check_search_space(space) == []
    space["optim"]["lr"]["_value"] = [0, 1]
    assert check_search_space(space)[0].startswith("optim.lr._value[0]: low is 0")


# -- L. Encoding, paths, messages --


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_row_190_files_are_utf_8_whatever_the_locale(tmp_path: Path, mark: bytes) -> None:
    path = tmp_path / "配置.yml"
    path.write_bytes(mark + ("# 中文注释\n" + YAML.replace("example", "实验")).encode())
    code = (
        "import sys; from nni_config import ExperimentConfig;"
        "print(ascii(ExperimentConfig.load(sys.argv[1]).json()['experimentName']))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code, path],
        env=os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.strip() == ascii("实验")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            YAML.replace("trialConcurrency: 2", "trialConcurrency: two"),
            "exp.yml:5: trialConcurrency: 'two' is not",
        ),
        (YAML.replace("trialConcurrency: 2\n", ""), "exp.yml:1: trialConcurrency: it is not set"),
        (YAML.replace("trialCommand", "trialComand"), "exp.yml:1: trialCommand: it is not set"),
        (YAML.replace("name: TPE", "name: TEP"), "exp.yml:7: tuner.name: there is no tuner 'TEP'"),
        (
            YAML.replace("  platform: local", "  platfrm: local"),
            "exp.yml:8: trainingService.platform: it is not set",
        ),
        (
            YAML.replace("platform: local", "platform: locl"),
            "exp.yml:9: trainingService.platform: 'locl' is not",
        ),
        (YAML + "  useActiveGpu: often\n", "exp.yml:10: trainingService.useActiveGpu: 'often' is not true"),
        (YAML + "  gpuIndices: 0,0\n", "exp.yml:10: trainingService.gpuIndices: Duplication detected"),
        (
            YAML + "maxTrialNum: 3\n",
            "exp.yml:10: maxTrialNum: ExperimentConfig does not have field maxTrialNum; did",
        ),
        (
            YAML + "maxExperimentDuration: 1 hour\n",
            "exp.yml:10: maxExperimentDuration: '1 hour' has the unit 'hour'",
        ),
        (YAML + "logLevel: loud\n", "exp.yml:10: logLevel: 'loud' is not allowed; allowed is 'fatal'"),
        (YAML + "debug: true\ndebug: false\n", "exp.yml:11: debug: it is given twice, first in line 10"),
        (
            YAML.replace("[1e-5, 0.1]", "[0.1, 1e-5]"),
            "exp.yml:3: searchSpace.lr._value: low 0.1 is above high 1e-05",
        ),
        (
            YAML.replace("loguniform", "logunifrm"),
            "exp.yml:3: searchSpace.lr._type: there is no type 'logunifrm'",
        ),
        ("", "exp.yml: the file is empty; allowed are fields with values"),
        ("- a\n- b\n", "exp.yml: it holds ['a', 'b']; allowed are fields with values"),
        ("tuner:\n\tname: TPE\n", "exp.yml:2: it is not YAML: "),
        ("tuner: {name: TPE\n", "exp.yml:2: it is not YAML: "),
        (b"experimentName: caf\xe9\n", "exp.yml: byte 20 of the file is not UTF-8"),
        (
            YAML.replace("trialCommand: python3 trial.py", "trialCommand: [python3]"),
            "exp.yml:4: trialCommand: ['pyt",
        ),
    ],
)
def test_row_195_file_line_field_problem_and_what_is_allowed(
    tmp_path: Path, content: str | bytes, expected: str
) -> None:
    lines = refusal_of(tmp_path, content)
    assert any(line.startswith(expected) for line in lines), lines


def test_row_195_all_errors_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    content = YAML.replace("trialConcurrency: 2", "trialConcurrency: two").replace("TPE", "TEP")
    lines = refusal_of(tmp_path, content.replace("loguniform", "logunifrm") + "logLevel: loud\n")
    assert [line.split(":")[1] for line in lines] == ["3", "5", "7", "10"]


@pytest.mark.parametrize(
    "search_space", ["searchSpace:\n  lr: {_type: loguniform, _value: [1e-5, 0.1]}\n", ""]
)
def test_row_196_annotations_say_what_to_do_instead(tmp_path: Path, search_space: str) -> None:
    content = YAML.replace("searchSpace:\n  lr: {_type: loguniform, _value: [1e-5, 0.1]}\n", search_space)
    lines = refusal_of(tmp_path, content + "useAnnotation: true\n")
    (line,) = [line for line in lines if "useAnnotation" in line]
    assert "annotations in the trial's code" in line
    assert "get_next_parameter()" in line


@pytest.mark.parametrize(
    ("entry", "where"),
    [
        ({"_value": [1]}, "x"),
        ({"_type": "choice"}, "x"),
        ({"_type": "choice", "_value": "abc"}, "x._value"),
        ({"_type": "choice", "_value": {"a": 1}}, "x._value"),
        ({"_type": "choice", "_value": []}, "x._value"),
        ({"_type": "chioce", "_value": [1]}, "x._type"),
        ({"_type": None, "_value": [1]}, "x._type"),
        ({"_type": ["choice"], "_value": [1]}, "x._type"),
        ({"_type": "randint", "_value": [0.5, 3]}, "x._value[0]"),
        ({"_type": "randint", "_value": [1]}, "x._value"),
        ({"_type": "uniform", "_value": [1, 0]}, "x._value"),
        ({"_type": "uniform", "_value": ["0", 1]}, "x._value[0]"),
        ({"_type": "uniform", "_value": [0, True]}, "x._value[1]"),
        ({"_type": "uniform", "_value": [0, float("inf")]}, "x._value[1]"),
        ({"_type": "uniform", "_value": [0, 1, 2]}, "x._value"),
        ({"_type": "quniform", "_value": [0, 1, 0]}, "x._value[2]"),
        ({"_type": "quniform", "_value": [0, 1, -1]}, "x._value[2]"),
        ({"_type": "normal", "_value": [0, 0]}, "x._value[1]"),
        ({"_type": "loguniform", "_value": [0, 1]}, "x._value[0]"),
        ({"_type": "layer_choice", "_value": ["a"]}, "x._type"),
        ([1, 2], "x"),
        (5, "x"),
        ({}, "x"),
    ],
)
def test_row_198_bad_search_spaces_are_refused_before_the_first_trial(
    valid_config: ExperimentConfig, entry: Any, where: str
) -> None:
    valid_config.search_space = {"x": entry}
    with pytest.raises(ValueError) as error:
        valid_config.validate()
    (line,) = str(error.value).splitlines()
    assert line.startswith(f"search_space.{where}: ")
    assert "; " in line or "empty" in line


class _SlurmConfig(TrainingServiceConfig):
    platform: str = "slurm-of-mine"
    partition: str


def test_row_202_a_training_service_of_ones_own(tmp_path: Path) -> None:
    content = YAML.replace("platform: local", "platform: slurm-of-mine\n  partition: gpu")
    (tmp_path / "exp.yml").write_text(content)
    assert ExperimentConfig.load(tmp_path / "exp.yml").json()["trainingService"]["partition"] == "gpu"
    lines = refusal_of(tmp_path, content.replace("partition", "partiton"))
    assert lines[-1].endswith("_SlurmConfig does not have field partiton; did you mean partition?")


def test_row_205_importing_and_checking_changes_no_logging(valid_config: ExperimentConfig) -> None:
    handlers = list(logging.getLogger().handlers)
    level = logging.getLogger().level
    valid_config.canonical_copy().warnings()
    assert logging.getLogger().handlers == handlers
    assert logging.getLogger().level == level


# -- M. Secrets, as far as a configuration goes --


def test_a_secret_in_a_broken_file_is_not_shown(tmp_path: Path) -> None:
    for service in (
        "platform: remote\n  machineList: {host: a, user: u, password: sesame}",
        "platform: remote\n  machineList: [{host: a, user: u, password: [sesame]}]",
        "platform: remote\n  machineList: [[{host: a, password: sesame}]]",
        "platform: openpai\n  token: {a: sesame}",
        "platform: dlc\n  accessKeySecret: true",
    ):
        lines = refusal_of(tmp_path, YAML.replace("platform: local", service))
        assert lines and not any("sesame" in line for line in lines)
