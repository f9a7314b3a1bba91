"""Files in NNI's V1 form: recognised, converted, with every problem at its own line and key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from nni_config import ExperimentConfig, InvalidConfigError
from nni_config.v1 import is_v1_form

VALID = """\
authorName: default
experimentName: example_mnist
trialConcurrency: 1
maxExecDuration: 1h
maxTrialNum: 10
#choice: local, remote, pai
trainingServicePlatform: local
searchSpacePath: space.json
useAnnotation: false
tuner:
  builtinTunerName: TPE
  classArgs:
    optimize_mode: maximize
trial:
  command: python3 mnist.py
  codeDir: .
  gpuNum: 0
"""
MACHINES = """\
machineList:
  - ip: 10.1.1.1
    username: bob
    passwd: 012345
  - ip: 10.1.1.2
    username: bob
    passwd: tell-nobody
"""
LINE = "=" * 80


def write(folder: Path, text: str) -> Path:
    (folder / "space.json").write_text('{"x": {"_type": "uniform", "_value": [0, 1]}}')
    path = folder / "exp.yml"
    path.write_text(text)
    return path


def problems_of(folder: Path, text: str) -> list[str]:
    path = write(folder, text)
    with pytest.raises(InvalidConfigError) as error:
        ExperimentConfig.load(path).validate()
    return str(error.value).replace(f"{folder}/", "").split("\n")


def printed_form(config: ExperimentConfig) -> str:
    notice = config.conversion_notice()
    assert notice is not None
    return notice.split(f"{LINE}\n")[1]


def test_the_printed_form_is_equal(tmp_path: Path) -> None:
    config = ExperimentConfig.load(write(tmp_path, VALID))
    config.validate()
    (tmp_path / "new.yml").write_text(printed_form(config))
    again = ExperimentConfig.load(tmp_path / "new.yml")
    assert again == config
    assert again.json() == config.json()
    assert again.conversion_notice() is None


@pytest.mark.parametrize("mounted", ["usermount", "nnimount", "nomount"])
def test_shared_storage_however_it_is_mounted(tmp_path: Path, mounted: str) -> None:
    storage = (
        f"sharedStorage:\n  storageType: NFS\n  localMountPoint: .\n  remoteMountPoint: /mnt\n"
        f"  localMounted: {mounted}\n  nfsServer: 10.0.0.1\n  exportedDirectory: /export\n"
    )
    written = ExperimentConfig.load(write(tmp_path, VALID + storage)).json()
    assert written["sharedStorage"]["localMounted"] == mounted


def test_the_notice(tmp_path: Path) -> None:
    path = write(tmp_path, VALID)
    config = ExperimentConfig.load(path)
    notice = config.conversion_notice()
    assert notice is not None
    assert notice.startswith(
        f"{path} is in NNI's V1 form. It is read as its equivalent in the V2 form:\n{LINE}\n"
    )
    assert f"{path}:1: authorName: the V2 form has no field for it" in notice
    assert notice.endswith(f"nnictl config convert {path} NEW.yml")
    assert "useAnnotation" not in notice
    assert config.warnings()[0].endswith("different from: authorName")


def test_no_secret_is_in_the_notice(tmp_path: Path) -> None:
    config = ExperimentConfig.load(write(tmp_path, VALID.replace("form: local", "form: remote") + MACHINES))
    assert config.training_services()[0].machine_list[0].password == "012345"
    notice = config.conversion_notice() or ""
    assert "tell-nobody" not in notice and "012345" not in notice
    assert notice.count("password: '******'") == 2


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            ("trialConcurrency: 1", "trialConcurrency: many"),
            "exp.yml:3: trialConcurrency: 'many' is not a whole",
        ),
        (("maxExecDuration: 1h", "maxExecDuration: 1w"), "exp.yml:4: maxExecDuration: "),
        (("maxTrialNum: 10", "maxTrialNum: 0"), "exp.yml:5: maxTrialNum: 0 is too small"),
        (("gpuNum: 0", "gpuNum: -1"), "exp.yml:17: trial.gpuNum: -1 is too small"),
        (("codeDir: .", "codeDir: nowhere"), "exp.yml:16: trial.codeDir: "),
        (("Name: TPE", "Name: TPEE"), "exp.yml:11: tuner.builtinTunerName: "),
        (("mode: maximize", "mode: upwards"), "exp.yml:13: tuner.classArgs.optimize_mode: "),
        (("space.json", "no.json"), "exp.yml:8: searchSpacePath: "),
        (
            ("searchSpacePath: space.json", ""),
            "exp.yml:1: searchSpacePath: one of search_space and search_space_file must be set",
        ),
        (("trialConcurrency: 1", ""), "exp.yml:1: trialConcurrency: it is not set"),
        (("  command: python3 mnist.py\n", ""), "exp.yml:14: trial.command: it is not set"),
        (("  builtinTunerName: TPE\n", ""), "exp.yml:10: tuner.builtinTunerName: it is not set"),
        (
            ("maxTrialNum: 10", "maxTrailNum: 10"),
            "exp.yml:5: maxTrailNum: NNI's V1 form does not have the key",
        ),
        (("useAnnotation: false", "useAnnotation: true"), "exp.yml:9: useAnnotation: annotations in"),
        (("useAnnotation: false", "multiPhase: true"), "exp.yml:9: multiPhase: True is not supported"),
        (("Platform: local", "Platform: pia"), "exp.yml:7: trainingServicePlatform: 'pia' is not a platform"),
        (
            ("Platform: local", "Platform: dlts"),
            "exp.yml:7: trainingServicePlatform: DLTS was removed from NNI",
        ),
        (("Platform: local", "Platform:"), "exp.yml:7: trainingServicePlatform: it is not set"),
        (
            ("Platform: local", "Platform: hybrid"),
            "exp.yml:1: hybridConfig.trainingServicePlatforms: None names",
        ),
        (("Platform: local", "Platform: remote"), "exp.yml:1: machineList: it is not set"),
        (("Platform: local", "Platform: kubeflow"), "exp.yml:1: kubeflowConfig.operator: it is not set"),
        (
            ("maxTrialNum: 10", "max_trial_num: 1\nmaxTrialNum: 2"),
            "exp.yml:5: max_trial_num: it is given twice, as max_trial_num and as maxTrialNum",
        ),
        (("maxTrialNum: 10", "machineList: [a]"), "exp.yml:5: machineList: it is for remote"),
    ],
)
def test_a_problem_names_the_line_and_the_key_of_the_file(
    tmp_path: Path, change: tuple[str, str], problem: str
) -> None:
    text = VALID.replace(*change)
    assert text != VALID
    if "it is for" in problem:
        notice = ExperimentConfig.load(write(tmp_path, text)).conversion_notice() or ""
        assert problem in notice.replace(f"{tmp_path}/", "")
        return
    found = problems_of(tmp_path, text)
    assert any(line.startswith(problem) for line in found), found
    if "kubeflow" not in problem:
        assert len(found) == 1, found


@pytest.mark.parametrize(
    ("line", "guess"),
    [
        ("maxTrailNum: 5", "; did you mean maxTrialNum?"),
        ("maxTrialNumber: 5", "; did you mean maxTrialNum?"),
        ("trialCommand: a", "; did you mean trial.command?"),
        ("gpuNum: 1", "; did you mean trial.gpuNum?"),
        ("trialStopSignal: SIGTERM", "the V2 form has it; write the whole file in the V2 form"),
        ("zzz: 1", "; allowed are trainingServicePlatform, authorName, "),
        ("localConfig: {maxTrialNumberPerGpu: 2}", "; did you mean localConfig.maxTrialNumPerGpu?"),
        ("assessor: {builtinTunerName: Medianstop}", "; did you mean tuner.builtinTunerName?"),
    ],
)
def test_what_was_meant_by_a_key(tmp_path: Path, line: str, guess: str) -> None:
    found = problems_of(tmp_path, f"{VALID}{line}\n")
    assert found[0].startswith("exp.yml:18: ") and guess in found[0], found


def test_machines_have_their_own_lines(tmp_path: Path) -> None:
    text = VALID.replace("form: local", "form: remote") + MACHINES.replace("    username: bob\n", "", 1)
    text = text.replace("10.1.1.2", "10.1.1.2\n    port: 0")
    assert [line.split(": ")[:2] for line in problems_of(tmp_path, text)] == [
        ["exp.yml:19", "machineList[0].username"],
        ["exp.yml:22", "machineList[1].port"],
    ]


@pytest.mark.parametrize(
    ("tuner", "key"),
    [
        ("{classFileName: mine.py, codeDir: .}", "tuner.classFileName"),
        ("{classFileName: mine.txt, className: Mine, codeDir: .}", "tuner.classFileName"),
        ("{classFileName: ../mine.py, className: Mine, codeDir: .}", "tuner.classFileName"),
        (
            "{classFileName: mine.py, className: Mine, codeDir: .,  builtinTunerName: TPE}",
            "tuner.builtinTunerName",
        ),
        ("{className: Mine, codeDir: .}", "tuner.className"),
        ("TPE", "tuner"),
    ],
)
def test_own_classes_are_checked(tmp_path: Path, tuner: str, key: str) -> None:
    text = re.sub(r"tuner:\n(  .*\n)*", f"tuner: {tuner}\n", VALID, count=1)
    assert any(line.startswith(f"exp.yml:10: {key}: ") for line in problems_of(tmp_path, text))


def test_two_keys_for_one_field(tmp_path: Path) -> None:
    text = VALID + "  cpuNum: 1\npaiConfig: {userName: bob, token: t, host: h, cpuNum: 2}\n"
    config = ExperimentConfig.load(write(tmp_path, text.replace("form: local", "form: pai")))
    assert config.training_services()[0].trial_cpu_number == 2
    assert "exp.yml:18: trial.cpuNum: paiConfig.cpuNum is set too, and wins" in (
        config.conversion_notice() or ""
    )


def test_annotations_without_a_search_space_are_one_problem(tmp_path: Path) -> None:
    text = VALID.replace("searchSpacePath: space.json\nuseAnnotation: false", "useAnnotation: true")
    (problem,) = problems_of(tmp_path, text)
    assert "nni.get_next_parameter()" in problem and "docs/migrating.md" in problem


@pytest.mark.parametrize(
    ("form", "is_v1"),
    [
        ({"trainingServicePlatform": "local"}, True),
        ({"training_service_platform": "local"}, True),
        ({"authorName": "a", "trial": {}}, True),
        ({"trial": {}, "trialConcurrency": 1}, False),
        ({"trainingServicePlatform": "local", "trainingService": {}}, False),
        ({"machineList": [], "trainingService": {}, "logDir": "a"}, False),
        ({}, False),
        ([], False),
        (None, False),
    ],
)
def test_what_is_the_v1_form(form: object, is_v1: bool) -> None:
    assert is_v1_form(form) is is_v1
