"""Going on with experiments, viewing and reading them; with a manager that does as told."""

from __future__ import annotations

import logging
import os
import re
import signal
import threading
from pathlib import Path

import pytest
from nni_client import Experiment, RunMode
from nni_client.errors import InvalidConfigError
from nni_config.experiment_summary import ExperimentSummary, write_summary
from nni_config.local_state import ManagerRecord, write_manager_record
from nni_config.processes import process_start_time
from nni_config.remembered_directories import remembered_file
from nni_config.wire import config_from_message
from nni_proto.v1.experiment_service_pb2 import ResumeExperimentRequest
from nni_proto.v1.trial_pb2 import Trial


@pytest.fixture
def stopped(fake_manager, make_experiment):
    """The id of an experiment that was run and stopped, in a folder that is not the default one."""
    experiment = make_experiment()
    experiment.config.experiment_name = "first"
    experiment.start(0)
    experiment.stop()
    return experiment.id


@pytest.fixture
def folder(home, stopped):
    return home / "experiments" / stopped


@pytest.fixture
def ended():
    """Experiments that are stopped after the test."""
    experiments = []
    yield lambda experiment: experiments.append(experiment) or experiment
    for experiment in experiments:
        experiment.stop()


def sent(folder):
    return ResumeExperimentRequest.FromString((folder / "resumed").read_bytes())


def words_of(experiment):
    return Path(f"/proc/{experiment._manager.process.pid}/cmdline").read_text().split("\0")


def test_both_forms_return_what_run_returns(stopped, fake_manager, folder, capsys):
    fake_manager(end_as="DONE")
    assert Experiment(None, id=stopped).resume(0) is True
    shown = capsys.readouterr().out
    assert f"Experiment ID: {stopped}" in shown
    assert "ended       DONE" in shown
    assert not sent(folder).HasField("config")
    assert Experiment.resume(stopped, 0) is True
    fake_manager(end_as="ERROR")
    assert Experiment.resume(stopped, port=0, wait_completion=True, debug=False) is False


def test_without_waiting_both_forms_return_the_experiment(stopped, ended):
    experiment = ended(Experiment.resume(stopped, port=0, wait_completion=False))
    assert isinstance(experiment, Experiment)
    assert experiment.id == stopped
    assert experiment.get_status() == "RUNNING"
    assert experiment.config.experiment_name == "first"
    assert "--resume" in words_of(experiment)
    experiment.stop()
    other = ended(Experiment(None, id=stopped))
    assert other.resume(0, False) is other
    assert other.port > 0
    with pytest.raises(RuntimeError, match="is running already, on port"):
        other.resume(0)


def test_an_experiment_can_go_on_in_the_object_that_ran_it(make_experiment, fake_manager, ended):
    experiment = ended(make_experiment())
    fake_manager(end_as="DONE")
    assert experiment.run(0) is True
    assert experiment.resume(0) is True
    assert experiment.get_status() == "DONE"


def test_a_configuration_is_sent_and_its_differences_are_told(
    stopped, folder, make_experiment, ended, caplog
):
    experiment = ended(make_experiment(id=stopped))
    experiment.config.max_trial_number = 7
    experiment.config.tuner.class_args = {"seed": 3, "password": "hidden"}
    experiment.resume(0, wait_completion=False)
    assert config_from_message(sent(folder).config).max_trial_number == 7
    assert "max_trial_number: None -> 7" in caplog.text
    assert "experiment_name: 'first' -> None" in caplog.text
    assert "hidden" not in caplog.text
    assert experiment.config.max_trial_number == 7


def test_a_configuration_that_is_not_valid_starts_nothing(stopped, folder, make_experiment):
    experiment = make_experiment(id=stopped)
    experiment.config.trial_concurrency = None
    with pytest.raises(ValueError, match="trial_concurrency"):
        experiment.resume(0)
    assert not (folder / "resumed").exists()


def test_an_experiment_found_elsewhere_stays_where_it_is(stopped, folder, make_experiment, home, ended):
    experiment = ended(make_experiment(home / "another", id=stopped))
    experiment.resume(0, wait_completion=False)
    assert config_from_message(sent(folder).config).experiment_working_directory == str(folder.parent)
    assert not (home / "another").exists()


