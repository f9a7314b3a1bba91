"""How an experiment ends, and what happens to it when its script ends first."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import socket
import textwrap
import threading
import time

import pytest

# Python 3.12 and later warn of any fork beside threads; gRPC has some.
FORKS = "import warnings; warnings.simplefilter('ignore', DeprecationWarning)\n"
SLOW = "import time, nni\nnni.get_next_parameter()\ntime.sleep(100)\n"


@pytest.mark.parametrize("moment", range(5))
def test_ctrl_c_at_any_moment(stage, moment):
    """From before the start to after the first trials have ended; what there is can be resumed."""
    process = stage.start("print('RESULT', make(trials=100_000).run(0), flush=True)")
    time.sleep([0.7, 1.2][moment] if moment < 2 else random.uniform(1.0, 8.0))
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    if "RESULT" not in output:
        # So early that the script had not come to run() yet: then it is Python's own answer.
        assert "Experiment ID" not in output and "KeyboardInterrupt" in output
    else:
        assert "RESULT None" in output
        assert "Traceback" not in output
        assert process.returncode == 0
    assert stage.is_quiet(), stage.processes()
    for folder in stage.experiments.glob("[a-z0-9]*"):
        assert (folder / "db").exists(), "a start that came to nothing leaves nothing"
        assert "not started" not in output
        script = f"""
            from nni_client.viewing import record_reader
            from nni_client.methods import GET_EXPERIMENT
            from nni_client import words, results
            from nni_proto.v1.experiment_service_pb2 import GetExperimentRequest
            name = "experiments/{folder.name}"
            with record_reader(Path({str(stage.experiments)!r}), "{folder.name}", None) as connection:
                with connection.session() as session:
                    got = session.call(GET_EXPERIMENT, GetExperimentRequest(name=name)).experiment
                    trials = results.list_trial_jobs(session, name)
            print(words.experiment_status(got.status), {{trial.status for trial in trials}})
            assert all(trial.endTime > 0 for trial in trials)
        """
        shown = stage.run(script)
        assert shown.split()[0] in ("STOPPED", "INITIALIZED"), shown
        assert "RUNNING" not in shown and "WAITING" not in shown
        script = f"""
            experiment = Experiment.resume("{folder.name}", 0, wait_completion=False)
            before = {{trial.trialJobId for trial in experiment.list_trial_jobs() if trial.endTime > 0}}
            while not any(
                trial.status == "SUCCEEDED" and trial.trialJobId not in before
                for trial in experiment.list_trial_jobs()
            ):
                time.sleep(0.1)
            experiment.stop()
        """
        assert "Traceback" not in stage.run(script)


def test_ctrl_c_twice_leaves_the_stopping_to_the_manager(stage, id_in):
    stage.write(
        "stubborn.py",
        "import signal, time, nni\nnni.get_next_parameter()\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "open('ready', 'a').close()\ntime.sleep(100)\n",
    )
    process = stage.start(
        """
        experiment = make("python3 stubborn.py", trials=1, concurrency=1)
        experiment.config.trial_stop_grace_period = "3s"
        print("RESULT", experiment.run(0))
        """
    )
    assert stage.until((stage.folder / "ready").exists)
    process.send_signal(signal.SIGINT)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert "RESULT None" in output
    assert "Not waiting" in output
    assert "Traceback" not in output
    assert stage.is_quiet(), stage.processes()
    status = stage.run(
        f"""
        experiment = make(id="{id_in(output)}")
        experiment._has_ended, experiment._experiments_directory = True, Path({str(stage.experiments)!r})
        print(experiment.get_status(), experiment.list_trial_jobs()[0].status)
        """
    )
    assert status.split() == ["STOPPED", "USER_CANCELED"]


def test_a_killed_script_leaves_its_experiment_running(stage, id_in):
    stage.write("slow.py", SLOW)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    process = stage.start(f"make('python3 slow.py').run({port})")
    output = ""
    while "running" not in output:
        output += process.stdout.readline()
    process.kill()
    process.wait()
    process.stdout.close()
    experiment_id = id_in(output)
    status = json.loads(stage.nnictl("status", "--json").stdout)
    assert (status["id"], status["status"]) == (experiment_id, "RUNNING")

    refused = stage.run(
        f"""
        try:
            make().start({port})
        except RuntimeError as error:
            print("REFUSED", error)
        """
    )
    assert (
        f"REFUSED The manager could not start: port {port} is in use by experiment {experiment_id}" in refused
    )
    assert f"Experiment.connect({port})" in refused and f"nnictl stop {experiment_id}" in refused

    connected = stage.run(
        f"""
        experiment = Experiment.connect({port})
        print(experiment.id, experiment.config.trial_command, experiment.get_status())
        experiment.stop()
        print(experiment.get_status(), {{trial.status for trial in experiment.list_trial_jobs()}})
        """
    )
    assert connected.splitlines() == [
        f"{experiment_id} python3 slow.py RUNNING",
        "STOPPED {'USER_CANCELED'}",
    ]
    assert stage.is_quiet(), stage.processes()


def test_a_script_that_ends_stops_its_experiment(stage):
    stage.write("slow.py", SLOW)
    output = stage.run("make('python3 slow.py').run(0, wait_completion=False)")
    assert "Traceback" not in output
    assert stage.is_quiet(), stage.processes()


def test_a_script_that_fails_stops_its_experiment(stage):
    stage.write("slow.py", SLOW)
    process = stage.start("make('python3 slow.py').start(0)\nraise SystemExit(7)")
    process.communicate(timeout=60)
    assert process.returncode == 7
    assert stage.is_quiet(), stage.processes()


def test_children_that_are_forked(stage):
    """Some read results, some do nothing and exit as usual; none hangs, none stops the experiment."""
    stage.write("slow.py", SLOW)
    output = stage.run(
        FORKS
        + textwrap.dedent("""
        experiment = make("python3 slow.py")
        experiment.start(0)
        for number in range(16):
            assert experiment.get_status() == "RUNNING"
            child = os.fork()
            if child == 0:
                if number % 2:
                    assert experiment.get_status() == "RUNNING"
                    assert len(experiment.list_trial_jobs()) <= 4
                    try:
                        experiment.get_trial_job("nosuch")
                    except LookupError as error:
                        assert "nosuch" in str(error)
                sys.exit(number)
            _, status = os.waitpid(child, 0)
            assert os.waitstatus_to_exitcode(status) == number
        print("STILL", experiment.get_status())
        child = os.fork()
        if child == 0:
            experiment.stop()
            sys.exit(3)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 3
        assert experiment.get_status() == "STOPPED"
        """)
    )
    assert "STILL RUNNING" in output
    assert stage.is_quiet(), stage.processes()


def test_forks_between_calls(stage):
    """A fork soon after a call must not wait for the threads of the call's connection."""
    stage.write("slow.py", SLOW)
    output = stage.run(
        FORKS
        + textwrap.dedent("""
        experiment = make("python3 slow.py")
        experiment.start(0)
        for _ in range(100):
            assert experiment.get_status() == "RUNNING"
            child = os.fork()
            if child == 0:
                os._exit(0)
            os.waitpid(child, 0)
        assert "GRPC_ENABLE_FORK_SUPPORT" not in os.environ
        experiment.stop()
        print("ALL FORKED")
        """)
    )
    assert "ALL FORKED" in output


