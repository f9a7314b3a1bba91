"""What a trial can rely on: its command, folder, interpreter and environment (rules T1 to T6)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nni
import pytest

PYENV = Path.home() / ".pyenv" / "versions"

REPORT = "import nni\nx = nni.get_next_parameter()['x']\nnni.report_final_result(x)\n"


def _run(stage, command, trials=1, check="", prepare=""):
    """Runs trials of a command and returns what the script printed; `jobs` and `output` can be checked."""
    return stage.run(
        f"experiment = make({command!r}, trials={trials}, concurrency=1)\n"
        f"experiment.config.stop_on_early_failures = False\n{prepare}\n"
        "experiment.start(0)\n"
        "while experiment.get_status() not in ('DONE', 'ERROR'):\n"
        "    time.sleep(0.05)\n"
        "jobs = experiment.list_trial_jobs()\n"
        "def output(name, number=0):\n"
        "    return Path(jobs[number].logPath, name).read_text()\n"
        f"{check}\n"
        "for job in jobs:\n"
        "    print('JOB', job.status, job.message, [each.data for each in job.finalMetricData])\n"
        "print('STDOUT', output('stdout'))\n"
        "print('STDERR', output('stderr'))\n"
    )


COMMANDS = {
    "and": ("cd sub && python3 ../trial.py && pwd", 0, "/sub\n"),
    "pipe": ("python3 trial.py | cat; echo one two | tr a-z A-Z | cut -d' ' -f2", 0, "TWO\n"),
    "variable": ("A=1 B='two words' ./show.sh", 0, "1|two words|\n"),
    "quotes": (
        """./show.sh "it's" 'a "b" $HOME' \\$x `echo sub` $((1+1)) "$(echo ü)" ; python3 trial.py""",
        0,
        '||it\'s|a "b" $HOME|$x|sub|2|ü|\n',
    ),
    "source": (
        "source ./variables.sh && [[ $FROM == file ]] && python3 trial.py && echo ${FROM^^}",
        0,
        "FILE\n",
    ),
    "lines": ("if true\nthen\n  python3 trial.py\nfi\n# a comment\ncat <<'END'\na $b\nEND", 0, "a $b\n"),
    "failing first": ("false && python3 trial.py", 1, ""),
    "failing last": ("python3 trial.py; exit 7", 7, ""),
    "kill 0": ("trap 'exit 9' TERM; kill 0; sleep 10", 9, ""),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_of_a_shell(stage, name):
    """Rule T1: the command is the shell's, and its exit code is the trial's."""
    command, exit_code, expected = COMMANDS[name]
    (stage.folder / "sub").mkdir()
    stage.write("trial.py", REPORT)
    stage.write("variables.sh", "FROM=file\n")
    stage.write("show.sh", '#!/bin/bash\nprintf \'%s|\' "$A" "$B" "$@"\necho\n').chmod(0o755)
    output = _run(stage, command)
    assert f"JOB {'FAILED' if exit_code else 'SUCCEEDED'} " in output, output
    assert not exit_code or f"exit code {exit_code}" in output
    assert expected in output, output
    assert output.endswith("STDERR \n"), output
    assert stage.is_quiet(), stage.processes()


def test_the_code_folder_itself(stage):
    """Rule T2: a trial runs in the folder that was named, and what it writes there is there."""
    code = stage.home / "my code (ü)"
    code.mkdir()
    (code / "trial.py").write_text(
        REPORT + "import os\nassert os.getcwd() == os.environ['NNI_CODE_DIR'], os.getcwd()\n"
        "open('written', 'w').write(os.getcwd())\n"
    )
    output = _run(stage, "python3 trial.py", prepare="experiment.config.trial_code_directory = 'my code (ü)'")
    assert "JOB SUCCEEDED" in output, output
    assert (code / "written").read_text() == str(code)
    assert stage.is_quiet(), stage.processes()


def test_the_interpreter_of_a_caller_that_is_not_activated(stage):
    """Rule T3: python3 is the caller's, and everything of the caller's environment is there."""
    stage.write("trial.py", REPORT + "import os, sys\nprint(sys.prefix, os.environ['MINE'], sys.path[1:2])\n")
    stage.environment |= {"PATH": "/usr/local/bin:/usr/bin:/bin", "MINE": "ü = 'a b'\n$x"}
    stage.environment.pop("VIRTUAL_ENV", None)
    output = _run(stage, "python3 trial.py")
    assert "JOB SUCCEEDED" in output, output
    assert f"STDOUT {sys.prefix} ü = 'a b'\n$x " in output, output
    assert stage.is_quiet(), stage.processes()


def test_the_variables_of_a_trial(stage):
    """Rule T4: all that NNI's trials have, each trial with its own; algorithms have theirs."""
    stage.write(
        "trial.py",
        """
        import json, os, nni
        x = nni.get_next_parameter()["x"]
        folder = os.environ["NNI_OUTPUT_DIR"]
        open(os.path.join(folder, "checkpoint"), "w").write(str(x))
        variables = {name: value for name, value in os.environ.items() if name.startswith("NNI_")}
        assert nni.get_experiment_id() == variables["NNI_EXP_ID"]
        assert nni.get_trial_id() == variables["NNI_TRIAL_JOB_ID"]
        assert nni.get_sequence_id() == int(variables["NNI_TRIAL_SEQ_ID"])
        assert os.path.isdir(variables["NNI_SYS_DIR"])
        nni.report_final_result({"default": x, **variables})
        """,
    )
    stage.write(
        "own.py",
        """
        import os
        from nni.tuner import Tuner

        class Own(Tuner):
            def update_search_space(self, search_space):
                assert os.getcwd() == os.path.realpath(os.environ["NNI_LOG_DIRECTORY"])
                open(os.path.join(os.environ["NNI_CHECKPOINT_DIRECTORY"], "state"), "w").close()

            def generate_parameters(self, parameter_id, **kwargs):
                return {"x": parameter_id}

            def receive_trial_result(self, *args, **kwargs):
                pass
        """,
    )
    check = """
folder = Path(experiment.get_experiment_profile()["logDir"])
for job in jobs:
    seen = job.finalMetricData[0].data
    assert seen["NNI_PLATFORM"] == "local" and seen["NNI_EXP_ID"] == experiment.id
    assert seen["NNI_TRIAL_JOB_ID"] == job.trialJobId and seen["NNI_TRIAL_SEQ_ID"] == str(job.sequenceId)
    assert seen["NNI_OUTPUT_DIR"] == job.logPath == str(folder / "trials" / job.trialJobId)
    assert seen["NNI_CODE_DIR"] == str(Path(__file__).parent)
    assert Path(job.logPath, "checkpoint").read_text() == str(seen["default"])
assert (folder / "checkpoint" / "state").exists() and (folder / "log" / "dispatcher.log").exists()
"""
    prepare = (
        "tuner = experiment.config.tuner\n"
        "tuner.name, tuner.class_name, tuner.class_args = None, 'own.Own', {}\n"
        "tuner.code_directory = str(Path(__file__).parent)"
    )
    stage.environment |= {"NNI_PLATFORM": "unittest", "NNI_TRIAL_JOB_ID": "outer", "NNI_EXP_ID": "outer"}
    output = _run(stage, "python3 trial.py", trials=2, check=check, prepare=prepare)
    assert output.count("JOB SUCCEEDED") == 2, output
    assert stage.is_quiet(), stage.processes()