def test_where_an_experiment_is_looked_for(stopped, folder, make_experiment, ended, home):
    remembered_file().unlink()
    with pytest.raises(RuntimeError, match=f"^Experiment {stopped} does not exist thus cannot be resumed"):
        Experiment.resume(stopped, 0)
    assert not Experiment(None, id=stopped).has_checkpoint()
    assert make_experiment(id=stopped).has_checkpoint(), "its configuration names the folder"
    for directory in (folder.parent, str(folder.parent), folder):
        experiment = ended(
            Experiment.resume(stopped, 0, wait_completion=False, experiments_directory=directory)
        )
        assert experiment.get_status() == "RUNNING"
        experiment.stop()
    assert Experiment(None, id=stopped).has_checkpoint(), "the folder that was named is remembered"
    with pytest.raises(RuntimeError, match=f"does not exist.* Looked in: {home / 'other'}"):
        Experiment.resume(stopped, 0, experiments_directory=home / "other")


def test_an_unknown_experiment(home, fake_manager):
    with pytest.raises(RuntimeError, match=r"^Experiment nosuchid does not exist thus cannot be resumed\. "):
        Experiment(None, id="nosuchid").resume()
    with pytest.raises(RuntimeError, match=r"^Experiment nosuchid does not exist thus cannot be viewed\. "):
        Experiment.view("nosuchid")
    with pytest.raises(ValueError, match="Invalid experiment ID"):
        Experiment.resume("../x")
    assert list(home.glob("**/db")) == []


def test_one_that_runs_elsewhere(stopped, folder, ended, capsys):
    running = ended(Experiment.resume(stopped, 0, wait_completion=False, run_mode=RunMode.Detach))
    pid = running._manager.process.pid
    start_time = process_start_time(pid)
    record = ManagerRecord(
        stopped, pid, start_time, running.port, "127.0.0.1", "", "secret-token", str(folder)
    )
    write_manager_record(record, folder)
    other = Experiment(None, id=stopped)
    how = rf"is running, on port {running.port} \(process {pid}\)\. Experiment\.connect\({running.port}\)"
    for call in (other.resume, other.view, lambda: other.update_trial_concurrency(2), other.pause):
        with pytest.raises(RuntimeError, match=f"{how}.*nnictl stop {stopped}"):
            call()
    assert other.get_status() == "RUNNING"
    assert other.port is None
    (metadata,) = Experiment.get_all_experiments_metadata()
    assert (metadata["port"], metadata["pid"]) == (running.port, pid)
    assert metadata["webuiUrl"] == [f"http://127.0.0.1:{running.port}/"]
    connected = Experiment.connect(running.port)
    assert connected.id == stopped
    connected.pause()
    assert connected._get().paused
    connected.unpause()
    assert not other._get().paused


def test_a_start_by_nnis_record_is_refused(home, fake_manager):
    (home / "nni-experiments" / "old" / "db").mkdir(parents=True)
    (home / "nni-experiments" / "old" / "db" / "nni.sqlite").touch()
    experiment = Experiment(None, id="old")
    assert not experiment.has_checkpoint()
    with pytest.raises(RuntimeError, match="nnictl experiment import NEW_ID --from old"):
        experiment.resume()
    with pytest.raises(RuntimeError, match="nnictl experiment export old"):
        experiment.list_trial_jobs()


def test_what_the_manager_refuses_is_passed_on(stopped, fake_manager):
    fake_manager(error="the record is of a later version")
    with pytest.raises(RuntimeError, match="the record is of a later version"):
        Experiment.resume(stopped, 0)
    fake_manager(refuse_resume="tuner: it cannot change")
    with pytest.raises(InvalidConfigError, match=r"^tuner: it cannot change$"):
        Experiment.resume(stopped, 0)
    assert Experiment(None, id=stopped).has_checkpoint()


def test_an_interrupt_while_it_is_resumed(stopped, fake_manager, folder, capsys):
    fake_manager(slow_resume=60)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(1.5, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    try:
        assert Experiment.resume(stopped, 0) is None
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)
    assert "Interrupted: the experiment was not resumed" in capsys.readouterr().out
    assert (folder / "db").is_dir()


def test_what_was_told_before_is_not_told_again(stopped, folder, fake_manager, capsys):
    fake_manager(recorded_warnings=["old news"], new_warnings=["fresh news"], end_as="DONE")
    assert Experiment.resume(stopped, 0) is True
    shown = capsys.readouterr().out
    assert "old news" not in shown
    assert shown.count("Warning: fresh news") == 1
    assert (folder / "watched").read_text() == "1"


