"""The Experiment class, with a manager that behaves and misbehaves as told."""

from __future__ import annotations

import atexit
import logging
import os
import re
import shutil
import signal
import stat
import threading
import time
from pathlib import Path

import pytest
from nni_client import Experiment, RunMode
from nni_client.commands.foreground import run_in_foreground
from nni_client.errors import CallError, InvalidConfigError
from nni_client.launch import StartError
from nni_config import AlgorithmConfig, ExperimentConfig, LocalConfig
from nni_proto.v1.trial_pb2 import Trial


@pytest.fixture
def experiment(fake_manager, home):
    made = make_experiment(home)
    yield made
    made.stop()


@pytest.fixture
def ctrl_c():
    """Presses Ctrl-C after some seconds."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timers = []

    def press(*after):
        for seconds in after:
            timers.append(threading.Timer(seconds, os.kill, [os.getpid(), signal.SIGINT]))
            timers[-1].start()

    yield press
    for timer in timers:
        timer.cancel()
        timer.join()
    signal.signal(signal.SIGINT, before)


def make_experiment(home, **options):
    experiment = Experiment("local", **options)
    config = experiment.config
    config.experiment_working_directory = home / "experiments"
    config.trial_concurrency = 1
    config.trial_command = "true"
    config.trial_code_directory = home
    config.search_space = {"x": {"_type": "uniform", "_value": [0, 1]}}
    config.tuner.name = "Random"
    return experiment


def managers():
    """The processes of fake managers that run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
            parent = (path.parent / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if b"nni_manager" in words and int(parent) == os.getpid():
            found.append(int(path.parent.name))
    return found


def test_start_and_stop(experiment, capsys):
    experiment.start(port=0)
    assert capsys.readouterr().out.splitlines() == [
        f"Experiment ID: {experiment.id}",
        "Web portal URLs: http://127.0.0.1:8080/sign-in?code=abc",
    ]
    assert experiment.port > 0
    assert experiment.get_status() == "RUNNING"
    assert len(managers()) == 1
    experiment.stop()
    assert experiment.port is None
    assert managers() == []
    assert experiment.get_status() == "STOPPED"
    experiment.stop()


def test_results_can_be_read_after_the_stop(experiment):
    experiment.start(port=0)
    experiment.stop()
    assert [trial.trialJobId for trial in experiment.list_trial_jobs()] == ["t1"]
    assert experiment.export_data is not None
    assert managers() == []


def test_it_runs_once(experiment):
    experiment.start(port=0)
    with pytest.raises(RuntimeError, match="is running already, on port"):
        experiment.start(port=0)
    experiment.stop()
    with pytest.raises(RuntimeError, match="has ended; make a new Experiment"):
        experiment.start(port=0)


def test_nothing_is_started_with_a_wrong_configuration(experiment, home):
    experiment.config.trial_concurrency = None
    experiment.config.tuner.name = ""
    with pytest.raises(ValueError, match="trial_concurrency") as caught:
        experiment.start(port=0)
    assert "tuner" in str(caught.value)
    assert not (home / "experiments").exists()


def test_nothing_is_started_where_this_version_does_not_run_trials(experiment, home):
    names = ("image", "ecsSpec", "region", "workspaceId", "nasDataSourceId", "accessKeyId", "accessKeySecret")
    place = {**dict.fromkeys(names, "a"), "podCount": 1, "containerStorageMountPoint": "/data"}
    place["localStorageMountPoint"] = str(home)
    experiment.config.training_service = {"platform": "dlc", **place}
    with pytest.raises(ValueError, match=r"training_service\.platform: .* 'dlc'.*`platform: local`"):
        experiment.start(port=0)
    assert not (home / "experiments").exists()


def test_beside_microsofts_nni_nothing_is_started(experiment, monkeypatch, home):
    monkeypatch.setattr("nni._foreign.microsoft_nni_problem", lambda: "pip uninstall nni")
    with pytest.raises(RuntimeError, match="pip uninstall nni"):
        experiment.run(0)
    assert not (home / "experiments").exists()


@pytest.mark.parametrize("experiment_id", ["", "a b", "x" * 33, "../x", "a/b", 5, b"abc", ["abc"]])
def test_ids_that_are_refused(experiment_id):
    with pytest.raises(ValueError, match="Invalid experiment ID"):
        Experiment("local", id=experiment_id)


def test_ids_that_are_made():
    ids = {Experiment(None).id for _ in range(50)}
    assert len(ids) == 50
    assert all(re.fullmatch(r"[a-z0-9]{8}", made) for made in ids)
    assert Experiment("local", id="My_id-1").id == "My_id-1"


def test_the_ways_to_make_one():
    config = ExperimentConfig("local")
    assert Experiment(config).config is config
    assert Experiment(["local"]).config is not None
    assert Experiment(None).config is None
    with pytest.raises(RuntimeError, match="no configuration"):
        Experiment(None).start()
    for unknown in ("moon", ["local", "moon"], "experiment.yml"):
        with pytest.raises(ValueError, match="is not a platform"):
            Experiment(unknown)


@pytest.mark.parametrize(
    "wrong",
    [
        5,
        0,
        1.5,
        True,
        b"local",
        Path("experiment.yml"),
        {"trial_command": "true"},
        [],
        ["local", 5],
        [None],
        {"local"},
        LocalConfig(),
        AlgorithmConfig(name="TPE"),
        ExperimentConfig,
        print,
    ],
    ids=repr,
)
def test_what_is_neither_a_configuration_nor_a_platform(wrong):
    with pytest.raises(
        TypeError, match=r"^(a value of type \w+|class \w+) is not a configuration; allowed is"
    ):
        Experiment(wrong)
    if not isinstance(wrong, list):
        experiment = Experiment("local")
        with pytest.raises(TypeError, match="is not an ExperimentConfig"):
            experiment.config = wrong
        assert experiment.config == ExperimentConfig("local")


def test_a_configuration_given_later():
    experiment = Experiment(None)
    experiment.config = config = ExperimentConfig("local")
    assert experiment.config is config
    experiment.config = None
    assert experiment.config is None


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"port": "8080"}, TypeError),
        ({"port": None}, TypeError),
        ({"port": True}, TypeError),
        ({"port": 80.0}, TypeError),
        ({"port": -1}, ValueError),
        ({"port": 65536}, ValueError),
        ({"bind": 5}, TypeError),
        ({"allowed_hosts": "proxy.example"}, TypeError),
        ({"allowed_hosts": [5]}, TypeError),
        ({"allowed_hosts": 5}, TypeError),
        ({"start_timeout": "1"}, TypeError),
        ({"start_timeout": 0}, ValueError),
        ({"start_timeout": -1.0}, ValueError),
        ({"start_timeout": float("nan")}, ValueError),
        ({"run_mode": "detach"}, TypeError),
        ({"run_mode": None}, TypeError),
    ],
    ids=repr,
)
def test_a_wrong_argument_of_a_start_is_named_and_nothing_is_started(experiment, home, wrong, error):
    (name,) = wrong
    for start in (experiment.start, experiment.run) if name != "run_mode" else (experiment.start,):
        with pytest.raises(error, match=f"^{name}: "):
            start(**{"port": 0, **wrong})
    experiment.url_prefix = 5
    with pytest.raises(TypeError, match=r"^url_prefix: 5"):
        experiment.start(0)
    assert not (home / "experiments").exists()


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("get_status", []),
        ("list_trial_jobs", []),
        ("get_trial_job", ["x"]),
        ("get_job_statistics", []),
        ("get_job_metrics", []),
        ("export_data", []),
        ("best_trial", []),
        ("get_experiment_profile", []),
        ("update_trial_concurrency", [2]),
        ("update_max_trial_number", [2]),
        ("update_max_experiment_duration", ["1h"]),
        ("update_search_space", [{}]),
        ("kill_trial_job", ["x"]),
    ],
)
def test_one_that_was_not_started_answers_nothing(method, arguments):
    with pytest.raises(RuntimeError, match=r"^Experiment is not running$"):
        getattr(Experiment("local"), method)(*arguments)