@pytest.fixture(scope="module")
def bare_environment(tmp_path_factory):
    """A virtual environment of this Python in which nothing is installed."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder


def _site_packages(environment):
    (folder,) = environment.glob("lib/python3.*/site-packages")
    return folder


def test_a_trial_interpreter_without_nni(stage, bare_environment):
    """Rule T6: our SDK is put on its path, from the standard library alone."""
    stage.environment.pop("PYTHONPATH", None)
    code = "import sys, nni; print([n for n in ('numpy', 'google', 'grpc') if n in sys.modules])\n"
    stage.write("trial.py", REPORT + code)
    output = _run(stage, f"{bare_environment}/bin/python trial.py")
    assert "JOB SUCCEEDED finished [0." in output and "STDOUT []\n" in output, output
    assert stage.is_quiet(), stage.processes()


FOREIGN = """
import os
channel = os.environ["NNI_TRIAL_COMMAND_CHANNEL"]
assert channel.startswith("import://")
path, identifier = channel[len("import://"):].rsplit(".", 1)
__import__(path, globals(), locals(), [identifier])
"""


@pytest.mark.parametrize("first", [True, False])
def test_a_trial_interpreter_with_another_nni(stage, bare_environment, first):
    """Rule T6: ours is imported all the same; where theirs is forced, it fails at once with a sentence."""
    theirs = _site_packages(bare_environment) / "nni"
    theirs.mkdir(exist_ok=True)
    (theirs / "__init__.py").write_text(FOREIGN)
    stage.environment.pop("PYTHONPATH", None)
    stage.write("trial.py", REPORT)
    try:
        prefix = f"PYTHONPATH={theirs.parent}:$PYTHONPATH " if first else ""
        output = _run(stage, f"{prefix}{bare_environment}/bin/python trial.py")
    finally:
        shutil.rmtree(theirs)
    if first:
        assert "JOB FAILED exit code 1" in output
        assert "this_trial_imported_the_nni_package_of_Microsoft" in output
        assert "pip_uninstall_nni" in output
    else:
        assert "JOB SUCCEEDED finished [0." in output, output
    assert stage.is_quiet(), stage.processes()


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.12", "3.13"])
def test_other_pythons(stage, version):
    """Rules T6 and T7: a trial runs with another Python than the manager."""
    (python,) = PYENV.glob(f"{version}.*/bin/python3")
    stage.environment.pop("PYTHONPATH", None)
    stage.write("trial.py", REPORT + "import sys\nprint(sys.version_info[:2])\n")
    output = _run(stage, f"{python} trial.py")
    assert "JOB SUCCEEDED finished [0." in output, output
    assert f"({version.replace('.', ', ')})" in output
    assert stage.is_quiet(), stage.processes()


def test_a_python_that_is_too_old(stage):
    """Rule T7: it fails at once, naming interpreter, version and command."""
    (python,) = PYENV.glob("3.6.*/bin/python3")
    stage.environment.pop("PYTHONPATH", None)
    stage.write("trial.py", REPORT)
    output = _run(stage, f"{python} trial.py --depth 3")
    assert "JOB FAILED exit code 1" in output, output
    assert "nni needs Python 3.8 or later" in output and "trial.py --depth 3" in output, output
    assert stage.is_quiet(), stage.processes()


@pytest.mark.parametrize("flag", ["-I", "-E"])
@pytest.mark.parametrize("other", [False, True], ids=["none", "theirs"])
def test_a_python_that_ignores_the_environment(stage, bare_environment, flag, other):
    """Rule T6: it does not wait; what it says names what is missing, and the terminal shows it."""
    theirs = _site_packages(bare_environment) / "nni"
    if other:
        theirs.mkdir()
        (theirs / "__init__.py").write_text(FOREIGN)
    stage.environment.pop("PYTHONPATH", None)
    stage.write("trial.py", REPORT)
    try:
        output = stage.run(
            f"experiment = make('{bare_environment}/bin/python {flag} trial.py', trials=3)\n"
            "print('RESULT', experiment.run(0))"
        )
    finally:
        if other:
            shutil.rmtree(theirs)
    assert "RESULT False" in output
    assert f"command: {bare_environment}/bin/python {flag} trial.py" in output, output
    assert "this_trial_imported_the_nni_package_of_Microsoft" in output if other else "'nni'" in output
    assert stage.is_quiet(), stage.processes()


OTHER_USER = "65534"


@pytest.fixture
def open_folder():
    """A folder that every user can read, with a script and the package nni, as if it were installed."""
    folder = Path(tempfile.mkdtemp(prefix="nni-open-", dir="/tmp"))
    try:
        folder.chmod(0o755)
        package, unwanted = Path(nni.__file__).parent, shutil.ignore_patterns("__pycache__")
        shutil.copytree(package, folder / "packages" / "nni", ignore=unwanted)
        (folder / "trial.py").write_text(ELSEWHERE)
        subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)
        yield folder
    finally:
        shutil.rmtree(folder)


ELSEWHERE = """
import logging, os, subprocess, sys, threading, nni
x = nni.get_next_parameter()["x"]
logging.getLogger("mine").info("an ordinary line")
if "--inner" in sys.argv:
    nni.report_intermediate_result({"default": x, "inner": sys.argv[-1]})
    sys.exit()
