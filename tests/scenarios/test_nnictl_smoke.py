"""Every command of nnictl with no experiment, one, two, stopped ones and one with a corrupt record.

Each prints something useful, exits with the right code, and never shows a traceback. A new command fails this
test until it is put into one of the sets below.
"""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer.main
from nni_client.commands import main
from nni_client.commands.app import app
from nni_config.local_state import running_managers

pytestmark = pytest.mark.slow

STATES = ("none", "one", "two", "stopped", "corrupt")

NEEDS_RUNNING = {
    "pause",
    "unpause",
    "experiment pause",
    "experiment unpause",
    "experiment import",
    "update searchspace",
    "update concurrency",
    "update duration",
    "update trialnum",
    "trial kill",
    "trial rerun",
    "trial create",
    "webui url",
    "stop",
    "top",
}
"""Without an id: the only one that runs. They change or show what runs."""

READS = {
    "status",
    "wait",
    "experiment status",
    "experiment show",
    "experiment best",
    "experiment export",
    "experiment wait",
    "trial ls",
    "log stdout",
    "log stderr",
    "log manager",
    "log dispatcher",
    "log trial",
    "config show",
}
"""Without an id: the only one that runs; with one: those that have ended too."""

NEEDS_ENDED = {"resume", "view"}
"""With an id, of one that does not run."""

COPIES = {"experiment save"}
"""With an id, of one that runs or has ended; they write a file."""

ENDS_EXPERIMENTS = {"stop"}

FREE = {
    "list",
    "experiment list",
    "platform clean",
    "config convert",
    "config schema",
    "config check",
    "algo list",
    "algo show",
    "trainingservice list",
}
"""They do not look at experiments, or list whatever there is."""

ELSEWHERE = {
    "create",
    "doctor",
    "hello",
    "package",
    "ss_gen",
    "jupyter-extension",
    "tensorboard",
    "experiment delete",
    "experiment load",
    "algo register",
    "algo reg",
    "algo unregister",
    "algo unreg",
    "algo template",
    "trainingservice register",
    "trainingservice unregister",
}
"""Commands that a run with no arguments says too little about; they have tests of their own."""

CONFIG = """\
searchSpace: {x: {_type: choice, _value: [1]}}
trialCommand: sleep 1000
trialConcurrency: 1
trialStopGracePeriod: 1s
tuner: {name: Random}
trainingService: {platform: local}
"""

V1 = """\
authorName: a
experimentName: b
trialConcurrency: 1
trainingServicePlatform: local
searchSpacePath: space.json
useAnnotation: false
tuner: {builtinTunerName: Random}
trial: {command: "true", codeDir: .}
"""


class Done(NamedTuple):
    """What a run of nnictl did."""

    code: int
    out: str
    err: str


def run(*words: str) -> Done:
    """Runs nnictl in this process."""
    out, err = io.StringIO(), io.StringIO()
    argv, sys.argv = sys.argv, ["nnictl", *words]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
        code: Any = 0
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.argv = argv
    return Done(code, out.getvalue(), err.getvalue())


def commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yields every command of nnictl by its name."""
    for name, child in getattr(command or typer.main.get_command(app), "commands", {}).items():
        if hasattr(child, "commands"):
            yield from commands(child, (*path, name))
        else:
            yield " ".join((*path, name)), child


COMMANDS = dict(commands())


class Scene:
    """Experiments in a home folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ids: list[str] = []
        (folder / "config.yml").write_text(CONFIG)
        (folder / "v1.yml").write_text(V1)
        (folder / "space.json").write_text('{"x": {"_type": "choice", "_value": [1]}}')
        (folder / "data.json").write_text('[{"parameter": {"x": 1}, "value": 0.5}]')

    def create(self) -> str:
        # In a process of its own, whose end leaves the manager to the system.
        words = [
            sys.executable,
            "-c",
            "from nni_client.commands import main; main()",
            "create",
            "-p",
            "0",
            "-c",
        ]
        done = subprocess.run([*words, self.folder / "config.yml"], capture_output=True, text=True)
        found = re.search(r"^Experiment ID: (\S+)$", done.stdout, re.MULTILINE)
        assert done.returncode == 0 and found is not None, done
        self.ids.append(found[1])
        return found[1]

    def set(self, state: str) -> None:
        """Brings a state about, whatever there was."""
        wanted = {"one": 1, "two": 2}.get(state, 0)
        running = [it.experiment_id for it in running_managers()]
        for extra in running[wanted:]:
            assert run("stop", extra).code == 0
        for _ in range(wanted - len(running)):
            self.create()
        if state == "none":
            shutil.rmtree(self.folder / "nni-experiments", ignore_errors=True)
            self.ids = []
        if state in ("stopped", "corrupt") and not self.ids:
            run("stop", self.create())
        if state == "corrupt":
            record = self.folder / "nni-experiments" / self.ids[-1] / "db" / "experiment.sqlite"
            record.write_bytes(b"this is no database" * 1000)

    @property
    def running(self) -> str:
        """The experiment that runs."""
        return self.ids[-1]

    def arguments(self, name: str, command: Any) -> list[str]:
        """Returns what a command cannot do without, but for the id of an experiment."""
        given = {
            "config": str(self.folder / "config.yml"),
            "filename": str(self.folder / ("space.json" if "update" in name else "data.json")),
            "value": "30m" if "duration" in name else "2",
            "trial_id": "nosuch",
            "kind": "json",
            "type": "json",
            "path": str(self.folder / "archive.zip"),
            "old": str(self.folder / "v1.yml"),
            "name": "Random",
            "file": str(self.folder / "config.yml"),
        }
        extra = {
            "top": ["--looks", "1"],
            "wait": ["--timeout", "0.1"],
            "experiment wait": ["--timeout", "0.1"],
            "trial create": ["--parameters", '{"x": 1}'],
            "experiment save": ["--force"],
            "experiment import": ["--filename", str(self.folder / "data.json")],
            "experiment export": ["--filename", str(self.folder / "out")],
            "platform clean": ["--config", str(self.folder / "config.yml")],
        }
        words = list(extra.get(name, []))
        for parameter in command.params:
            if not parameter.required or parameter.name == "experiment_id" or parameter.opts[0] in words:
                continue
            value = given[parameter.name]
            words += [value] if parameter.param_type_name == "argument" else [parameter.opts[0], value]
        return words


