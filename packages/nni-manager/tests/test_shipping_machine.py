"""Code and SDK on a machine: sent once, unpacked once. The machine is a folder of this one."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.shipping import ship as ship_module
from nni_manager.training.shipping.code import CodeArchive, pack_code
from nni_manager.training.shipping.ship import ShippingError, remove_there, ship


@dataclass
class Done:
    exit_code: int
    stdout: bytes
    stderr: bytes


@dataclass
class Machine:
    """A machine, and what went over the connection to it."""

    home: Path
    commands: list[bytes] = field(default_factory=list)
    sent_bytes: int = 0
    lost_after: int | None = None

    async def run(self, command: str, *, input: bytes = b"", timeout: float = 60) -> Done:
        self.commands.append(input)
        self._lose()
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            command,
            env={"HOME": str(self.home), "PATH": os.defpath},
            cwd=self.home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        output, errors = await asyncio.wait_for(process.communicate(input), timeout)
        return Done(process.returncode or 0, output, errors)

    async def upload(self, local: Path, remote: str, progress=None) -> None:
        self._lose()
        shutil.copyfile(local, remote)
        size = local.stat().st_size
        self.sent_bytes += size
        if progress is not None:
            progress(size, size)

    def _lose(self) -> None:
        if self.lost_after is not None:
            self.lost_after -= 1
            if self.lost_after < 0:
                raise TrainingServiceError("the connection was lost")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "home").mkdir()
    return Machine(tmp_path / "home")


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    (folder / "lib").mkdir(parents=True)
    (folder / "train.py").write_text("print('trained')")
    (folder / "lib" / "model.py").touch()
    (folder / "link").symlink_to("lib/model.py")
    return folder


def pack(code: Path) -> CodeArchive:
    return pack_code(code, code.parent / "packed", experiments_directory=code.parent / "none")


def old_python() -> str:
    root = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    found = sorted(root.glob("versions/3.8.*/bin/python"))
    if not found:
        pytest.skip("there is no Python 3.8 here")
    return str(found[0])


async def test_a_trial_runs_there_in_the_copy_with_the_sdk_and_nothing_installed(
    machine: Machine, code
) -> None:
    archive, seen = pack(code), []
    python = old_python()
    shipped = await ship(machine, archive, "~/nni-experiments/e1", python, lambda *sizes: seen.append(sizes))
    place = machine.home / "nni-experiments" / "e1"
    assert shipped.directory == str(place)
    assert shipped.code_directory == str(place / "code" / archive.sha256)
    assert (Path(shipped.code_directory) / "link").is_symlink()
    assert seen == [(archive.packed_byte_count, archive.packed_byte_count)]
    script = "import nni, nni.courier.courier, nni.runner; print(nni.__file__)"
    done = subprocess.run(
        [python, "-S", "-c", script],
        cwd=shipped.code_directory, env={"PYTHONPATH": shipped.sdk_directory},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip().startswith(shipped.sdk_directory)
    for path in (place.parent, place, place / "code", Path(shipped.code_directory)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert sorted(path.name for path in place.rglob(".*")) == []


async def test_it_is_sent_once(machine: Machine, code: Path) -> None:
    archive = pack(code)
    first = await ship(machine, archive, "~/e1", sys.executable)
    sent = machine.sent_bytes
    assert sent >= archive.packed_byte_count
    for _ in range(5):
        assert await ship(machine, archive, "~/e1", sys.executable) == first
    assert machine.sent_bytes == sent
    (code / "train.py").write_text("changed")
    changed = await ship(machine, pack(code), "~/e1", sys.executable)
    assert changed.code_directory != first.code_directory and changed.sdk_directory == first.sdk_directory
    assert (Path(first.code_directory) / "train.py").read_text() == "print('trained')"


async def test_several_managers_send_at_the_same_time(machine: Machine, code: Path) -> None:
    archive = pack(code)
    shipped = await asyncio.gather(*(ship(machine, archive, "~/e1", sys.executable) for _ in range(4)))
    assert len(set(shipped)) == 1
    place = machine.home / "e1"
    assert sorted(path.name for path in (place / "code").iterdir()) == [archive.sha256]
    assert len(list((place / "sdk").iterdir())) == 1


@pytest.mark.parametrize("steps", range(5))
async def test_a_lost_connection_leaves_nothing_that_stands_in_the_way(
    machine: Machine, code, steps: int
) -> None:
    archive = pack(code)
    machine.lost_after = steps
    with pytest.raises(TrainingServiceError, match="was lost"):
        await ship(machine, archive, "~/e1", sys.executable)
    machine.lost_after = None
    shipped = await ship(machine, archive, "~/e1", sys.executable)
    assert (Path(shipped.code_directory) / "train.py").exists()


async def test_a_place_with_odd_characters(machine: Machine, code: Path) -> None:
    directory = machine.home / 'it\'s a "place" \u00e9 $HOME'
    shipped = await ship(machine, pack(code), str(directory), sys.executable)
    assert Path(shipped.code_directory).parent.parent == directory


async def test_too_little_space_is_told_before_anything_is_sent(
    machine: Machine, code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ship_module, "_program", lambda: f"{PROGRAM}\nos.statvfs = lambda path: Full\n")
    with pytest.raises(ShippingError, match=r"has 4 KB left, the code needs \d+ KB"):
        await ship(machine, pack(code), "~/e1", sys.executable)
    assert machine.sent_bytes == 0


PROGRAM = ship_module._program() + "\nclass Full:\n    f_bavail = 1\n    f_frsize = 4096\n"


@pytest.mark.parametrize(
    ("python", "message"),
    [("/none/python3", r"/none/python3 .* exit code 127: .*not found"), ("false", r"exit code 1: no output")],
)
async def test_a_python_that_does_not_work_is_told(
    machine: Machine, code: Path, python: str, message: str
) -> None:
    with pytest.raises(ShippingError, match=message):
        await ship(machine, pack(code), "~/e1", python)


async def test_a_place_that_cannot_be_written_is_told(machine: Machine, code: Path) -> None:
    (machine.home / "e1").touch()
    with pytest.raises(ShippingError, match=r"/home/e1' is no folder"):
        await ship(machine, pack(code), "~/e1", sys.executable)


async def test_what_is_removed_is_gone(machine: Machine, code: Path) -> None:
    await ship(machine, pack(code), "~/e1", sys.executable)
    assert await remove_there(machine, sys.executable, "~/e1") == []
    assert list(machine.home.iterdir()) == []


@pytest.mark.slow
async def test_five_thousand_files_beside_much_data(machine: Machine, code: Path) -> None:
    """Field reports 183 and 186: sent once for all trials, and there once."""
    for number in range(5000):
        path = code / f"folder{number % 70}" / f"file{number}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(os.urandom(2_000))
    with (code / "data.bin").open("wb") as data:
        data.truncate(10 << 30)
    (code / ".nniignore").write_text("/data.bin\n")
    archive = pack(code)
    assert archive.file_count == 5003 and archive.byte_count == pytest.approx(10e6, rel=0.01)
    for _ in range(5):
        shipped = await ship(machine, archive, "~/e1", sys.executable)
    assert machine.sent_bytes < archive.packed_byte_count + 200_000
    files = [path for path in machine.home.rglob("*") if path.is_file()]
    assert len([path for path in files if path.parent.name.startswith("folder")]) == 5000
    assert sum(path.stat().st_size for path in Path(shipped.code_directory).rglob("*.py")) > 10e6
    assert sum(path.stat().st_size for path in files) < 12e6