def test_the_summary_says_what_failed(stopped, fake_manager, capsys):
    counts = [
        {"status": Trial.STATUS_FAILED, "count": 3},
        {"status": Trial.STATUS_SUCCEEDED, "count": 1},
    ]
    fake_manager(end_as="DONE", counts=counts, failed=3)
    assert Experiment.resume(stopped, 0) is True
    assert "failures    3 failed: exit code 1 (ValueError: bad)" in capsys.readouterr().out


@pytest.mark.parametrize("options", [{"non_blocking": True}, {"wait_completion": False}])
def test_a_view_that_is_not_waited_for(stopped, fake_manager, ended, options):
    fake_manager(view_status="DONE")
    experiment = ended(Experiment.view(stopped, port=0, **options))
    assert experiment.get_status() == "DONE"
    assert experiment.config.experiment_name == "first"
    assert "--view" in words_of(experiment)
    pid = experiment._manager.process.pid
    experiment.stop()
    assert process_start_time(pid) is None
    assert experiment.port is None
    assert experiment.get_status() == "DONE"
    assert ended(Experiment(None, id=stopped)).view(0, **options).port > 0


def test_a_view_lasts_until_ctrl_c(stopped, fake_manager, capsys):
    fake_manager(view_status="DONE")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(2.0, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    try:
        experiment = Experiment.view(stopped, 0)
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)
    assert experiment.port is None
    assert "The view has ended" in capsys.readouterr().out


def test_it_is_read_without_any_start(stopped, fake_manager):
    fake_manager(view_status="DONE")
    experiment = Experiment(None, id=stopped)
    assert [trial.trialJobId for trial in experiment.list_trial_jobs()] == ["t1"]
    assert experiment.get_status() == "DONE"
    assert experiment.get_experiment_profile()["params"]["experimentName"] == "first"
    assert experiment.port is None


def test_one_whose_manager_has_gone_has_stopped(stopped, fake_manager):
    fake_manager(view_status="RUNNING")
    experiment = Experiment(None, id=stopped)
    assert experiment.get_status() == "STOPPED"
    assert experiment._get().end_reason.message == "its manager has gone; resume it"


def test_what_another_manager_wrote_is_read_anew(stopped, folder, fake_manager):
    fake_manager(view_status="STOPPED")
    experiment = Experiment(None, id=stopped)
    experiment._experiments_directory = folder.parent
    assert experiment.get_status() == "STOPPED"
    write_summary(ExperimentSummary(stopped, "", "DONE", "local", 1.0, written_at=5.0), folder)
    fake_manager(view_status="DONE")
    assert experiment.get_status() == "DONE"


def test_checkpoints(stopped, make_experiment, caplog, fake_manager):
    experiment = Experiment(None, id=stopped)
    assert experiment.has_checkpoint()
    experiment.load_checkpoint()
    assert experiment.config.experiment_name == "first"
    experiment.save_checkpoint()
    other = make_experiment(id=stopped)
    other.config.experiment_name = "second"
    other.load_checkpoint()
    assert other.config.experiment_name == "second"
    assert "experiment_name: 'first' -> 'second'" in caplog.text
    with pytest.raises(ValueError, match=r"^Config of nosuchid .*no record of it\. Looked in: /"):
        Experiment(None, id="nosuchid").load_checkpoint()


def test_run_or_resume(make_experiment, fake_manager, home):
    fake_manager(end_as="DONE")
    experiment = make_experiment(id="again")
    assert experiment.run_or_resume(0) is True
    assert not (home / "experiments" / "again" / "resumed").exists()
    assert make_experiment(id="again").run_or_resume(port=0, wait_completion=True) is True
    assert (home / "experiments" / "again" / "resumed").exists()


