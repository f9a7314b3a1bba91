"""Field reports on how a manager starts, or says why it cannot."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import stat
import sys
from pathlib import Path

import pytest

CONFIG = """\
searchSpace: {x: {_type: uniform, _value: [0, 1]}}
trialCommand: python3 trial.py
trialConcurrency: 1
maxTrialNumber: 1
tuner: {name: Random}
trainingService: {platform: local}
"""

READY = """
import json, os, sys
descriptor = int(sys.argv[sys.argv.index("--ready-fd") + 1])
answer = {"port": 9, "pid": os.getpid(), "token": "t", "version": "1"}
os.write(descriptor, json.dumps(answer).encode() + b"\\n")
"""


def _nnictl(stage, *words):
    """Returns what nnictl, which is to fail, said: lines of a manager's log among it."""
    body = f"from nni_client.commands import main\nsys.argv = ['nnictl', *{words!r}]\nmain()"
    with stage.start(body) as process:
        output, _ = process.communicate(timeout=100)
    assert process.returncode == 1, output
    return output


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("raise ImportError('no such library')", ("ImportError: no such library", "exit code 1")),
        pytest.param(
            "import sys; print('is it on?', file=sys.stderr); sys.exit(3)", ("is it on?", "exit code 3")
        ),
        pytest.param("import os; os.kill(os.getpid(), 11)", ("signal 11 (SIGSEGV)",)),
        pytest.param(READY + "raise SystemExit('changed my mind')", ("changed my mind", "exit code 1")),
    ],
    ids=["import", "exit", "signal", "listens-and-exits"],
)
def test_a_manager_that_cannot_start(stage, body, expected):
    """Row 1: the exit code, the last lines and the log's path, from Python and from nnictl."""
    package = stage.home / "broken" / "nni_manager"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(body)
    stage.environment["PYTHONPATH"] = f"{package.parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    config = stage.write("config.yml", CONFIG)
    output = stage.run("try:\n    make().run(0)\nexcept RuntimeError as error:\n    print('REFUSED', error)")
    told = _nnictl(stage, "create", "-c", str(config), "-p", "0")
    for text in (output, told):
        assert all(part in text for part in expected), text
        assert "Traceback (most recent call last)" not in text.partition("The last lines of")[0]
        path = re.search(r"\S+/log/\S+\.log", text)
        assert path is not None and Path(path[0]).parent.is_dir(), text
    assert output.startswith("REFUSED") and told.startswith("ERROR: ")
    assert stage.is_quiet(), stage.processes()


def test_a_manager_that_takes_its_time(stage):
    """Row 1: it is waited for as long as it lives."""
    package = stage.home / "slow" / "nni_manager"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        f"import os, sys, time\ntime.sleep(4)\nsys.path.remove({str(package.parent)!r})\n"
        "os.environ['PYTHONPATH'] = os.environ['PYTHONPATH'].partition(os.pathsep)[2]\n"
        "for name in [name for name in sys.modules if name.startswith('nni_manager')]:\n"
        "    del sys.modules[name]\n"
        "import runpy\nrunpy.run_module('nni_manager', run_name='__main__', alter_sys=True)\n"
    )
    output = stage.run(
        f"""
        os.environ["PYTHONPATH"] = {str(package.parent)!r} + os.pathsep + os.environ.get("PYTHONPATH", "")
        experiment = make(trials=1)
        begin = time.monotonic()
        experiment.start(0)
        assert time.monotonic() - begin >= 4
        print("STATUS", experiment.get_status())
        """
    )
    assert re.search("STATUS (RUNNING|NO_MORE_TRIAL|DONE)", output)
    assert stage.is_quiet(), stage.processes()


