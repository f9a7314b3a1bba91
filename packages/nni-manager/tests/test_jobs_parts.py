"""Parts of following jobs: what is noted, which job takes a trial, what is copied, how a job begins."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from nni_manager.shared_storage.mounted_files import MountedFiles
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.jobs.calls import PlatformCalls
from nni_manager.training.jobs.job import Job, end_words
from nni_manager.training.jobs.outputs import JobOutputs, MountedSource, SentSource
from nni_manager.training.jobs.pace import Pace
from nni_manager.training.jobs.platform import JobReport, JobState, PlatformAwayError
from nni_manager.training.jobs.pool import job_with_room
from nni_manager.training.jobs.record import FILE_NAME, JobRecord
from nni_manager.training.jobs.start_command import start_command
from nni_manager.training.shipping.archive import Archive

QUICK = Pace(retry_seconds=0.001, most_retry_seconds=0.01)


# What is noted


def test_the_job_of_an_attempt_is_read_again(tmp_path: Path) -> None:
    record = JobRecord(tmp_path)
    record.open()
    record.add({("a", 0): "job_0", ("b", 0): "job_1"})
    record.add({("a", 0): "job_2"})
    again = JobRecord(tmp_path)
    again.open()
    assert again.job_of(("a", 0)) == "job_2"
    assert again.job_of(("b", 0)) == "job_1"
    assert again.job_of(("a", 1)) is None
    assert again.jobs() == {"job_1", "job_2"}
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_a_line_that_was_cut_short_is_left_out_and_followed_by_whole_ones(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record = JobRecord(tmp_path)
    record.add({("a", 0): "job_0"})
    with (tmp_path / FILE_NAME).open("ab") as file:
        file.write(b'{"trial": "b", "atte')
    for _ in range(2):
        again = JobRecord(tmp_path)
        again.open()
        again.add({("c", 1): "job_3"})
    assert "line 2 is not whole" in caplog.text
    assert again.jobs() == {"job_0", "job_3"}


# Which job takes a trial


def job(name: str, *trials: str, **fields: Any) -> Job:
    found = Job(name, spool=None, is_pooled=True, **fields)  # type: ignore[arg-type]
    found.trials = {(trial, 0) for trial in trials}
    return found


def test_a_trial_goes_to_a_job_that_runs_and_has_room() -> None:
    waiting, running, full = job("waiting"), job("running", has_run=True), job("full", "a", has_run=True)
    jobs = [waiting, running, full]
    assert job_with_room(jobs, ("b", 0), 1) is running
    assert job_with_room(jobs, ("b", 0), 2) is full, "so that others can end"
    assert job_with_room([full], ("a", 1), 2) is None, "two attempts of a trial write to one folder"
    assert job_with_room([job("over", is_over=True), job("ending", is_ending=True)], ("b", 0), 1) is None
    running.is_pooled = False
    assert job_with_room([running], ("b", 0), 1) is None


# What is copied


def outputs(tmp_path: Path, *, mounted: bool = True, most_bytes: int = 1000) -> JobOutputs:
    there = tmp_path / "shared" / "trials"
    source = MountedSource(there) if mounted else SentSource(MountedFiles(tmp_path / "shared"))
    return JobOutputs(source, "the cluster", tmp_path / "here" / "trials", most_bytes)


def there(tmp_path: Path, name: str, content: bytes, mode: str = "wb") -> Path:
    path = tmp_path / "shared" / "trials" / "abcde" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open(mode) as file:
        file.write(content)
    return path


@pytest.mark.parametrize("mounted", [True, False])
def test_logs_grow_here_as_they_do_there(tmp_path: Path, mounted: bool) -> None:
    here = tmp_path / "here" / "trials" / "abcde"
    copying = outputs(tmp_path, mounted=mounted)
    there(tmp_path, "stdout", b"one\n")
    copying.copy_logs(["abcde"])
    there(tmp_path, "stdout", b"two\n", "ab")
    outputs(tmp_path, mounted=mounted).copy_logs(["abcde"])  # of the next manager
    assert (here / "stdout").read_bytes() == b"one\ntwo\n"
    there(tmp_path, "model/weights", b"w" * 100)
    there(tmp_path, ".nni/0/run.json", b"{}")
    copying.copy_all("abcde")
    assert (here / "model" / "weights").read_bytes() == b"w" * 100
    assert (here / "stderr").read_bytes() == b""
    assert not (here / ".nni" / "0").exists()


def test_what_an_attempt_elsewhere_wrote_stays_before_it(tmp_path: Path) -> None:
    here = tmp_path / "here" / "trials" / "abcde"
    here.mkdir(parents=True)
    (here / "stdout").write_bytes(b"on this machine\n")
    there(tmp_path, "stdout", b"in a job\n")
    for _ in range(2):
        outputs(tmp_path).copy_logs(["abcde"])
    assert (here / "stdout").read_bytes() == b"on this machine\nin a job\n"


def test_more_than_allowed_stays_there_and_logs_come(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    there(tmp_path, "model", b"w" * 2000)
    there(tmp_path, "stdout", b"out")
    outputs(tmp_path).copy_all("abcde")
    here = tmp_path / "here" / "trials" / "abcde"
    assert (here / "stdout").read_bytes() == b"out"
    assert not (here / "model").exists()
    assert "stays in the storage of the cluster" in caplog.text


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    path = there(tmp_path, "stderr", b"")
    for name in ("stdout", "model"):
        (path.parent / name).symlink_to(tmp_path / "secret")
    with pytest.raises(OSError):
        outputs(tmp_path).copy_all("abcde")
    (path.parent / "stdout").unlink()
    outputs(tmp_path).copy_all("abcde")
    assert not (tmp_path / "here" / "trials" / "abcde" / "model").exists()


# A platform that is away


async def test_a_call_is_made_again_until_there_is_an_answer() -> None:
    told: list[tuple[bool, str]] = []
    reasons: list[str] = []
    answers: list[Any] = [PlatformAwayError("502"), PlatformAwayError("token expired", None, "renew it"), 7]

    async def call() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return int(answer)

    calls = PlatformCalls("the cluster", QUICK, lambda is_back, reason: told.append((is_back, reason)))
    assert await calls.until_answered(call, reasons.append) == 7
    assert reasons == ["502", "token expired; renew it"]
    assert told == [(False, "token expired; renew it"), (True, "")]


async def test_one_failure_says_little_and_a_refusal_is_an_answer() -> None:
    told: list[tuple[bool, str]] = []
    calls = PlatformCalls("the cluster", QUICK, lambda is_back, reason: told.append((is_back, reason)))

    async def raises(error: Exception) -> None:
        raise error

    for error in (PlatformAwayError("a"), TrainingServiceError("no"), PlatformAwayError("b")):
        with pytest.raises(type(error)):
            await calls.once(lambda error=error: raises(error))  # type: ignore[misc]
    assert told == []
    with pytest.raises(PlatformAwayError):
        await calls.once(lambda: raises(KeyError("broken")))
    assert told == [(False, "a call broke: KeyError('broken')")]


async def test_what_hangs_counts_as_away() -> None:
    calls = PlatformCalls("the cluster", Pace(call_seconds=0.01), lambda is_back, reason: None)
    with pytest.raises(PlatformAwayError, match="no answer within"):
        await calls.once(asyncio.Event().wait)


async def test_a_call_can_be_canceled_in_the_moment_of_its_answer() -> None:
    calls = PlatformCalls("the cluster", Pace(), lambda is_back, reason: None)
    answered = asyncio.Event()

    async def call() -> None:
        await answered.wait()

    async def again_and_again() -> None:
        while True:
            await calls.once(call)

    task = asyncio.create_task(again_and_again())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    answered.set()
    for _ in range(2):  # until the call has ended, and who made it has not heard of that
        await asyncio.sleep(0)
    answered.clear()
    task.cancel()
    assert (await asyncio.wait([task], timeout=5))[0] == {task}


def test_a_platform_says_when_to_ask_again() -> None:
    calls = PlatformCalls("the cluster", Pace(), lambda is_back, reason: None)
    assert calls.pause(PlatformAwayError("429", retry_after=17.0), 1.0) == 17.0
    assert calls.pause(PlatformAwayError("429", retry_after=9999.0), 1.0) == 60.0


# Ends in words


@pytest.mark.parametrize(
    ("report", "text"),
    [
        (
            JobReport("j", JobState.FAILED, "", 137),
            "its job j failed with exit code 137 (killed: out of memory, or stopped by the platform)",
        ),
        (JobReport("j", JobState.FAILED, "image not found"), "its job j failed: image not found"),
        (JobReport("j", JobState.SUCCEEDED, "", 0), "its job j ended without a word of it"),
        (JobReport("j", JobState.STOPPED, "preempted"), "its job j was stopped: preempted"),
    ],
)
def test_ends_in_words(report: JobReport, text: str) -> None:
    assert end_words(report) == text


# The start command


def test_what_is_not_whole_is_waited_for_and_named(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "sdk-0.tar.gz", "0" * 64, 1, 1, 10)
    command = start_command(
        brought="$WHERE", folder=str(tmp_path / "jobs" / "a b"), archives={"sdk": archive}, spool_arguments=[]
    )
    assert "${{" not in command and "<%" not in command
    done = subprocess.run(
        ["/bin/bash", "-c", command.replace("ARRIVE_SECONDS = 120.0", "ARRIVE_SECONDS = 0.1")],
        env={"PATH": f"{Path(sys.executable).parent}{os.pathsep}/bin", "WHERE": str(tmp_path / "a place")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"nni: the job cannot begin: {tmp_path}/a place/sdk-0.tar.gz is not there, or not whole; is the "
        "storage mounted in the job?\n"
    )


def test_a_job_that_is_started_again_finds_what_was_left_and_another_of_its_name_does_not(
    tmp_path: Path,
) -> None:
    archive = Archive(tmp_path / "sdk-0.tar.gz", "0" * 64, 1, 1, 10)
    folder = tmp_path / "jobs" / "job"

    def command() -> str:
        made = start_command(
            brought="/none", folder=str(folder), archives={"sdk": archive}, spool_arguments=[]
        )
        return made.replace("ARRIVE_SECONDS = 120.0", "ARRIVE_SECONDS = 0.01")

    def run(line: str) -> None:
        done = subprocess.run(["/bin/bash", "-c", line], capture_output=True, text=True)
        assert "is not there, or not whole" in done.stderr

    first = command()
    run(first)
    (folder / "left").touch()
    run(first)
    assert (folder / "left").exists()
    run(command())
    assert folder.exists() and not (folder / "left").exists()
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    done = subprocess.run(["/bin/bash", "-c", command()], capture_output=True, text=True)
    assert "belongs to somebody else" in done.stderr