inner = [subprocess.Popen([sys.executable, __file__, "--inner", str(n)], close_fds=False) for n in range(4)]
threads = [threading.Thread(target=nni.report_intermediate_result, args=[x]) for _ in range(20)]
for each in threads:
    each.start()
for each in threads:
    each.join()
assert not any(each.wait() for each in inner)
child = os.fork()
if child == 0:
    nni.report_intermediate_result(-x)
    os._exit(0)
os.waitpid(child, 0)
nni.report_final_result(x)
print("USER", os.geteuid(), "SEES", os.path.isdir(os.environ["NNI_SYS_DIR"]))
"""

PYTHON = "/usr/bin/python3"

ELSEWHERES = {
    "another folder": "cd / && {python} {folder}/trial.py",
    "setpriv": "setpriv --reuid {user} --regid {user} --clear-groups {python} {folder}/trial.py",
    "runuser": "runuser -u nobody -- {python} {folder}/trial.py",
    "su": "su -s /bin/bash nobody -c '{python} {folder}/trial.py'",
    "hidden": "unshare -m bash -c 'mount -t tmpfs none {experiments} && {python} {folder}/trial.py'",
}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
@pytest.mark.parametrize("way", ELSEWHERES)
def test_a_trial_that_moves(stage, open_folder, way):
    """Row 63: in another folder, as another user, or where our files are hidden, it reports all the same."""
    stage.environment.pop("PYTHONPATH", None)
    stage.experiments.mkdir(0o700)
    command = ELSEWHERES[way].format(
        python=f"env PYTHONPATH={open_folder}/packages PYTHONDONTWRITEBYTECODE=1 {PYTHON}",
        folder=open_folder,
        experiments=stage.experiments,
        user=OTHER_USER,
    )
    check = """
