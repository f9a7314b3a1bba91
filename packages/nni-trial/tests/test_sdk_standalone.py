from __future__ import annotations

import logging
import re
import warnings
from pathlib import Path
from typing import Any

import nni
import pytest
from nni import trial as trial_module


def run(trial: Any, code: str, **environment: str) -> list[str]:
    """Returns what a script run by hand prints, without times."""
    result = trial.run(code, NNI_PLATFORM="", **environment)
    return [re.sub(r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] ", "", line) for line in result.stdout.splitlines()]


def test_one_warning_and_no_parameters(outside: None) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert nni.get_next_parameter() == {}
    (warning,) = caught
    assert warning.category is RuntimeWarning
    assert "Running trial code without runtime." in str(warning.message)
    assert warning.filename == __file__
    assert nni.get_current_parameter() == {}
    with pytest.raises(KeyError):
        nni.get_current_parameter("lr")


def test_the_warning_is_seen_once_in_a_loop(trial: Any) -> None:
    code = "import nni\nfor _ in range(3): nni.get_next_parameter()"
    result = trial.run(code, NNI_PLATFORM="")
    assert result.stderr.count("Running trial code without runtime.") == 1


def test_results_are_logged(outside: None, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "nni"):
        nni.report_intermediate_result(0.5)
        nni.report_intermediate_result({"default": 1})
        trial_module.overwrite_intermediate_seq(7)
        nni.report_intermediate_result("x")
        nni.report_final_result(0.9)
    assert [(record.name, record.levelname, record.getMessage()) for record in caplog.records] == [
        ("nni", "INFO", "Intermediate result: 0.5  (Index 0)"),
        ("nni", "INFO", "Intermediate result: {'default': 1}  (Index 1)"),
        ("nni", "INFO", "Intermediate result: x  (Index 7)"),
        ("nni", "INFO", "Final result: 0.9"),
    ]


REPORTS = "import nni; nni.report_intermediate_result(0.5); nni.report_final_result(0.9)"
SHOWN = ["Intermediate result: 0.5  (Index 0)", "Final result: 0.9"]


@pytest.mark.parametrize("platform", ["", "unittest"])
def test_results_are_printed(platform: str, trial: Any) -> None:
    result = trial.run(REPORTS, NNI_PLATFORM=platform)
    assert [line[22:] for line in result.stdout.splitlines()] == SHOWN
    assert not trial.report_file.exists()


def test_results_are_printed_once_where_the_script_logs_itself(trial: Any) -> None:
    set_up = "import logging, sys; logging.basicConfig(stream=sys.stdout, format='own: %(message)s'); "
    assert run(trial, set_up + REPORTS) == [f"own: {line}" for line in SHOWN]


def test_silence(trial: Any) -> None:
    assert run(trial, "import nni; nni.silence_stdout(); " + REPORTS) == []
    assert run(trial, REPORTS + "; nni.silence_stdout(); " + REPORTS) == SHOWN


def test_global_logging_shows_other_loggers_too(trial: Any) -> None:
    code = """
    import nni, logging
    nni.enable_global_logging()
    logging.getLogger("other").info("other")
    nni.report_final_result(1)
    nni.enable_global_logging(False)
    logging.getLogger("other").info("not shown")
    nni.report_final_result(2)
    """
    assert run(trial, code) == ["other", "Final result: 1", "Final result: 2"]


def test_what_a_trial_would_refuse_is_refused_by_hand_too(outside: None) -> None:
    with pytest.raises(TypeError, match=r"the value\['a'\]"):
        nni.report_final_result({"a": object()})


def test_parameters_from_a_file(outside: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "best.json"
    path.write_text('{"lr": 0.5, "layer": {"_name": "conv", "k": 3}}', encoding="utf-8")
    monkeypatch.setenv("NNI_PARAMETERS", str(path))
    assert nni.get_next_parameter() == {"lr": 0.5, "layer": {"_name": "conv", "k": 3}}
    assert nni.get_current_parameter("lr") == 0.5


def test_a_trial_is_not_given_parameters_from_a_file(inside: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNI_PARAMETERS", "/nowhere/best.json")
    assert nni.get_next_parameter() == {"lr": 0.1, "layers": 3}


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file"), ("{", "cannot be read"), ("[1]", "holds no JSON object")]
)
def test_a_file_of_parameters_that_cannot_be_used_is_named(
    content: str | None, reason: str, outside: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "best.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    monkeypatch.setenv("NNI_PARAMETERS", str(path))
    with pytest.raises(RuntimeError, match=f"NNI_PARAMETERS names {path}, which .*{reason}"):
        nni.get_next_parameter()


def test_the_ids_outside_a_trial(outside: None) -> None:
    assert (nni.get_experiment_id(), nni.get_trial_id(), nni.get_sequence_id()) == (
        "STANDALONE",
        "STANDALONE",
        0,
    )


def test_the_output_directory_outside_a_trial_is_the_working_directory(
    outside: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert nni.get_output_directory() == str(tmp_path)
