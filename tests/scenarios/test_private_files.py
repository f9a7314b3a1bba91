"""Nobody else reads what an experiment writes, whatever the umask is."""

from __future__ import annotations

import stat
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "experiment_folder.md"

TRIAL = """\
import logging, nni
nni.get_next_parameter()
logging.getLogger(__name__).info("noted")
nni.report_intermediate_result(1)
nni.report_final_result(1)
"""


def test_every_file_and_folder_of_an_experiment_is_private(stage) -> None:
    stage.write("trial.py", TRIAL)
    output = stage.run("os.umask(0)\nexperiment = make(trials=1)\nassert experiment.run(0) is True")
    (experiment,) = (path for path in stage.experiments.iterdir() if not path.is_symlink())
    found = [experiment, *experiment.rglob("*")]
    names = {path.name for path in found}
    assert {"trials", ".nni", "0", "run.json", "reports.jsonl", "trial.log", "stdout", "db"} <= names, output
    wrong = {
        str(path.relative_to(stage.experiments)): oct(stat.S_IMODE(path.stat().st_mode))
        for path in found
        if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) != (0o700 if path.is_dir() else 0o600)
    }
    assert wrong == {}
    assert (stage.experiments / "_latest").resolve() == experiment
    (trial,) = (experiment / "trials").iterdir()
    for path in ("log/nnimanager.log", "log/dispatcher.log", "log/experiment.log"):
        assert (experiment / path).is_file(), path
    for path in ("stdout", "stderr", "trial.log"):
        assert (trial / path).is_file(), path
    rows = [line.split("|")[1] for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    documented = {part.strip(" `").split("/")[0] for row in rows for part in row.split(",")}
    assert {path.name for path in experiment.iterdir()} <= documented
