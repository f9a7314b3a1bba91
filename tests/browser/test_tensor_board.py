from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nni_manager.testing import fake_tensorboard
from playwright.sync_api import expect
from workspace.browser import PageStage

CONFIG = """\
trialConcurrency: 1
maxTrialNumber: 1
searchSpace: {x: {_type: uniform, _value: [0, 1]}}
tuner: {name: Random}
trainingService: {platform: local}
"""

TRIAL = """\
import os
import nni
nni.get_next_parameter()
os.mkdir(os.path.join(os.environ["NNI_OUTPUT_DIR"], "tensorboard"))
nni.report_final_result(1.0)
"""


@pytest.fixture
def own_stage(tmp_path: Path) -> Iterator[PageStage]:
    stage = PageStage(tmp_path / "stage")
    fake_tensorboard.install(tmp_path / "packages")
    stage.environment["PYTHONPATH"] = str(tmp_path / "packages")
    yield stage
    stage.close()


def test_nnictl_starts_one_that_the_page_shows_and_the_end_of_the_experiment_ends_it(
    visit: Any, own_stage: PageStage
) -> None:
    shown = own_stage.start(CONFIG, TRIAL)
    own_stage.nnictl("wait", shown.experiment_id)
    said = own_stage.nnictl("tensorboard", shown.experiment_id)
    found = re.search(r"TensorBoard: (\S+)\n.*: (\S+sign-in\S+)", said)
    assert found is not None, said
    address, link = found.groups()
    assert address.startswith(f"{shown.address}tensorboard/")

    visitor = visit(shown)
    visitor.watched.allow("sandbox attribute|favicon.ico")  # of TensorBoard's own page
    visitor.page.goto(address)
    expect(visitor.page.locator("body")).to_contain_text('"runs": ["0-')
    path = address.removeprefix(shown.address)
    assert own_stage.nnictl("tensorboard", "list", shown.experiment_id) == f"{path}  all trials  runs\n"
    assert boards_of(own_stage) == 1

    assert "Stopped 1" in own_stage.nnictl("tensorboard", "stop", shown.experiment_id)
    assert "There are no TensorBoards" in own_stage.nnictl("tensorboard", "list")
    assert boards_of(own_stage) == 0
    own_stage.nnictl("tensorboard", "start")
    assert boards_of(own_stage) == 1
    own_stage.nnictl("stop", shown.experiment_id)
    assert boards_of(own_stage) == 0
    assert link != shown.link


def boards_of(stage: PageStage) -> int:
    """Returns how many TensorBoards of the stage's managers run."""
    runtime = stage.environment["NNI_RUNTIME_DIR"].encode()
    count = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        count += b"nni_manager.tensor_board.process" in words and runtime in words
    return count
