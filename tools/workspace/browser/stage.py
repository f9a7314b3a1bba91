"""Experiments for a browser to look at: each has a home folder of its own and ends with the stage."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_PATIENCE = 60.0
_NNICTL = str(Path(sys.executable).with_name("nnictl"))
_ID = re.compile(r"Experiment ID: (\S+)")
_LINK = re.compile(r"https?://\S+/sign-in\?code=\S+")


@dataclass(frozen=True)
class Shown:
    """A page that is there.

    Attributes:
        experiment_id: The experiment.
        link: The printed link, which signs one browser in.
    """

    experiment_id: str
    link: str

    @property
    def address(self) -> str:
        """The page's address."""
        return self.link.partition("sign-in?")[0]

    @property
    def origin(self) -> str:
        """The page's origin."""
        parts = urlsplit(self.link)
        return f"{parts.scheme}://{parts.netloc}"


class PageStage:
    """Starts managers by nnictl and ends them.

    Attributes:
        folder: Where its experiments' files are.
        environment: The environment that nnictl runs in.
    """

    def __init__(self, folder: Path) -> None:
        """Makes a stage in an empty folder."""
        self.folder = folder
        self._views: list[subprocess.Popen[str]] = []
        # Short, since sockets lie in it.
        self._runtime = Path("/tmp") / f"nni-page-{uuid.uuid4().hex[:8]}"
        (folder / "home").mkdir(parents=True)
        self._runtime.mkdir(0o700)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("NNI_", "SSH_"))},
            "HOME": str(folder / "home"),
            "NNI_RUNTIME_DIR": str(self._runtime),
            "PYTHONUNBUFFERED": "1",
        }

    @property
    def experiments(self) -> Path:
        """The folder of the experiments."""
        return self.folder / "home" / "nni-experiments"

    def nnictl(self, *words: str) -> str:
        """Runs nnictl and returns what it printed."""
        done = subprocess.run(
            [_NNICTL, *words],
            env=self.environment,
            cwd=self.folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_PATIENCE,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def start(self, config: str, trial: str, *words: str) -> Shown:
        """Starts an experiment.

        Args:
            config: Its configuration in YAML, without the trial's command and code.
            trial: The program of its trials.
            words: Further options of nnictl create.
        """
        code = self.folder / f"code-{uuid.uuid4().hex[:8]}"
        code.mkdir()
        (code / "trial.py").write_text(trial)
        command = f"trialCommand: {sys.executable} trial.py\ntrialCodeDirectory: .\n"
        (code / "config.yml").write_text(config + command)
        said = self.nnictl("create", "--config", str(code / "config.yml"), "--port", "0", *words)
        found = _ID.search(said)
        assert found is not None, said
        return Shown(found.group(1), _link_in(said))

    def view(self, experiment_id: str, directory: Path | None = None) -> Shown:
        """Shows an experiment that has ended.

        Args:
            experiment_id: Its id.
            directory: The folder that its folder is in; None for that of this stage.
        """
        where = str(directory or self.experiments)
        process = subprocess.Popen(
            [_NNICTL, "view", experiment_id, "--port", "0", "--experiments-dir", where],
            env=self.environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._views.append(process)
        assert process.stdout is not None
        said = ""
        while not _LINK.search(said):
            line = process.stdout.readline()
            assert line, f"nnictl view ended: {said}"
            said += line
        return Shown(experiment_id, _link_in(said))

    def link(self, experiment_id: str, *words: str) -> str:
        """Returns another link to an experiment that runs, from nnictl webui url."""
        return _link_in(self.nnictl("webui", "url", experiment_id, *words))

    def close(self) -> None:
        """Ends everything that it started."""
        for view in self._views:
            view.send_signal(signal.SIGINT)
            view.communicate(timeout=_PATIENCE)
        self.nnictl("stop", "--all")
        shutil.rmtree(self._runtime, ignore_errors=True)


def _link_in(text: str) -> str:
    found = _LINK.search(text)
    assert found is not None, f"no link: {text}"
    return found.group()