def test_forks_while_it_runs(stage):
    """Another thread of the script forks all the time: nothing hangs, and nothing is printed about it."""
    output = stage.run(
        FORKS
        + textwrap.dedent("""
        ended, forks = threading.Event(), []
        def fork():
            while not ended.wait(0.02):
                child = os.fork()
                if child == 0:
                    os._exit(0)
                os.waitpid(child, 0)
                forks.append(child)
        thread = threading.Thread(target=fork)
        thread.start()
        try:
            print("RESULT", make(trials=6).run(0))
        finally:
            ended.set()
            thread.join()
        assert len(forks) > 20
        assert "GRPC_VERBOSITY" not in os.environ
        """)
    )
    assert "RESULT True" in output
    assert "fork_posix" not in output
    assert stage.is_quiet(), stage.processes()


def test_a_whole_run_in_a_forked_child(stage):
    output = stage.run(
        FORKS
        + textwrap.dedent("""
        experiment = make(trials=1)
        experiment.start(0)
        experiment.stop()
        child = os.fork()
        if child == 0:
            print("RESULT", make(trials=2).run(0), flush=True)
            sys.exit(0)
        _, status = os.waitpid(child, 0)
        assert status == 0
        """)
    )
    assert "RESULT True" in output
    assert "2/2 done" in output
    assert stage.is_quiet(), stage.processes()


def test_a_port_that_another_program_has(stage):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        output = stage.run(
            f"""
            try:
                make().start({port})
            except RuntimeError as error:
                print("REFUSED", error)
            """
        )
    assert f"port {port} is in use by" in output
    assert f"(process {os.getpid()}," in output
    assert "(exit code 1)" in output
    assert stage.is_quiet(), stage.processes()


def test_a_manager_that_is_killed(stage, id_in):
    stage.write("slow.py", SLOW)
    process = stage.start("print('RESULT', make('python3 slow.py').run(0))")
    output = ""
    while "running" not in output:
        output += process.stdout.readline()
    pid = json.loads(stage.nnictl("list", "--json").stdout)[0]["pid"]
    os.kill(pid, signal.SIGKILL)
    rest, _ = process.communicate(timeout=60)
    assert "RESULT False" in rest
    assert "The manager ended unexpectedly: signal 9 (SIGKILL)" in rest
    assert "nnimanager.log" in rest
    assert "Traceback" not in rest


def test_an_experiment_that_nnictl_stops(stage):
    stage.write("slow.py", SLOW)
    process = stage.start("print('RESULT', make('python3 slow.py').run(0))")
    output = ""
    while "running" not in output:
        output += process.stdout.readline()
    stage.nnictl("stop")
    rest, _ = process.communicate(timeout=60)
    assert "RESULT True" in rest
    assert "ended       STOPPED" in rest
    assert re.search(r"trials +2: 2 user canceled", rest)
    assert stage.is_quiet(), stage.processes()