for job in jobs:
    *steps, final = [m.data for m in experiment.get_job_metrics(job.trialJobId)[job.trialJobId]]
    assert len(steps) == 25 and steps.count(final) == 20 and steps.count(-final) == 1, steps
    assert sorted(s["inner"] for s in steps if isinstance(s, dict)) == ["0", "1", "2", "3"]
    assert Path(job.logPath).stat().st_mode & 0o077 == 0
"""
    output = _run(stage, command, trials=2, check=check)
    assert output.count("JOB SUCCEEDED finished [") == 2, output
    user = "0" if way in ("another folder", "hidden") else OTHER_USER
    assert f"USER {user} SEES {way == 'another folder'}" in output, output
    if way != "another folder":
        assert "the log goes on here" in output and "(mine/MainThread) an ordinary line" in output
    assert stage.is_quiet(), stage.processes()


LOST = {
    "env -i": ("cd /; env -i {python} {folder}/trial.py", "Pass all variables NNI_* and PYTHONPATH on."),
    "su -": (
        "su -s /bin/bash - nobody -c '{python} {folder}/trial.py'",
        "something like env -i, sudo or su -",
    ),
}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
@pytest.mark.parametrize("way", LOST)
def test_a_trial_that_loses_its_environment(stage, open_folder, way):
    """Row 63: the script is no part of the trial; it says so, and so does the trial's end."""
    command, said = LOST[way]
    (open_folder / "trial.py").write_text(
        "import nni\nprint('GOT', nni.get_next_parameter())\nnni.report_final_result(1)\n"
    )
    python = f"env PYTHONPATH={open_folder}/packages {PYTHON}"
    output = _run(stage, command.format(python=python, folder=open_folder))
    assert "GOT {}" in output and "was started by a trial of an experiment" in output and said in output, (
        output
    )
    (job,) = [line for line in output.splitlines() if line.startswith("JOB ")]
    assert job.startswith("JOB SUCCEEDED finished without a final result: no process of it asked"), job
    assert "pass all variables NNI_* and PYTHONPATH on" in job
    assert stage.is_quiet(), stage.processes()


UNREACHABLE = {
    "no package": ("cd /; env -i {python} -c 'import nni'", "PYTHONPATH was not passed on"),
    "closed": (
        "setpriv --reuid {user} --regid {user} --clear-groups {nni} -c 'import os, subprocess, sys; "
        'sys.exit(subprocess.call([sys.executable, "{folder}/trial.py"]))\'',
        "this process runs as user nobody (65534), who may not enter the trial's folder",
    ),
    "container": (
        "unshare -m bash -c 'mount -t tmpfs none {experiments} && {nni} -c \"import subprocess, sys; "
        'sys.exit(subprocess.call([sys.executable, \\"{folder}/trial.py\\"]))"\'',
        "this process does not see the trial's folder, as in a container that has not got it",
    ),
}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
@pytest.mark.parametrize("way", UNREACHABLE)
def test_a_trial_that_cannot_reach_its_files(stage, open_folder, way):
    """Row 63: it fails with a sentence that says why and what to do, in its stderr and in the terminal."""
    stage.environment.pop("PYTHONPATH", None)
    stage.experiments.mkdir(0o700)
    command, said = UNREACHABLE[way]
    command = command.format(
        python=PYTHON,
        nni=f"env PYTHONPATH={open_folder}/packages PYTHONDONTWRITEBYTECODE=1 {PYTHON}",
        folder=open_folder,
        experiments=stage.experiments,
        user=OTHER_USER,
    )
    output = stage.run(
        f"experiment = make({command!r}, trials=1, concurrency=1)\nprint('RESULT', experiment.run(0))\n"
        "print('MESSAGE', experiment.list_trial_jobs()[0].message)\n"
    )
    assert "exit code 1" in output and said in output, output
    assert stage.is_quiet(), stage.processes()
