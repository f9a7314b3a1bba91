"""What jobs promise where several experiments have one id, on one platform with one storage, as tests.

A subclass gives the fixture `make_platform`, which makes a platform that is not open, for the experiment
EXPERIMENT_ID with a folder here:

class TestSameId(SameIdContract):
    @pytest.fixture
    def make_platform(self):
        return lambda folder: Cluster(EXPERIMENT_ID, storage_folder(EXPERIMENT_ID, folder))
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nni_manager.engine.events import TrialEnded, TrialStarted
from nni_manager.testing.job_place import JobPlace
from nni_manager.testing.training_service import Listener, started, trial
from nni_manager.training.jobs.experiment_mark import make_mark
from nni_manager.training.jobs.platform import JobPlatform

EXPERIMENT_ID = "exp00001"

MakePlatform = Callable[[Path], JobPlatform]
"""Makes a platform that is not open, for the experiment with this folder."""

_UNTIL_GO = "echo {name}; until [ -e go ]; do sleep 0.05; done"


class SameIdContract:
    """What jobs of experiments with one id promise. Their trials have the same ids, too."""

    @pytest.fixture(params=[False, True], ids=["a-job-each", "pool"])
    def make_place(
        self, request: pytest.FixtureRequest, tmp_path: Path, make_platform: MakePlatform
    ) -> Callable[[str], JobPlace]:
        """Makes the place of an experiment with a folder and a mark of its own."""

        def make(name: str) -> JobPlace:
            folder = tmp_path / name
            folder.mkdir()
            place = JobPlace(folder, lambda: make_platform(place.experiment), reuse_mode=request.param)
            place.jobs = tmp_path / "jobs"  # jobs run on one machine
            make_mark(place.experiment)
            return place

        return make

    async def test_one_after_the_other(self, make_place: Callable[[str], JobPlace]) -> None:
        """The second starts its trial anew, and gets its own outcome and output."""
        for code, name in enumerate(["first", "second"], 3):
            place, listener = make_place(name), Listener()
            async with started(place.service(f"echo {name}; exit {code}", listener.emit)) as service:
                service.submit(trial())
                ended = await listener.next("abcde", TrialEnded)
            assert ended.exit_code == code
            assert len(listener.of("abcde", TrialStarted)) == 1
            assert place.read("abcde", "stdout") == f"{name}\n".encode()

    async def test_at_the_same_time(self, make_place: Callable[[str], JobPlace]) -> None:
        """What the second stops and leaves behind when it ends is none of the first's."""
        first, listener = make_place("first"), Listener()
        second, other_listener = make_place("second"), Listener()
        async with started(first.service(_UNTIL_GO.format(name="first"), listener.emit)) as service:
            service.submit(trial())
            await listener.next("abcde", TrialStarted)
            command = _UNTIL_GO.format(name="second")
            async with started(second.service(command, other_listener.emit)) as other:
                other.submit(trial())
                await other_listener.next("abcde", TrialStarted)
                other.cancel("abcde", 0)
                await other_listener.next("abcde", TrialEnded)
            first.write_code("go", "")
            ended = await listener.next("abcde", TrialEnded)
        assert (ended.exit_code, ended.signal) == (0, None)
        assert first.read("abcde", "stdout") == b"first\n"
        assert second.read("abcde", "stdout") == b"second\n"
