"""nnictl in a shell: whole stories of experiments, pipes, terminals, signals, completion."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

# Many processes one after another, on a machine that may be busy.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

NNICTL = [sys.executable, "-c", "from nni_client.commands import main; main()"]

CONFIG = """\
# 配置 这是一个注释
experimentName: 超参数 🎛
searchSpace: {{x: {{_type: uniform, _value: [0, 1]}}}}
trialCommand: {command}
trialConcurrency: 2
maxTrialNumber: {trials}
trialStopGracePeriod: 1s
tuner: {{name: Random, classArgs: {{optimize_mode: maximize}}}}
trainingService: {{platform: local}}
"""


@pytest.fixture
def config(stage):
    """Writes a configuration and returns its path."""

    def write(command="python3 trial.py", trials=4, more=""):
        return str(stage.write("config.yml", CONFIG.format(command=command, trials=trials) + more))

    return write


def create(stage, id_in, path, *words):
    return id_in(stage.nnictl("create", "-c", path, "--port", "0", *words).stdout)


def shell(stage, script, **environment):
    """Runs a script of bash in which nnictl is a command."""
    folder = stage.home / "bin"
    folder.mkdir(exist_ok=True)
    program = folder / "nnictl"
    program.write_text(f"#!{sys.executable}\nfrom nni_client.commands import main\nmain()\n")
    program.chmod(0o755)
    buffered = {"PYTHONUNBUFFERED": ""}
    variables = {**stage.environment, **buffered, "PATH": f"{folder}:{os.environ['PATH']}", **environment}
    return subprocess.run(
        ["/bin/bash", "-c", textwrap.dedent(script)],
        env=variables,
        cwd=stage.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=100,
    )


def test_a_script_waits_by_exit_codes(stage, id_in, config):
    """Rows 31 and 51: a script knows the end and how it was."""
    good = create(stage, id_in, config())
    done = shell(stage, f"nnictl wait {good[:4]} && nnictl experiment best {good} --json > best.json")
    assert done.returncode == 0, done
    assert done.stdout.decode().startswith(f"{good}: DONE")
    assert 0 <= json.loads((stage.home / "best.json").read_text())["x"] <= 1
    stage.nnictl("stop", good)
    assert "DONE" in stage.nnictl("wait", good).stdout  # it has ended, and still says how
    bad = create(stage, id_in, config("exit 3", trials=5))
    done = shell(stage, f"nnictl wait {bad} || echo no success, $?")
    assert "no success, 1" in done.stdout.decode() and "exit code 3" in done.stdout.decode(), done
    failed = json.loads(stage.nnictl("trial", "ls", bad).stdout)
    assert {trial["exitCode"] for trial in failed} == {3}
    stage.nnictl("stop", "--all")
    assert stage.is_quiet(), stage.processes()


def status(stage):
    return json.loads(stage.nnictl("status", "--json").stdout)


def parameters(stage, experiment_id):
    """Returns the parameters of each trial that succeeded."""
    listed = json.loads(stage.nnictl("trial", "ls", experiment_id).stdout)
    return {
        each["trialJobId"]: json.loads(each["hyperParameters"][0])["parameters"]
        for each in listed
        if each["status"] == "SUCCEEDED"
    }


def test_changes_while_it_runs(stage, id_in, config):
    experiment_id = create(stage, id_in, config("sleep 0.2 && python3 trial.py", trials=400))
    stage.nnictl("pause")
    assert json.loads(stage.nnictl("experiment", "status").stdout)["paused"]
    assert stage.until(lambda: not {"RUNNING", "WAITING"} & status(stage)["trials"].keys())
    # Those who rule over the experiment are not held back: their trials wait for the end of the pause.
    created = stage.nnictl("trial", "create", "-P", '{"x": 0.25}').stdout.split()[1]
    again = stage.nnictl("trial", "rerun", "-T", created).stdout.split()[1]
    stage.nnictl("update", "trialnum", "-v", "1")
    stage.nnictl("unpause", experiment_id)
    assert "DONE" in stage.nnictl("wait").stdout
    ended = parameters(stage, experiment_id)
    assert ended[created] == ended[again] == {"x": 0.25}
    stage.nnictl("stop")
    assert stage.is_quiet(), stage.processes()


def test_an_end_and_more(stage, id_in, config):
    experiment_id = id_in(stage.nnictl("create", "-c", config(trials=2), "-p", "0", "-f").stdout)
    before = parameters(stage, experiment_id)
    assert len(before) == 2
    assert "No experiment is running." in stage.nnictl("list").stdout
    (row,) = json.loads(stage.nnictl("list", "--all", "--json").stdout)
    assert (row["id"], row["status"], row["port"]) == (experiment_id, "DONE", None)
    assert row["diskBytes"] > 1000 and row["name"] == "超参数 🎛"
    # No list is lost with a file that was kept for it.
    Path(row["directory"], "summary.json").unlink()
    (again,) = json.loads(stage.nnictl("list", "--all", "--json").stdout)
    for facts in (row, again):
        del facts["diskBytes"], facts["platform"]
    assert again == row
    more = ("--trialnum", "5", "-p", "0", "--foreground")
    output = stage.nnictl("resume", experiment_id[:5], *more).stdout
    assert f"Experiment ID: {experiment_id}" in output and "DONE" in output
    after = parameters(stage, experiment_id)
    assert before.items() <= after.items() and len(after) == 5
    assert stage.is_quiet(), stage.processes()


def test_a_manager_that_is_killed(stage, id_in, config):
    stage.write(
        "patient.py",
        """\
        import time, nni
        from pathlib import Path
        nni.get_next_parameter()
        Path(f"started-{nni.get_sequence_id()}").touch()
        while not Path("go").exists():
            time.sleep(0.05)
        nni.report_final_result(1)
        """,
    )
    experiment_id = create(stage, id_in, config("python3 patient.py", trials=2))
    pid = status(stage)["pid"]
    assert stage.until(lambda: len(list(stage.folder.glob("started-*"))) == 2)
    waiting = subprocess.Popen(
        [*NNICTL, "wait"], env=stage.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert stage.until(lambda: is_connected(waiting.pid))
    os.kill(pid, signal.SIGKILL)
    output, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 1 and "Traceback" not in output, output
    text = stage.nnictl("status", experiment_id).stdout
    assert text.startswith(f"{experiment_id}: STOPPED (its manager has gone; resume it)"), text
    assert "resume" in stage.nnictl("stop", experiment_id, exit_code=1).stderr
    stage.nnictl("resume", experiment_id, "-p", "0")
    (stage.folder / "go").touch()
    assert stage.nnictl("wait").stdout.startswith(f"{experiment_id}: DONE")
    trials = json.loads(stage.nnictl("trial", "ls").stdout)
    assert [(trial["sequenceId"], trial["attempt"]) for trial in trials] == [(0, 0), (1, 0)]
    stage.nnictl("stop")
    assert stage.is_quiet(), stage.processes()


def test_ports(stage, id_in, config):
    """Row 6: a free port is found; which experiment has which is listed; one is stopped by its port."""
    path = config("sleep 100")
    ids = [create(stage, id_in, path) for _ in range(3)]
    rows = {row["id"]: row for row in json.loads(stage.nnictl("list", "--json").stdout)}
    assert set(rows) == set(ids) and len({row["port"] for row in rows.values()}) == 3
    assert {row["status"] for row in rows.values()} == {"RUNNING"}
    pids = {row["pid"] for row in rows.values()}
    assert len(pids) == 3 and pids <= stage.processes().keys()
    port = str(rows[ids[1]]["port"])
    taken = stage.nnictl("create", "-c", path, "-p", port, exit_code=1)
    assert port in taken.stderr and ids[1] in taken.stderr
    assert ids[1] in stage.nnictl("stop", "--port", port).stdout
    assert {row["id"] for row in json.loads(stage.nnictl("list", "--json").stdout)} == {ids[0], ids[2]}
    # Row 7: what has lost its file in the runtime folder is found and stopped all the same.
    for file in (stage.home.parent / stage.environment["NNI_RUNTIME_DIR"] / "managers").iterdir():
        file.unlink()
    assert stage.nnictl("stop", "--all").stdout.count("Stop experiment success.") == 2
    assert not pids & stage.processes().keys()
    stage.nnictl("create", "-c", path, "-p", port)
    stage.nnictl("stop", "*")
    assert stage.is_quiet(), stage.processes()


def test_in_a_shell(stage, id_in, config):
    """Pipes that close early, Ctrl-C, encodings: never a traceback."""
    experiment_id = create(stage, id_in, config("sleep 100"))
    commands = ("trial ls", "log manager", "experiment show", "list --all", "--help", "top -t 0.1")
    for command in commands:
        done = shell(
            stage, f"nnictl {command} | head -n 1; echo; nnictl {command} | true; exit ${{PIPESTATUS[0]}}"
        )
        # `true` is gone before anything is printed.
        assert done.returncode == 1 and done.stdout.strip() and not done.stderr, (command, done)
    # Letters that the locale lacks are written in another way; row 190 is about reading them.
    done = shell(stage, "nnictl list", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert done.returncode == 0 and b"\\u8d85\\u53c2" in done.stdout, done
    assert "超参数" in shell(stage, "nnictl list", PYTHONUTF8="1").stdout.decode()
    done = shell(stage, "nnictl list >&-")
    assert done.returncode == 0 and not done.stderr, done
    for unbuffered in ("", "1"):
        done = shell(stage, "nnictl list >/dev/full", PYTHONUNBUFFERED=unbuffered)
        assert (
            done.returncode == 1 and done.stderr.startswith(b"ERROR: ") and done.stderr.count(b"\n") == 1
        ), done
    shown = on_terminal([*NNICTL, "top", "-n", "1"], {**stage.environment, "TERM": "xterm", "COLUMNS": "120"})
    assert f"Id: {experiment_id}    Status: RUNNING" in shown and "trialId" in shown
    for words in (["wait"], ["top", "-t", "9"]):
        process = subprocess.Popen(
            [*NNICTL, *words],
            env=stage.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if words == ["top", "-t", "9"]:
            assert experiment_id in process.stdout.readline()
        else:
            assert stage.until(lambda process=process: is_connected(process.pid))
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=30)
        assert process.returncode == (130 if words == ["wait"] else 0) and not error, (words, error)
    stage.nnictl("stop")
    assert stage.is_quiet(), stage.processes()


def is_connected(pid):
    """Whether a process has a connection open: it has begun to watch."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if str(link.readlink()).startswith("socket:"):
                return True
        except FileNotFoundError:  # closed meanwhile
            continue
    return False