def test_metadata(stopped, folder, fake_manager):
    fake_manager(view_status="RUNNING")
    assert Experiment(None).get_experiment_metadata("nosuchid") == {}
    first = Experiment.get_experiment_metadata(stopped)
    assert first == {
        "id": stopped,
        "port": None,
        "startTime": "N/A",
        "endTime": "N/A",
        "status": "STOPPED",
        "platform": "local",
        "experimentName": "first",
        "tag": [],
        "pid": None,
        "webuiUrl": [],
        "logDir": str(folder.parent),
        "prefixUrl": None,
        "interrupted": False,
    }
    summary = ExperimentSummary(
        stopped, "named", "RUNNING", "local", 1.0, started_at=2.0, ended_at=3.5, written_at=5.0
    )
    write_summary(summary, folder)
    (second,) = Experiment(None).get_all_experiments_metadata()
    assert second == {
        **first,
        "experimentName": "named",
        "startTime": 2000,
        "endTime": 3500,
        "interrupted": True,
    }


def test_a_record_that_cannot_be_read_is_listed(stopped, fake_manager, caplog):
    fake_manager(error="damaged")
    assert Experiment.get_experiment_metadata(stopped)["status"] == "UNKNOWN"
    assert "damaged" in caplog.text


def test_a_call_of_a_resume_has_time(stopped, fake_manager, ended, monkeypatch):
    fake_manager(slow_resume=2)
    experiment = Experiment(None, id=stopped)
    experiment.call_timeout = 0.5
    how = r"ResumeExperiment within 0\.5 s.*NNI_CALL_TIMEOUT.*`call_timeout`"
    with pytest.raises(RuntimeError, match=how):
        experiment.resume(0)
    monkeypatch.setattr("nni_client.connection.DEFAULT_CALL_TIMEOUT", 1.0)
    assert ended(Experiment.resume(stopped, 0, wait_completion=False)).get_status() == "RUNNING"


def test_a_long_resume_tells_that_it_is_under_way(stopped, fake_manager, ended, monkeypatch, capsys):
    fake_manager(slow_resume=1, recorded_trials=12345)
    monkeypatch.setattr("nni_client.slow_call._FIRST_SECONDS", 60.0)
    ended(Experiment.resume(stopped, 0, wait_completion=False)).stop()
    assert "so far" not in capsys.readouterr().out
    for name in ("_FIRST_SECONDS", "_NEXT_SECONDS"):
        monkeypatch.setattr(f"nni_client.slow_call.{name}", 0.01)
    ended(Experiment.resume(stopped, 0, wait_completion=False))
    lines = [line for line in capsys.readouterr().out.splitlines() if "so far" in line]
    line = r"the tuner is made anew out of 12,345 trials, \d+ s so far \(limit 600 s\)"
    assert re.fullmatch(rf"Resuming experiment {stopped}: {line}", lines[0])
    assert len(lines) > 1


@pytest.mark.parametrize(("wrong", "error"), [({"port": "x"}, TypeError), ({"port": -1}, ValueError)])
def test_a_wrong_argument_is_named_and_nothing_is_started(stopped, wrong, error):
    for call in (Experiment.resume, Experiment.view):
        with pytest.raises(error, match=r"^port: "):
            call(stopped, **wrong)


def test_the_log_of_a_resume_is_in_the_folder(stopped, folder, ended):
    ended(Experiment.resume(stopped, 0, wait_completion=False))
    logging.getLogger("nni.client").error("something")
    assert "something" in (folder / "log" / "experiment.log").read_text()


@pytest.mark.parametrize("load", [lambda it: it.load_checkpoint(), lambda it: it.view(0, non_blocking=True)])
def test_a_change_of_a_recorded_configuration_counts_wherever_it_is_made(stopped, folder, ended, load):
    experiment = ended(Experiment(None, id=stopped))
    load(experiment)
    experiment.stop()
    recorded = experiment.config.canonical_copy()
    experiment.config.trial_command = "python3 another.py"
    experiment.config.training_service.trial_code_directory = folder
    experiment.resume(0, wait_completion=False)
    service = config_from_message(sent(folder).config).training_service
    assert service.trial_command == "python3 another.py"
    assert service.trial_code_directory == str(folder)
    assert recorded.training_service.trial_command == recorded.trial_command != "python3 another.py"


def test_reading_waits_for_a_manager_that_somebody_else_has_stopped(make_experiment, fake_manager):
    fake_manager(linger_seconds=0.5)
    experiment = make_experiment()
    experiment.start(0)
    Experiment.connect(
        f"127.0.0.1:{experiment.port}", token="secret-token", experiment_id=experiment.id
    ).stop()
    assert not experiment._manager.is_gone
    assert experiment.get_status() == "STOPPED"
    assert experiment.port is None