def test_create_from_a_file(stage, id_in):
    config = stage.write(
        "config.yml",
        """\
        searchSpace: {x: {_type: uniform, _value: [0, 1]}}
        trialCommand: python3 trial.py
        trialConcurrency: 1
        maxTrialNumber: 2
        tuner: {name: Random}
        trainingService: {platform: local}
        """,
    )
    output = stage.nnictl("create", "--config", str(config), "--port", "0").stdout
    experiment_id = id_in(output)
    assert f'To stop experiment run "nnictl stop {experiment_id}"' in output
    assert stage.until(lambda: json.loads(stage.nnictl("status", "--json").stdout)["status"] == "DONE")
    stage.nnictl("stop")
    assert "DONE" in stage.nnictl("create", "-c", str(config), "--port=0", "--foreground").stdout
    config.write_text(config.read_text().replace("trial.py", "nothing.py"))
    assert "2 failed" in stage.nnictl("create", "-c", str(config), "-p0", "-f", exit_code=1).stdout
    config.write_text("trialConcurency: 1\n")
    wrong = stage.nnictl("create", "-c", str(config), exit_code=1)
    assert "trialConcurrency" in wrong.stderr and wrong.stderr.startswith("ERROR: ")
    assert stage.is_quiet(), stage.processes()


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_stops_what_runs_in_the_foreground(stage, number, exit_code):
    stage.write("slow.py", SLOW)
    config = stage.write(
        "config.yml",
        """\
        searchSpace: {x: {_type: uniform, _value: [0, 1]}}
        trialCommand: python3 slow.py
        trialConcurrency: 1
        tuner: {name: Random}
        trainingService: {platform: local}
        """,
    )
    process = stage.start(
        f"""
        from nni_client.commands import main
        sys.argv = ["nnictl", "create", "-c", {str(config)!r}, "-p", "0", "-f"]
        main()
        """
    )
    output = ""
    while "running" not in output:
        output += process.stdout.readline()
    process.send_signal(number)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == exit_code, rest
    assert "Traceback" not in rest
    assert stage.is_quiet(5), stage.processes()
    (row,) = json.loads(stage.nnictl("list", "--all", "--json").stdout)
    assert row["status"] == "STOPPED"


def test_a_supervisor_that_kills_the_group_of_what_has_ended(stage):
    """Field report 10: nnictl in the foreground stays until all is done, so that nothing is left to kill."""
    config = stage.write(
        "config.yml",
        """\
        searchSpace: {x: {_type: uniform, _value: [0, 1]}}
        trialCommand: python3 trial.py
        trialConcurrency: 1
        maxTrialNumber: 2
        tuner: {name: Random}
        trainingService: {platform: local}
        """,
    )
    process = stage.start(
        f"""
        from nni_client.commands import main
        sys.argv = ["nnictl", "create", "-c", {str(config)!r}, "-p", "0", "--foreground"]
        main()
        """,
        start_new_session=True,
    )
    output, _ = process.communicate(timeout=100)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, output
    assert stage.is_quiet(5), stage.processes()
    (row,) = json.loads(stage.nnictl("list", "--all", "--json").stdout)
    assert (row["status"], row["trials"]) == ("DONE", 2), row


def test_an_ended_experiment_is_viewed(stage, id_in):
    experiment_id = id_in(stage.run("make(trials=1).run(0)"))
    process = stage.start(
        f"""
        from nni_client.commands import main
        sys.argv = ["nnictl", "view", "{experiment_id}", "-p", "0"]
        main()
        """
    )
    output = ""
    while "Ctrl-C" not in output:
        output += process.stdout.readline()
    assert re.search(r"^Web portal URLs: http://\S+code=\S+$", output, re.MULTILINE)
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate()
    watchdog.cancel()
    assert "The view has ended." in rest
    assert process.returncode == 0
    assert stage.is_quiet(), stage.processes()
    assert "There is no experiment nosuch" in stage.nnictl("view", "nosuch", exit_code=1).stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_view_ends_with_its_viewer(stage, id_in, number):
    experiment_id = id_in(stage.run("make(trials=1).run(0)"))
    process = stage.start(
        f"""
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        from nni_client.commands import main
        sys.argv = ["nnictl", "view", "{experiment_id}", "-p", "0"]
        main()
        """
    )
    while "Ctrl-C" not in process.stdout.readline():
        pass
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == -number
    assert stage.is_quiet(), stage.processes()


def test_a_reading_of_a_record_ends_with_its_script(stage, id_in):
    experiment_id = id_in(stage.run("make(trials=1).run(0)"))
    process = stage.start(
        f"""
        from nni_client.viewing import record_reader
        with record_reader(Path({str(stage.experiments)!r}), "{experiment_id}", None):
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert stage.is_quiet(), stage.processes()
