"""Configurations from YAML files: every problem at its line, scalars as in YAML 1.2."""

import math
import re
from pathlib import Path
from typing import Any

import pytest
from nni_config import ExperimentConfig, InvalidConfigError, LocalConfig
from nni_config.yaml_file import read_yaml, scalar_of

VALID = """\
experimentName: example
searchSpace:
  lr: {_type: loguniform, _value: [1e-5, 0.1]}
trialCommand: python3 trial.py
trialCodeDirectory: .
trialConcurrency: 2
tuner:
  name: TPE
  classArgs:
    optimize_mode: maximize
trainingService:
  platform: local
"""


def load(folder: Path, text: str | bytes) -> ExperimentConfig:
    path = folder / "exp.yml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return ExperimentConfig.load(path)


def problems_of(folder: Path, text: str | bytes) -> list[str]:
    with pytest.raises(InvalidConfigError) as error:
        load(folder, text).validate()
    return [line.removeprefix(f"{folder}/") for line in str(error.value).split("\n")]


def test_a_valid_file(tmp_path: Path) -> None:
    config = load(tmp_path, VALID)
    written = config.json()
    assert written["searchSpace"] == {"lr": {"_type": "loguniform", "_value": [1e-5, 0.1]}}
    assert written["trialCodeDirectory"] == str(tmp_path.resolve())
    assert isinstance(config.training_service, LocalConfig)
    assert config == ExperimentConfig.load(str(tmp_path / "exp.yml"))


def test_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf" + VALID.replace("\n", "\r\n").encode()
    assert load(tmp_path, text).json() == load(tmp_path, VALID).json()


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "space.json").write_text('{"x": {"_type": "choice", "_value": [1]}}')
    (tmp_path / "exp.yml").write_text(
        "searchSpaceFile: space.json\ntrialCommand: a\ntrialCodeDirectory: code\ntrialConcurrency: 1\n"
        "experimentWorkingDirectory: ./logs\ntuner: {className: mine.Tuner, codeDirectory: code}\n"
        "trainingService: {platform: local}\n"
    )
    monkeypatch.chdir(tmp_path.parent)
    written = ExperimentConfig.load(f"{tmp_path.name}/exp.yml").json()
    home = tmp_path.resolve()
    assert written["trialCodeDirectory"] == str(home / "code")
    assert written["experimentWorkingDirectory"] == str(home / "logs")
    assert written["tuner"]["codeDirectory"] == str(home / "code")
    assert written["searchSpace"] == {"x": {"_type": "choice", "_value": [1]}}


def test_every_problem_with_its_line_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = (
        VALID.replace("trialConcurrency: 2", "trial_concurency: 2")
        .replace("name: TPE", "name: TPEE")
        .replace("maximize", "max")
        .replace("platform: local", "platform: local\n  gpuIndices: 0,0")
    )
    text += "maxTrialNumber: many\nlogLevel: loud\n"
    assert problems_of(tmp_path, text) == [
        "exp.yml:1: trialConcurrency: it is not set; allowed is a whole number from 1",
        "exp.yml:6: trial_concurency: ExperimentConfig does not have field trial_concurency; "
        "did you mean trial_concurrency?",
        "exp.yml:8: tuner.name: there is no tuner 'TPEE' (did you mean 'TPE'?); "
        "available: TPE, TPE_legacy, Anneal, Random, GridSearch, Batch, Evolution, PBT, SMAC, GP, Metis, "
        "DNGO, Hyperband, BOHB, Optuna, or class_name for a class of your own",
        "exp.yml:10: tuner.classArgs.optimize_mode: 'max' is not allowed; "
        'allowed are "maximize" and "minimize"',
        "exp.yml:13: trainingService.gpuIndices: Duplication detected in GPU indices '0,0'; "
        'allowed are numbers from 0, each once, such as 0, "0,1" or [0, 1]',
        "exp.yml:14: maxTrialNumber: 'many' is not a whole number; allowed is a whole number",
        "exp.yml:15: logLevel: 'loud' is not allowed; "
        "allowed is 'fatal', 'critical', 'error', 'warning', 'info', 'debug' or 'trace'",
    ]


def test_an_advisor_is_named_as_such(tmp_path: Path) -> None:
    text = VALID.replace("tuner:", "advisor:").replace("TPE", "PPO").replace("maximize", "max")
    name, mode = problems_of(tmp_path, text)
    assert name.startswith("exp.yml:8: advisor.name: the tuner 'PPO' belongs to architecture search")
    assert mode.startswith("exp.yml:10: advisor.classArgs.optimize_mode: 'max' is not allowed")