def test_a_slow_home_folder(stage):
    """Row 3: where every open and fsync takes long, a start takes long and nothing else happens."""
    folder = stage.home / "slow"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        f"""
import os, sys, time

waits = os.open({str(folder / "waits")!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def wait():
    os.write(waits, b".")
    time.sleep(0.5)

def slow(event, arguments):
    if event in ("open", "sqlite3.connect", "os.mkdir") and {str(stage.experiments)!r} in str(arguments[0]):
        wait()

if "nni_manager" in sys.orig_argv:
    fsync = os.fsync
    os.fsync = lambda descriptor: (wait(), fsync(descriptor))[1]
    sys.addaudithook(slow)
"""
    )
    stage.environment["PYTHONPATH"] = f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    stage.run(
        """
        experiment = make(trials=2)
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.1)
        assert [job.status for job in experiment.list_trial_jobs()] == ["SUCCEEDED"] * 2
        """
    )
    assert (folder / "waits").stat().st_size >= 10
    assert stage.is_quiet(), stage.processes()


def test_proxies_of_the_environment(stage):
    """Row 9: what is on this machine is never asked for through a proxy."""
    for name in ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy"):
        stage.environment[name] = stage.environment[name.upper()] = "http://10.255.255.1:3128"
    stage.environment.pop("no_proxy", None)
    output = stage.run(
        "experiment = make(trials=2)\nprint('RESULT', experiment.run(0), len(experiment.export_data()))"
    )
    assert "RESULT True 2" in output
    assert stage.is_quiet(), stage.processes()


def test_relative_and_missing_folders(stage):
    """Row 12: a path in a file is relative to that file, one in Python to the working directory."""
    config = stage.write("config.yml", CONFIG + "experimentWorkingDirectory: ./deep/logs\n")
    output = stage.nnictl("create", "-c", str(config), "-p", "0", "-f").stdout
    (folder,) = [each for each in (stage.folder / "deep" / "logs").iterdir() if not each.is_symlink()]
    assert f"Experiment ID: {folder.name}" in output
    assert f"--experiments-dir {folder.parent}" in output
    output = stage.run(
        """
        experiment = make(trials=1)
        experiment.config.experiment_working_directory = "deep/er"
        experiment.run(0)
        assert [job.status for job in experiment.list_trial_jobs()] == ["SUCCEEDED"]
        print("ID", experiment.id)
        """
    )
    match = re.search("^ID (.+)$", output, re.MULTILINE)
    assert (stage.home / "deep" / "er" / match[1] / "log" / "nnimanager.log").exists()
    assert not stage.experiments.exists()
    assert stage.is_quiet(), stage.processes()


def test_another_python_first_on_the_path(stage):
    """Row 13: manager, courier and algorithms run by the script's own interpreter."""
    folder = stage.home / "bin"
    folder.mkdir()
    for name in ("python", "python3"):
        (folder / name).write_text("#!/bin/sh\necho NO MODULE NAMED NNI >&2\nexit 97\n")
        (folder / name).chmod(0o755)
    own = str(Path(sys.executable).parent)
    stage.environment["PATH"] = os.pathsep.join([str(folder), own, "/usr/bin", "/bin"])
    output = stage.run(
        f"""
        experiment = make({sys.executable!r} + " trial.py", trials=2)
        print("RESULT", experiment.run(0))
        """
    )
    assert "RESULT True" in output
    assert stage.is_quiet(), stage.processes()


