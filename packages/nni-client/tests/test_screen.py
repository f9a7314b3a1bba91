"""What is shown while an experiment runs."""

from __future__ import annotations

import io
import re

import pytest
from nni_client import screen
from nni_client.progress import Progress
from nni_proto.v1.experiment_config_pb2 import ExperimentConfig
from nni_proto.v1.experiment_pb2 import Experiment, TrialCount
from nni_proto.v1.experiment_service_pb2 import WatchExperimentResponse
from nni_proto.v1.trial_pb2 import Trial
from nni_proto.values import to_message

NAME = "experiments/abc"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def make(done=0, running=0, failed=0, best=None, status=Experiment.STATUS_RUNNING):
    counts = {
        Trial.STATUS_SUCCEEDED: done - failed,
        Trial.STATUS_RUNNING: running,
        Trial.STATUS_FAILED: failed,
    }
    experiment = Experiment(
        name=NAME,
        status=status,
        config=ExperimentConfig(max_trial_number=20),
        trial_count=done + running,
        trial_counts=[TrialCount(status=key, count=count) for key, count in counts.items()],
    )
    if best is not None:
        parameters = to_message({"lr": best})
        experiment.best_trial.CopyFrom(Trial(name=f"{NAME}/trials/b", objective=best, parameters=parameters))
    return experiment


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def lines(capsys):
    return [re.sub(r"^\[.*?\] ", "", line) for line in capsys.readouterr().out.splitlines()]


def test_plain_lines_come_when_something_changed(capsys, clock):
    plain, progress = screen.PlainScreen(), Progress(make())
    for experiment in (make(), make(0, 2), make(1, 1), make(1, 2), make(2, 2, 1, 0.5), make(3, 2, 1, 0.5)):
        progress.apply(WatchExperimentResponse(experiment=experiment))
        plain.show(progress)
        plain.show(progress)
        clock[0] += 100
    assert lines(capsys) == [
        "0/20 done, 0 running, 0 failed",
        "0/20 done, 2 running, 0 failed",
        "1/20 done, 1 running, 0 failed",
        "2/20 done, 2 running, 1 failed, best 0.5 (trial b: lr=0.5)",
        "3/20 done, 2 running, 1 failed, best 0.5",
    ]


def test_no_plain_line_comes_twice(capsys, clock):
    plain, progress = screen.PlainScreen(), Progress(make())
    for status in (Experiment.STATUS_RUNNING, Experiment.STATUS_NO_MORE_TRIAL, Experiment.STATUS_DONE):
        progress.apply(WatchExperimentResponse(experiment=make(20, 0, status=status)))
        plain.show(progress)
        clock[0] += 100
    assert lines(capsys) == ["20/20 done, 0 running, 0 failed"]


def test_the_wait_for_the_last_trials_is_explained(capsys, clock):
    plain, progress = screen.PlainScreen(), Progress(make(3, 2))
    plain.show(progress)
    clock[0] += 100
    limited = make(3, 2, status=Experiment.STATUS_NO_MORE_TRIAL)
    limited.end_reason.message = "max_experiment_duration (3 s) is reached"
    progress.apply(WatchExperimentResponse(experiment=limited))
    plain.show(progress)
    assert lines(capsys) == [
        "3/20 done, 2 running, 0 failed",
        "3/20 done, 2 running, 0 failed, no new trials: max_experiment_duration (3 s) is reached",
    ]
    assert "no new trials: max_experiment_duration (3 s) is reached" in drawn(progress)


def drawn(progress):
    with pytest.MonkeyPatch.context() as context:
        terminal = Terminal()
        context.setattr("sys.stdout", terminal)
        context.setenv("TERM", "xterm")
        context.setenv("COLUMNS", "120")
        view = screen.open_screen("page")
        view.show(progress)
        view.close()
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue())


def test_plain_lines_are_few(capsys, clock):
    plain, progress = screen.PlainScreen(), Progress(make())
    for done in range(3600):  # an hour of a trial a second
        progress.apply(WatchExperimentResponse(experiment=make(done, 2)))
        progress.experiment.running_time.FromSeconds(done)
        plain.show(progress)
        clock[0] += 1
    progress.apply(WatchExperimentResponse(experiment=make(3600, 0, status=Experiment.STATUS_DONE)))
    plain.show(progress)
    shown = lines(capsys)
    assert len(shown) < 400
    assert shown[-1].startswith("3600/3600 done, 0 running")


def test_a_terminal_gets_one_view_in_its_place(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    view = screen.open_screen("http://127.0.0.1:8080/")
    progress = Progress(make(7, 2, 1, 0.5))
    view.show(progress)
    view.say("[note] a text\nof two lines")
    view.close()
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue())
    for part in ("RUNNING", "7/20 done", "2 running", "1 failed", "best 0.5 (trial b: lr=0.5)"):
        assert part in shown
    assert "http://127.0.0.1:8080/" in shown
    assert "[note] a text\nof two lines" in shown.replace("\r", "")


def test_no_color_is_honoured(monkeypatch):
    def shown(name, value):
        terminal = Terminal()
        with monkeypatch.context() as context:
            context.setattr("sys.stdout", terminal)
            context.setenv("TERM", "xterm-256color")
            context.delenv("NO_COLOR", raising=False)
            context.setenv(name, value)
            view = screen.open_screen("page")
            view.show(Progress(make(7, 2, 1, 0.5)))
            view.close()
        return re.findall(r"\x1b\[(?:3|4|9)\d[0-9;]*m", terminal.getvalue())

    assert shown("UNRELATED", "1")
    assert shown("NO_COLOR", "1") == []


@pytest.mark.parametrize("term", ["dumb", None])
def test_where_there_is_no_live_view(monkeypatch, term):
    monkeypatch.setattr("sys.stdout", Terminal() if term else io.StringIO())
    monkeypatch.setenv("TERM", term or "xterm")
    assert isinstance(screen.open_screen("page"), screen.PlainScreen)


def test_an_output_that_cannot_show_a_letter_shows_its_number(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii"))
    screen.say("ü ok")
    assert raw.getvalue() == b"\\xfc ok\n"


def test_a_closed_output_is_no_error(monkeypatch):
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr("sys.stdout", closed)
    screen.say("x")
    monkeypatch.setattr("sys.stdout", None)
    screen.say("x")