def test_colours_are_for_terminals(stage, id_in, config):
    experiment_id = create(stage, id_in, config())
    stage.nnictl("wait")
    stage.nnictl("stop")
    environment = {**stage.environment, "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    words = [*NNICTL, "trial", "ls", experiment_id]
    assert "\x1b[32mSUCCEEDED" in on_terminal(words, environment)
    shown = on_terminal(words, {**environment, "NO_COLOR": "1"})
    assert "SUCCEEDED" in shown and "\x1b[3" not in shown
    assert "\x1b" not in stage.nnictl("trial", "ls", experiment_id).stdout
    assert "\x1b" not in stage.nnictl("list", "--all").stdout


def on_terminal(words, environment):
    """Returns what a program shows on a terminal."""
    ours, theirs = pty.openpty()
    shown = b""
    with subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:  # how a terminal ends on Linux
            pass
        assert process.wait(30) == 0, shown
    os.close(ours)
    return shown.decode()


def test_completion(stage, id_in, config):
    first = create(stage, id_in, config("sleep 100"))
    stage.nnictl("stop")
    second = create(stage, id_in, config("sleep 100"))

    def completed(line):
        words = line.split(" ")
        variables = {
            "_NNICTL_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
        }
        done = subprocess.run(
            NNICTL, env={**stage.environment, **variables}, capture_output=True, text=True, timeout=60
        )
        return done.stdout.split()

    assert set(completed("nnictl status ")) == {first, second}
    assert completed("nnictl stop ") == [second]
    assert completed("nnictl resume ") == [first]
    assert completed(f"nnictl trial kill {second} -T ") == [
        each["trialJobId"]
        for each in sorted(json.loads(stage.nnictl("trial", "ls").stdout), key=lambda it: it["trialJobId"])
    ]
    assert "searchspace" in completed("nnictl update s")
    assert completed("nnictl sta") == ["status"]
    stage.nnictl("stop")
    script = shell(stage, "nnictl --show-completion; exit $?").stdout.decode()
    assert "_NNICTL_COMPLETE=complete_bash" in script


def test_help_is_quick(stage):
    program = (
        "import sys; sys.argv = ['nnictl', '--help']\n"
        "from nni_client.commands import main\n"
        "try:\n    main()\nexcept SystemExit: pass\n"
        "heavy = {'grpc', 'google.protobuf', 'pydantic', 'rich', 'nni_proto', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=stage.environment, capture_output=True, text=True
    )
    assert done.returncode == 0 and "Usage: nnictl" in done.stdout, done