def test_problems_in_the_search_space_with_their_lines(tmp_path: Path) -> None:
    text = VALID.replace(
        "lr: {_type: loguniform, _value: [1e-5, 0.1]}", "lr:\n    _type: uniform\n    _value: [2, 1]"
    )
    assert problems_of(tmp_path, text) == [
        "exp.yml:5: searchSpace.lr._value: low 2 is above high 1; allowed is [low, high] with low first"
    ]


WRONG_TUNERS = [
    *("  name: PPOTuner\n", "  nme: TPE\n", "  - TPE\n", "  name: TPE\n  classArgs: 5\n", "  name: TPEE\n"),
    *("  {}\n", "  name: TPE\n  codeDirectory: .\n", "  name: [TPE]\n"),
]


@pytest.mark.parametrize("tuner", WRONG_TUNERS)
def test_the_search_space_is_checked_though_the_tuner_is_wrong(tmp_path: Path, tuner: str) -> None:
    text = VALID.replace("  name: TPE\n  classArgs:\n    optimize_mode: maximize\n", tuner)
    wrong_tuner = problems_of(tmp_path, text)
    assert all(": tuner" in problem for problem in wrong_tuner)
    problems = problems_of(tmp_path, text.replace("[1e-5, 0.1]", "[1, 0.1]"))
    (more,) = set(problems) - set(wrong_tuner)
    assert len(problems) == len(wrong_tuner) + 1
    assert more.startswith("exp.yml:3: searchSpace.lr._value: low 1 is above high 0.1")


@pytest.mark.parametrize("tuner", ["  className: 5\n", "  className: a.B\n  classArgs: 5\n"])
def test_the_search_space_of_a_tuner_of_ones_own_is_not_checked_where_that_is_wrong(
    tmp_path: Path, tuner: str
) -> None:
    text = VALID.replace("  name: TPE\n  classArgs:\n    optimize_mode: maximize\n", tuner)
    problems = problems_of(tmp_path, text.replace("[1e-5, 0.1]", "[1, 0.1]"))
    assert len(problems) == 1 and ": tuner." in problems[0]


def test_no_search_space_is_missed_where_the_tuner_is_wrong(tmp_path: Path) -> None:
    text = VALID.replace("  lr: {_type: loguniform, _value: [1e-5, 0.1]}\n", "  anything\n")
    problems = problems_of(tmp_path, text.replace("  name: TPE\n", "  nme: TPE\n"))
    assert problems and all(": tuner." in problem for problem in problems), problems


def test_a_misplaced_field_is_guessed(tmp_path: Path) -> None:
    text = VALID.replace("  name: TPE\n", "  name: TPE\n  maxTrialNumber: 10\n") + "useActiveGpu: true\n"
    assert [line.split("; ")[-1] for line in problems_of(tmp_path, text)] == [
        "did you mean maxTrialNumber at the top level?",
        "did you mean trainingService.useActiveGpu?",
    ]


def test_a_platform_that_is_not_there_leaves_the_rest_checked(tmp_path: Path) -> None:
    text = VALID.replace("platform: local", "platform: pai").replace("trialCommand: python3 trial.py\n", "")
    text = text.replace("trialConcurrency: 2\n", "")
    assert [line.split(": ")[1] for line in problems_of(tmp_path, text)] == [
        "trialConcurrency",
        "trainingService.platform",
    ]


@pytest.mark.parametrize(
    ("right", "wrong", "where"),
    [
        ("name: TPE", "nname: TPE", "tuner.nname"),
        ("platform: local", "platform: local\n  nosuch: 1", "trainingService.nosuch"),
        ("platform: local", "reuseMode: true", "trainingService.platform"),
    ],
)
def test_what_is_wrong_is_not_missing_too(tmp_path: Path, right: str, wrong: str, where: str) -> None:
    (line,) = problems_of(
        tmp_path, VALID.replace("  classArgs:\n    optimize_mode: maximize\n", "").replace(right, wrong)
    )
    assert line.split(": ")[1] == where


def test_keys_that_are_not_set_may_be_set_later(tmp_path: Path) -> None:
    config = load(tmp_path, VALID.replace("trialConcurrency: 2\n", ""))
    with pytest.raises(InvalidConfigError, match=r"exp\.yml:1: trialConcurrency: it is not set"):
        config.validate()
    config.trial_concurrency = 2
    config.validate()


