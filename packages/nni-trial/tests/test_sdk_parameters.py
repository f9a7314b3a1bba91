from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import nni
import pytest
from nni import trial as trial_module


def test_the_ids_are_those_of_the_environment(inside: Any) -> None:
    assert (nni.get_experiment_id(), nni.get_trial_id()) == (inside.experiment_id, inside.trial_id)
    assert nni.get_sequence_id() == 7


def test_the_output_directory_is_that_of_the_environment(inside: Any) -> None:
    assert nni.get_output_directory() == str(inside.output)


def test_every_call_returns_the_same_parameters_in_an_object_of_its_own(inside: Any) -> None:
    first = nni.get_next_parameter()
    first.clear()
    assert nni.get_next_parameter() == {"lr": 0.1, "layers": 3}


def test_the_current_parameter_is_the_one_fetched_last(inside: Any) -> None:
    assert nni.get_current_parameter() is None
    assert nni.get_current_parameter("lr") is None
    parameters = nni.get_next_parameters()
    assert nni.get_current_parameter() is parameters
    assert nni.get_current_parameter("layers") == 3
    with pytest.raises(KeyError):
        nni.get_current_parameter("nothing")


def test_after_a_final_result_there_is_nothing_more_to_do(inside: Any) -> None:
    nni.get_next_parameter()
    nni.report_intermediate_result(1)
    assert nni.get_next_parameter() is not None
    nni.report_final_result(1)
    assert nni.get_next_parameter() is None
    assert nni.get_current_parameter() is None


def test_parameters_need_not_be_a_dict(make_trial: Callable[..., Any]) -> None:
    trial = make_trial([1, [2.5, None]])
    assert trial.run("import nni; print(nni.get_next_parameter())").stdout.strip() == "[1, [2.5, None]]"


def test_other_processes_still_get_parameters_after_the_final_result(trial: Any) -> None:
    trial.run("""
    import multiprocessing, os, subprocess, sys
    import nni

    def ask():
        parameters = nni.get_next_parameter()
        sys.exit(0 if parameters == {"lr": 0.1, "layers": 3} else 1)

    if __name__ == "__main__":
        nni.get_next_parameter()
        nni.report_final_result(1)
        assert nni.get_next_parameter() is None
        for method in ("fork", "spawn"):
            child = multiprocessing.get_context(method).Process(target=ask)
            child.start()
            child.join()
            assert child.exitcode == 0, method
        code = "import nni; assert nni.get_next_parameter()['lr'] == 0.1"
        subprocess.run([sys.executable, "-c", code], check=True)
    """)


def test_missing_parameters_are_named(inside: Any) -> None:
    path = inside.system / "parameters.json"
    path.unlink()
    with pytest.raises(RuntimeError, match=r"cannot be read from .*parameters.json: .*No such file"):
        nni.get_next_parameter()
    path.write_text("{", encoding="utf-8")
    with pytest.raises(RuntimeError, match="cannot be read from"):
        nni.get_next_parameter()


def test_half_of_the_environment_is_an_error_and_not_a_silent_run_by_hand(
    inside: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NNI_SYS_DIR")
    with pytest.raises(RuntimeError, match=r"NNI_PLATFORM is 'local'.*NNI_SYS_DIR is not set"):
        nni.get_next_parameter()


@pytest.mark.parametrize("report", [nni.report_intermediate_result, nni.report_final_result])
def test_reporting_in_a_trial_that_never_asked_is_a_mistake(
    report: Callable[[Any], None], inside: Any
) -> None:
    with pytest.raises(AssertionError, match=rf"nni.get_next_parameter\(\).*{report.__name__}"):
        report(1)
    assert inside.reports() == []


def test_a_process_may_report_when_another_one_of_the_trial_has_asked(trial: Any) -> None:
    trial.run("""
    import multiprocessing, subprocess, sys
    import nni

    def report(value):
        nni.report_intermediate_result(value)

    if __name__ == "__main__":
        nni.get_next_parameter()
        for value, method in enumerate(["fork", "spawn"]):
            child = multiprocessing.get_context(method).Process(target=report, args=(value,))
            child.start()
            child.join()
            assert child.exitcode == 0, method
        code = "import nni; nni.report_final_result('by another')"
        subprocess.run([sys.executable, "-c", code], check=True)
    """)
    assert trial.values() == [0, 1]
    assert trial.values("f") == ["by another"]


def test_a_read_only_folder_still_gives_parameters(inside: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert nni.get_next_parameter()["lr"] == 0.1


def test_the_index_of_intermediate_results_is_an_integer(outside: None) -> None:
    trial_module.overwrite_intermediate_seq(5)
    with pytest.raises(AssertionError):
        trial_module.overwrite_intermediate_seq("5")  # type: ignore[arg-type]
