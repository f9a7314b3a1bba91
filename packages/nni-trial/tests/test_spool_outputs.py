"""What a job does with what its trials write: it is sent, or given to whom the folder belongs to."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from nni import spool_outputs
from nni.blob_error import BlobError
from nni.spool_files import FolderFiles
from nni.spool_outputs import GiveTo, Outputs, SendTo, outputs_of

STARTED = b'{"started": {"trialId": "abcde", "attempt": 0}}'
ENDED = b'{"ended": {"trialId": "abcde", "attempt": 0, "exitCode": 0}}'


def write(folder: Path, name: str, content: bytes, mode: str = "wb") -> None:
    path = folder / "trials" / "abcde" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open(mode) as file:
        file.write(content)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return tmp_path / "here"


@pytest.fixture
def there(tmp_path: Path) -> Path:
    return tmp_path / "there"


class Failing(FolderFiles):
    """A storage of which some calls fail after they did what they were to do, or before."""

    def __init__(self, folder: str, after: list[bool]) -> None:
        super().__init__(folder)
        self.after = after

    def append(self, name: str, data: bytes, position: int) -> None:
        if self.after:
            if self.after.pop(0):
                super().append(name, data, position)
            raise BlobError("no answer")
        super().append(name, data, position)


def test_logs_are_sent_as_they_grow_behind_those_of_another_job(here: Path, there: Path) -> None:
    write(there, "stdout", b"of the first attempt\n")
    write(here, "stdout", b"one\n")
    sending = SendTo(FolderFiles(str(there)), str(here))
    assert sending.logs("abcde")
    assert not sending.logs("abcde")
    write(here, "stdout", b"two\n", "ab")
    assert sending.logs("abcde")
    assert (there / "trials/abcde/stdout").read_bytes() == b"of the first attempt\none\ntwo\n"


@pytest.mark.parametrize("after", [[True], [False], [True, False, True]])
def test_what_is_tried_again_is_sent_once(here: Path, there: Path, after: list[bool]) -> None:
    sending = SendTo(Failing(str(there), after), str(here))
    write(here, "stdout", b"one\n")
    while after:
        with pytest.raises(BlobError):
            sending.logs("abcde")
        write(here, "stdout", b"more\n", "ab")
    sending.logs("abcde")
    sent = (there / "trials/abcde/stdout").read_bytes()
    assert sent == (here / "trials/abcde/stdout").read_bytes()


def test_the_rest_is_sent_and_too_much_is_named(
    here: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(here, "model/weights", b"w" * 50)
    (here / "trials/abcde/link").symlink_to("/etc/passwd")
    sending = SendTo(FolderFiles(str(there)), str(here))
    assert sending.rest("abcde") == ""
    assert (there / "trials/abcde/model/weights").read_bytes() == b"w" * 50
    assert not (there / "trials/abcde/link").exists()
    monkeypatch.setattr(spool_outputs, "MOST_BYTES", 49)
    assert "not sent, beyond its logs" in sending.rest("abcde")


def test_an_end_is_told_once_all_is_sent(here: Path, there: Path) -> None:
    write(here, "stdout", b"out")
    outputs = Outputs(SendTo(FolderFiles(str(there)), str(here)), 60.0)
    assert not outputs.passed(STARTED)
    assert outputs.passed(ENDED)
    lines: list[bytes] = []
    while outputs.is_busy:
        lines += outputs.ready()
        time.sleep(0.01)
    outputs.close()
    assert [next(iter(json.loads(line))) for line in lines] == ["sent", "ended"]
    assert lines[-1] == ENDED
    assert (there / "trials/abcde/stdout").read_bytes() == b"out"


def test_what_root_makes_is_given_to_whom_the_folder_belongs_to(here: Path) -> None:
    write(here, "stdout", b"out")
    write(here, "model/weights", b"w")
    write(here, "model/of_another", b"o")
    trial = here / "trials" / "abcde"
    owner, another = os.geteuid(), os.geteuid()
    if owner == 0:  # nobody else can give files away
        owner, another = 1234, 1235
        os.chown(here / "trials", owner, owner)
        os.chown(trial / "model" / "of_another", another, another)
    (here / "outside").touch()
    (trial / "link").symlink_to(here / "outside")
    giving = GiveTo(str(here))
    giving.logs("abcde")
    assert [path.stat().st_uid for path in (trial, trial / "stdout")] == [owner, owner]
    giving.rest("abcde")
    assert (trial / "model" / "weights").stat().st_uid == owner
    assert (trial / "model" / "of_another").stat().st_uid == another
    assert (trial / "link").lstat().st_uid == owner
    assert (here / "outside").stat().st_uid == os.geteuid()


def test_nothing_is_done_where_nothing_is_to_be_done(here: Path, there: Path) -> None:
    (here / "trials").mkdir(parents=True)
    files: Any = FolderFiles(str(there))
    assert outputs_of(files, str(here), 0.0) is None
    sending = outputs_of(files, str(here), 5.0)
    assert sending is not None
    sending.close()