@pytest.mark.parametrize("text", ["", "# only a comment\n", "- a\n- b\n", "just text", "5", "null"])
def test_what_is_no_mapping(tmp_path: Path, text: str) -> None:
    with pytest.raises(TypeError, match=r"exp\.yml: .*; allowed are fields with values") as error:
        load(tmp_path, text)
    assert isinstance(error.value, ValueError)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1", "exp.yml:"),
        ("tuner:\n\tname: TPE\n", "exp.yml:2: it is not YAML: .*indent with spaces"),
        ("a: 1\n b: 2\n", "exp.yml:2: it is not YAML"),
        ("a: *no\n", "exp.yml:1: it is not YAML: .*undefined alias"),
        ("a: 1\n---\nb: 2\n", "exp.yml:2: it is not YAML: .*single document"),
        ("a: \x01\n", "exp.yml: it is not YAML"),
        (b"experimentName: caf\xe9\n", "exp.yml: byte 20 of the file is not UTF-8"),
        (
            "debug: true\nlogLevel: info\ndebug: false\n",
            "exp.yml:3: debug: it is given twice, first in line 1",
        ),
        ("tuner: !!python/object:os.system {}\n", "exp.yml:1: tuner: the tag .* is not supported"),
        ("tuner: !mine 5\n", "exp.yml:1: tuner: the tag !mine is not supported"),
        ("searchSpace: &a\n  b: *a\n", "exp.yml:2: searchSpace.b: it contains itself"),
        ("[a]: 1\n", "exp.yml:1: a key is a list"),
        ("<<: 5\n", "exp.yml:1: what << merges"),
    ],
)
def test_what_is_no_yaml(tmp_path: Path, text: str | bytes, expected: str) -> None:
    assert re.match(expected, problems_of(tmp_path, text)[0]), problems_of(tmp_path, text)


def test_problems_as_yaml_leave_the_rest_checked(tmp_path: Path) -> None:
    text = VALID.replace("trialConcurrency: 2", "trialConcurrency: 2\ntrialConcurrency: 0")
    assert [line.split(" ")[0] for line in problems_of(tmp_path, text)] == ["exp.yml:6:", "exp.yml:7:"]


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ExperimentConfig.load(tmp_path / "no.yml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5),
        ("1E5", 1e5),
        (".5", 0.5),
        ("3.", 3.0),
        ("12", 12),
        ("-12", -12),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("on", "on"),
        ("yes", "yes"),
        ("y", "y"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2020-01-01", "2020-01-01"),
        ("0b1", "0b1"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("-.inf", -math.inf),
        ("1e", "1e"),
        ("nan", "nan"),
    ],
)
def test_plain_scalars_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    assert scalar_of(text) == value
    assert isinstance(scalar_of(text), type(value))


def test_scalars_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text(
        "a: !!str 5\nb: '5'\nc: 5\nd: .nan\ne: |\n  text\nf: &x {y: 1}\ng: {<<: *x, z: 2}\non: 1\n"
    )
    value = read_yaml(path).value
    assert math.isnan(value.pop("d"))
    assert value == {"a": "5", "b": "5", "c": 5, "e": "text\n", "f": {"y": 1}, "g": {"y": 1, "z": 2}, "on": 1}


def test_characters_that_json_writes_in_two_halves(tmp_path: Path) -> None:
    assert load(tmp_path, '{"experimentName": "a \\ud83d\\ude00"}').experiment_name == "a \U0001f600"


def test_numbers_are_text_as_written_and_words_are_bool(tmp_path: Path) -> None:
    text = VALID.replace("example", "012345") + "debug: on\nsnapshotCode: no\n"
    config = load(tmp_path, text)
    assert config.experiment_name == "012345"
    assert config.debug is True
    assert config.snapshot_code is False


def test_numbers_that_are_written_oddly_are_plain_in_the_end(tmp_path: Path) -> None:
    text = VALID.replace("[1e-5, 0.1]", "[1e-5, 1E-1]").replace("maximize", "maximize\n    seed: 007")
    written = load(tmp_path, text).json()
    assert [type(value) for value in written["searchSpace"]["lr"]["_value"]] == [float, float]
    assert type(written["tuner"]["classArgs"]["seed"]) is int


def test_a_search_space_of_many_options(tmp_path: Path) -> None:
    options = ", ".join(f"option {number}" for number in range(3000))
    config = load(
        tmp_path,
        VALID.replace("{_type: loguniform, _value: [1e-5, 0.1]}", f"{{_type: choice, _value: [{options}]}}"),
    )
    assert len(config.json()["searchSpace"]["lr"]["_value"]) == 3000