def test_a_stopped_one_cannot_be_changed(experiment):
    experiment.start(port=0)
    experiment.stop()
    with pytest.raises(RuntimeError, match=r"^Experiment is not running$"):
        experiment.update_trial_concurrency(2)


@pytest.mark.parametrize("value", [0, -1, 1.5, "2", True, None, 2**31])
def test_a_concurrency_that_is_refused(experiment, value):
    experiment.start(port=0)
    with pytest.raises(ValueError, match="a whole number from 1"):
        experiment.update_trial_concurrency(value)


def test_a_manager_that_dies_before_the_experiment_starts(experiment, fake_manager):
    fake_manager(exit_at_create=5)
    with pytest.raises(StartError, match=r"ended before the experiment had started: exit code 5"):
        experiment.start(port=0)
    assert managers() == []
    with pytest.raises(RuntimeError, match="not running"):
        experiment.get_status()


@pytest.mark.parametrize(
    ("ending", "counts", "result"),
    [
        ("DONE", {"SUCCEEDED": 3, "FAILED": 1}, True),
        ("DONE", {"FAILED": 4}, False),
        ("DONE", {}, True),
        ("STOPPED", {"USER_CANCELED": 1, "FAILED": 1}, True),
        ("ERROR", {"SUCCEEDED": 3}, False),
    ],
)
def test_what_run_returns(experiment, fake_manager, capsys, ending, counts, result):
    numbers = [{"status": Trial.Status.Value(f"STATUS_{name}"), "count": n} for name, n in counts.items()]
    fake_manager(end_as=ending, counts=numbers)
    assert experiment.run(0) is result
    assert managers() == []
    assert experiment.get_status() == ending
    shown = capsys.readouterr().out
    assert f"ended       {ending}" in shown
    for name, count in counts.items():
        assert f"{count} {name.lower().replace('_', ' ')}" in shown
    assert f"nnictl view {experiment.id}" in shown