def test_large_and_secret_settings(stage):
    """Row 15: a search space of megabytes and a password reach the tuner, and no command line shows them."""
    stage.write(
        "own.py",
        """
        from nni.tuner import Tuner

        class Own(Tuner):
            def __init__(self, password):
                assert password == "open sesame"

            def update_search_space(self, search_space):
                self.options = search_space["x"]["_value"]

            def generate_parameters(self, parameter_id, **kwargs):
                return {"x": self.options[-1], "count": len(self.options)}

            def receive_trial_result(self, *args, **kwargs):
                pass
        """,
    )
    stage.write(
        "trial.py",
        "import time, nni\nnni.report_final_result(nni.get_next_parameter()['count'])\ntime.sleep(1000)\n",
    )
    process = stage.start(
        """
        for own in (True, False):
            experiment = make(trials=1, concurrency=1)
            config = experiment.config
            options = [f"option {number:06} {'x' * 45}" for number in range(50_000)]
            config.search_space = {"x": {"_type": "choice", "_value": options}}
            if own:
                config.tuner.name = None
                config.tuner.class_name, config.tuner.code_directory = "own.Own", str(Path(__file__).parent)
                config.tuner.class_args = {"password": "open sesame"}
            else:
                Path(__file__).with_name("trial.py").write_text(
                    "import nni\\nassert nni.get_next_parameter()['x'][:7] == 'option '\\n"
                )
            experiment.start(0)
            if own:
                while not experiment.export_data():
                    time.sleep(0.05)
                assert experiment.export_data()[0].value == 50_000
                assert experiment.export_data()[0].parameter["x"] == options[-1]
                print("RUNNING", flush=True)
                while not Path("go").exists():
                    time.sleep(0.05)
            else:
                while experiment.get_status() not in ("DONE", "ERROR"):
                    time.sleep(0.05)
                assert experiment.get_job_statistics() == [
                    {"trialJobStatus": "SUCCEEDED", "trialJobNumber": 1}
                ]
            experiment.stop()
        """
    )
    for line in process.stdout:
        if "RUNNING" in line:
            break
    lines = stage.processes().values()
    assert len(lines) >= 5, lines
    for line in lines:
        assert "sesame" not in line and "option" not in line and len(line) < 2000
    for path in stage.experiments.rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    (stage.home / "go").touch()
    output, _ = process.communicate(timeout=100)
    assert process.returncode == 0, output
    assert stage.is_quiet(), stage.processes()


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with-byte-order-mark"])
def test_a_configuration_in_chinese(stage, mark):
    """Row 190: files are UTF-8, whatever the locale is."""
    text = CONFIG.replace("{x:", "{学习率:") + "experimentName: 数字  # 注释: 第一次\n"
    config = stage.folder / "config.yml"
    config.write_bytes(mark + text.encode())
    stage.environment |= {"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    stage.write(
        "trial.py", "import nni\nnni.report_final_result(nni.get_next_parameter()['\\u5b66\\u4e60\\u7387'])\n"
    )
    output = stage.nnictl("create", "-c", str(config), "-p", "0", "-f").stdout
    assert "1/1 done, 0 running, 0 failed, best 0." in output, output
    assert stage.is_quiet(), stage.processes()


def test_beyond_this_machine(stage):
    """Row 208: without TLS nobody listens on all addresses by accident."""
    output = stage.run(
        """
        for host in ("0.0.0.0", "::"):
            try:
                make().start(0, bind=host)
            except RuntimeError as error:
                print("REFUSED", error)
        """
    )
    refusals = [line for line in output.splitlines() if line.startswith("REFUSED")]
    assert len(refusals) == 2 and all("TLS" in line for line in refusals), output
    assert stage.is_quiet(), stage.processes()


def test_what_foreign_pages_send(stage):
    """Row 210: the names and origins of others are refused for every verb, and nobody is told he may."""
    stage.write("trial.py", "import time\ntime.sleep(1000)\n")
    process = stage.start(
        """
        experiment = make()
        experiment.start(0)
        print("PORT", experiment.port)
        while not Path("go").exists():
            time.sleep(0.05)
        """
    )
    port = 0
    for line in process.stdout:
        if line.startswith("PORT"):
            port = int(line.split()[1])
            break
    token = next(stage.experiments.glob("*/secret"))
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    path = "/nni_proto.v1.ExperimentService/StopExperiment"
    foreign = [{"Host": f"evil.example:{port}"}, {"Origin": "http://evil.example"}, {"Origin": "null"}]
    for verb in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"):
        for headers in foreign:
            for where in ("/", path):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                connection.request(verb, where, b"{}", {"Content-Type": "application/json", **headers})
                answer = connection.getresponse()
                assert answer.status == 403, (verb, headers, where, answer.status)
                assert not [name for name in answer.headers if name.lower().startswith("access-control")]
                connection.close()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", path, json.dumps({}), {"Content-Type": "application/json"})
    assert connection.getresponse().status == 401
    connection.close()
    (stage.home / "go").touch()
    with socket.create_connection(("127.0.0.1", port)):
        process.communicate(timeout=100)
    assert process.returncode == 0
    assert stage.is_quiet(), stage.processes()