@pytest.fixture(scope="module", params=STATES)
def scene(request: pytest.FixtureRequest, home: Scene) -> tuple[str, Scene]:
    return request.param, home


@pytest.fixture(scope="module")
def home() -> Iterator[Scene]:
    """Experiments of this module, in a home whose path is short: sockets lie in it."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="nni-") as folder:
        patch.setenv("HOME", folder)
        patch.setenv("NNI_RUNTIME_DIR", f"{folder}/run")
        for name in ("NNI_CONFIG_DIR", "XDG_CONFIG_HOME", "SSH_CONNECTION"):
            patch.delenv(name, raising=False)
        patch.chdir(folder)
        scene = Scene(Path(folder))
        try:
            yield scene
        finally:
            done = run("stop", "--all")
            assert done.code == 0, done


def check(done: Done, exit_codes: Sequence[int]) -> None:
    assert done.code in exit_codes, done
    assert "Traceback" not in done.out + done.err
    if done.code not in (0, 124):
        # What ended badly was waited for all the same.
        assert re.match(r"ERROR: .|Experiment \S+ has no best trial", done.err or f"ERROR: {done.out}"), done


def test_every_command_is_known_here() -> None:
    known = NEEDS_RUNNING | READS | NEEDS_ENDED | COPIES | FREE | ELSEWHERE
    assert set(COMMANDS) - known == set()


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - ELSEWHERE))
def test_command(scene: tuple[str, Scene], name: str) -> None:
    state, home = scene
    home.set(state)
    words = [*name.split(), *home.arguments(name, COMMANDS[name])]
    if name in FREE:
        check(run(*words), [0])
        return
    if name in NEEDS_ENDED:
        check(run(*words, "nosuch"), [1])
        if state in ("one", "two", "corrupt"):
            check(run(*words, home.running), [1])
        return
    if name in COPIES:
        check(run(*words, "nosuch"), [1])
        if state != "none":
            check(run(*words, home.ids[-1]), [0, 1] if state == "corrupt" else [0])
        return
    # With no result yet, a best trial and a trial that may be killed are missing.
    fine = [124] if "wait" in name else [1] if {"--trial-id", "best", "export"} & set(words) else [0]
    if name == "top":
        check(run(*words), [0] if state in ("one", "two") else [1])
    elif state == "one":
        check(run(*words), [*fine, 1] if "dispatcher" in name else fine)
        home.set(state)
        check(run(*words, home.running), [*fine, 1] if "dispatcher" in name else fine)
    else:
        done = run(*words)
        check(done, [1])
        if state == "two":
            assert all(it in done.err for it in home.ids[-2:]), done
    check(run(*words, "nosuch"), [1])
    if state == "stopped" and name in READS:
        check(
            run(*words, home.ids[-1]),
            [0, 1] if {"wait", "best", "export", "dispatcher"} & set(words) else [0],
        )
    if state == "stopped" and name in NEEDS_RUNNING and name != "top":
        done = run(*words, home.ids[-1])
        check(done, [1])
        assert "nnictl resume" in done.err
    if state == "corrupt":
        check(run(*words, home.ids[-1]), [0] if name.startswith("log ") and name != "log trial" else [0, 1])


@pytest.mark.parametrize("name", sorted(ELSEWHERE - {"hello"}))
def test_commands_with_nothing_to_work_on(scene: tuple[str, Scene], name: str) -> None:
    """Those with tests of their own say what is missing, whatever experiments there are."""
    state, home = scene
    home.set(state)
    words: list[str] = []
    for parameter in COMMANDS[name].params:
        if parameter.required or parameter.param_type_name == "argument":
            words += ["nosuch"] if parameter.param_type_name == "argument" else [parameter.opts[0], "nosuch"]
    done = run(*name.split(), *words)
    assert done.code in ((0, 1) if name == "doctor" else (1, 2)), done
    assert "Traceback" not in done.out + done.err and (done.out or done.err).strip()