def test_run_without_waiting(experiment):
    assert experiment.run(0, wait_completion=False) is None
    assert experiment.get_status() == "RUNNING"
    experiment.stop()


@pytest.mark.parametrize("behaviour", [{"slow_start": 60}, {"slow_create": 60}])
def test_an_interrupt_while_it_starts(experiment, fake_manager, ctrl_c, capsys, home, behaviour):
    fake_manager(**behaviour)
    ctrl_c(1.0)
    assert experiment.run(0) is None
    assert managers() == []
    assert "not started" in capsys.readouterr().out
    assert list((home / "experiments").iterdir()) == []


@pytest.mark.parametrize("what", [".", "db"])
def test_an_interrupted_start_leaves_what_was_there_and_a_record(
    experiment, fake_manager, ctrl_c, home, what
):
    folder = home / "experiments" / experiment.id
    if what == ".":
        folder.mkdir(parents=True)
    else:
        timer = threading.Timer(0.7, (folder / what).mkdir)
        timer.start()
    fake_manager(slow_start=60)
    ctrl_c(1.5)
    assert experiment.run(0) is None
    assert (folder / what).is_dir()


def test_a_refused_start_leaves_no_folder_and_a_failed_one_its_logs(
    experiment, fake_manager, home, monkeypatch
):
    folder = home / "experiments" / experiment.id
    fake_manager(error="no port")
    with pytest.raises(RuntimeError, match=str(folder / "log")):
        experiment.start(0)
    assert (folder / "log" / "nnictl_stderr.log").is_file()
    shutil.rmtree(folder)
    fake_manager()

    def refuse(*_):
        assert folder.is_dir()
        raise InvalidConfigError("tuner: it is refused")

    monkeypatch.setattr("nni_client.starting.Connection", refuse)
    with pytest.raises(InvalidConfigError):
        experiment.start(0)
    assert managers() == []
    assert not folder.exists()


def test_an_interrupt_while_it_runs(experiment, ctrl_c, capsys):
    ctrl_c(1.5)
    assert experiment.run(0) is None
    assert managers() == []
    assert experiment.get_status() == "STOPPED"
    shown = capsys.readouterr()
    assert "Stopping: the trials are told to end" in shown.out
    assert "ended       STOPPED" in shown.out
    assert "Traceback" not in shown.out + shown.err


def test_a_second_interrupt_stops_the_waiting(experiment, fake_manager, ctrl_c, capsys):
    fake_manager(stop_seconds=60)
    ctrl_c(1.5, 2.5)
    begin = time.monotonic()
    assert experiment.run(0) is None
    assert time.monotonic() - begin < 30
    shown = capsys.readouterr().out
    assert re.search(r"Not waiting\. The manager \(process \d+\) goes on", shown)
    (left,) = managers()
    os.kill(left, signal.SIGKILL)
    os.waitpid(left, 0)


def test_an_interrupt_of_start_is_raised(experiment, fake_manager, ctrl_c):
    fake_manager(slow_start=60)
    ctrl_c(1.0)
    with pytest.raises(KeyboardInterrupt):
        experiment.start(0)
    assert managers() == []
    assert not (experiment.config.experiment_working_directory / experiment.id).exists()


@pytest.mark.parametrize(
    "shown",
    [{"view_status": "RUNNING"}, {"view_status": "STOPPED", "view_interrupted": True}],
    ids=["as recorded", "as interrupted"],
)
def test_a_manager_that_vanishes(experiment, fake_manager, caplog, capsys, shown):
    fake_manager(exit_in_watch=7, **shown)
    assert experiment.run(0) is False
    assert "The manager ended unexpectedly: exit code 7" in caplog.text
    assert "nnictl_stderr.log" in caplog.text
    assert "ended " not in capsys.readouterr().out


