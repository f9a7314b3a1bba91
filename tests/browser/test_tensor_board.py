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


SCALARS = """\
import os
import nni
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.event_file_writer import EventFileWriter

x = nni.get_next_parameter()["x"]
writer = EventFileWriter(os.path.join(os.environ["NNI_OUTPUT_DIR"], "tensorboard"))
for step in range(5):
    value = summary_pb2.Summary.Value(tag="a-loss", simple_value=x / (step + 1))
    writer.add_event(event_pb2.Event(step=step, summary=summary_pb2.Summary(value=[value])))
writer.close()
nni.report_final_result(x)
"""


@pytest.mark.slow
def test_the_real_one_shows_what_marked_trials_have_written(visit: Any, tmp_path: Path) -> None:
    stage = PageStage(tmp_path / "stage")
    try:
        shown = stage.start(CONFIG.replace("maxTrialNumber: 1", "maxTrialNumber: 2"), SCALARS)
        stage.nnictl("wait", shown.experiment_id)
        visitor = visit(shown, "#/trials")
        # TensorBoard's own page asks for what nobody has, and for its fonts where it is not.
        visitor.watched.allow("/tensorboard/|sandbox attribute|favicon.ico|font-roboto")
        visitor.page.get_by_role("checkbox", name="Select trial 1").check()
        with visitor.watched.context.expect_page(timeout=120_000) as opened:
            visitor.page.get_by_role("button", name="TensorBoard", exact=True).click()
        tab = opened.value
        tab.wait_for_url(f"{shown.address}tensorboard/**", timeout=120_000)
        expect(tab.get_by_text("a-loss").first).to_be_visible(timeout=60_000)
        expect(tab.get_by_text(re.compile(r"\b1-\w{5}")).first).to_be_visible(timeout=60_000)
        expect(tab.get_by_text(re.compile(r"\b0-\w{5}"))).to_have_count(0)
        visitor.page.close()
        tab.close()
    finally:
        stage.close()


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