def test_an_experiment_that_someone_else_stopped(experiment, fake_manager, capsys):
    fake_manager(exit_in_watch=0, view_status="STOPPED")
    assert experiment.run(0) is True
    assert "ended       STOPPED" in capsys.readouterr().out


def test_one_that_is_detached_outlives_the_script(experiment, monkeypatch):
    registered = []
    monkeypatch.setattr(atexit, "register", registered.append)
    experiment.start(0, run_mode=RunMode.Detach)
    assert registered == []
    experiment.stop()
    other = make_experiment(Path(os.environ["HOME"]))
    other.start(0)
    assert len(registered) == 1
    registered[0]()
    assert managers() == []
    assert other.get_status() == "STOPPED"


def test_a_forked_process_that_exits_stops_nothing(experiment):
    experiment.start(0)
    pid = os.fork()
    if pid == 0:
        experiment.stop = lambda: os._exit(9)
        experiment._stop_at_exit()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert experiment.get_status() == "RUNNING"


def test_debug_logs_more(experiment):
    experiment.start(0, debug=True)
    (manager,) = managers()
    words = Path(f"/proc/{manager}/cmdline").read_text().split("\0")
    assert words[words.index("--log-level") + 1] == "debug"
    assert experiment.config.debug is False


def test_the_clients_log(experiment, home):
    experiment.start(0)
    logging.getLogger("nni.client").error("something")
    log = home / "experiments" / experiment.id / "log" / "experiment.log"
    assert f"Experiment ID: {experiment.id}" in log.read_text()
    assert "ERROR (nni.client) something" in log.read_text()
    assert "code=" not in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    experiment.stop()
    logging.getLogger("nni.client").error("later")
    assert "later" not in log.read_text()


def test_over_ssh_the_way_to_the_page_is_told(experiment, capsys, monkeypatch):
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.9 50000 10.0.0.5 2222")
    monkeypatch.setenv("LOGNAME", "ann")
    experiment.start(0)
    port = experiment.port
    assert f"ssh -p 2222 -L {port}:127.0.0.1:{port} ann@10.0.0.5" in capsys.readouterr().out


def test_a_signal_that_stops_one_in_the_foreground_is_named(experiment, home, capsys, ctrl_c):
    def terminate():
        while not list(home.glob("experiments/*/watched")):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    killer = threading.Thread(target=terminate, daemon=True)
    killer.start()
    assert run_in_foreground(lambda: experiment.run(0)) == 128 + signal.SIGTERM
    killer.join()
    shown = capsys.readouterr().out
    assert (
        "Stopping because of SIGTERM: the trials are told to end. Another SIGTERM, or Ctrl-C, stops" in shown
    )


def test_connect_wants_an_experiment(home):
    with pytest.raises(RuntimeError, match=r"No experiment of this user is running on port 1$"):
        Experiment.connect(1)
    with pytest.raises(RuntimeError, match="give its token"):
        Experiment.connect("box.example:8080")
    with pytest.raises(ValueError, match="is not an address"):
        Experiment.connect("box.example:")


def test_connect_with_a_token(experiment, fake_manager):
    experiment.start(0)
    address = f"127.0.0.1:{experiment.port}"
    for experiment_id in (None, experiment.id):
        with pytest.raises(RuntimeError, match=rf"^The manager at {address} does not accept this token"):
            Experiment.connect(address, token="another", experiment_id=experiment_id)
    other = Experiment.connect(address, token="secret-token", experiment_id=experiment.id)
    assert other.get_status() == "RUNNING"
    assert Experiment.connect(address, token="secret-token").id == experiment.id
    assert other.config.trial_command == "true"
    assert other.config.tuner.name == "Random"
    other.stop()
    assert other.get_status() == "STOPPED"
    assert experiment._manager.process.wait(20)
    assert [trial.trialJobId for trial in other.list_trial_jobs()] == ["t1"]
    fake_manager(view_status="STOPPED")
    assert experiment.get_status() == "STOPPED"
    assert experiment.port is None


def test_an_error_of_the_stop_at_exit_is_told(experiment, caplog, monkeypatch):
    experiment.start(0)
    with monkeypatch.context() as context:
        context.setattr(experiment, "stop", lambda: (_ for _ in ()).throw(CallError("disk full")))
        experiment._stop_at_exit()
    assert "could not be stopped: disk full" in caplog.text
