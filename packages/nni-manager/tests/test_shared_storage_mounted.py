"""A storage that is mounted: bind mounts stand for NFS, and processes of this machine for another one."""

from __future__ import annotations

import asyncio
import os
import re
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from nni_manager.shared_storage import probe as probe_module
from nni_manager.shared_storage.interface import SharedStorageError
from nni_manager.shared_storage.mounted_files import MountedFiles
from nni_manager.shared_storage.mounted_storage import MountedStorage
from nni_manager.shared_storage.mounting import (
    MountProgram,
    is_mounted_on,
    mount_id,
    mount_on,
    unmount_on,
)
from nni_manager.shared_storage.nfs import mount_program, nfs_storage
from nni_manager.shared_storage.probe import who_may_write

OTHER_USER = 65534


@dataclass
class Result:
    exit_code: int
    stdout: bytes
    stderr: bytes


def is_mounted(point: Path) -> bool:
    """Says it of bind mounts too, unlike os.path.ismount."""
    return mount_id(point) is not None


class OtherMachine:
    """Runs commands here, as a user of its own if that is wanted."""

    def __init__(self, name: str = "gpu-a", user: int | None = None) -> None:
        self.name = name
        self.user = user
        self.commands: list[str] = []

    async def run(self, command: str, *, input: bytes = b"", timeout: float = 60.0) -> Result:
        self.commands.append(command)
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", command, stdin=-1, stdout=-1, stderr=-1, user=self.user
        )
        out, err = await asyncio.wait_for(process.communicate(input), timeout)
        return Result(process.returncode or 0, out, err)


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    folder.mkdir(0o700)
    monkeypatch.setenv("NNI_RUNTIME_DIR", str(folder))


@pytest.fixture
def places(tmp_path: Path) -> Iterator[tuple[Path, Path, Path]]:
    """The storage itself, a mount point of this machine and one of the other; unmounted at the end."""
    # Other users cannot get into tmp_path.
    with tempfile.TemporaryDirectory(prefix="nni-there-") as there:
        Path(there).chmod(0o755)
        folders = tmp_path / "storage", tmp_path / "here it is", Path(there, "point")
        for folder in folders:
            folder.mkdir()
        yield folders
        for folder in folders[1:]:
            while is_mounted(folder):
                subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def make(places: tuple[Path, Path, Path]) -> Callable[..., MountedStorage]:
    storage, here, there = places

    def make(experiment_id: str = "exp1", **changed: object) -> MountedStorage:
        settings: dict[str, object] = {
            "source": "server:/data",
            "programs": [bind(storage)],
            "local_mount_point": here,
            "remote_mount_point": str(there),
            "experiment_id": experiment_id,
            "mounts_here": True,
        }
        return MountedStorage(**{**settings, **changed})  # type: ignore[arg-type]

    return make


def bind(storage: Path, **changed: object) -> MountProgram:
    settings: dict[str, object] = {
        "command": ("mount", "--bind", str(storage), "{point}"),
        "needs_root": True,
    }
    return MountProgram(**{**settings, **changed})  # type: ignore[arg-type]


async def test_it_is_mounted_on_both_sides_and_unmounted_at_the_end(places, make) -> None:
    storage, here, there = places
    shared, machine = make(), OtherMachine()
    await shared.open()
    folder = await shared.open_machine(machine)
    assert folder.directory == shared.remote_directory == f"{there}/nni/exp1" and folder.is_shared
    assert shared.local_directory == here / "nni" / "exp1"
    (Path(folder.directory) / "result").write_text("7")
    assert shared.files.read("result") == b"7"
    assert (storage / "nni" / "exp1" / "result").read_text() == "7"
    assert (storage / "nni" / "exp1").stat().st_mode & 0o077 == 0
    await shared.close_machine(machine)
    await shared.close()
    assert not is_mounted(here) and not is_mounted(there)
    assert [path.name for path in (storage / "nni" / "exp1").iterdir()] == ["result"]


async def test_what_others_mounted_stays_mounted(places, make) -> None:
    storage, here, there = places
    for point in (here, there):
        subprocess.run(["mount", "--bind", str(storage), str(point)], check=True)
    shared, machine = make(programs=[MountProgram(("false",), needs_root=False)]), OtherMachine()
    await shared.open()
    await shared.open_machine(machine)
    await shared.close_machine(machine)
    await shared.close()
    assert is_mounted(here) and is_mounted(there)


async def test_the_last_experiment_that_uses_a_mount_unmounts_it(places, make) -> None:
    first, second = make("exp1"), make("exp2")
    await first.open()
    before = mount_id(places[1])
    await second.open()
    assert mount_id(places[1]) == before
    await first.close()
    second.files.write("result", b"1")
    assert (places[0] / "nni" / "exp2" / "result").exists()
    await second.close()
    assert not is_mounted(places[1])


async def test_a_mount_of_the_users_after_ours_is_not_taken_for_ours(places, make) -> None:
    shared = make()
    await shared.open()
    subprocess.run(["umount", "-l", str(places[1])], check=True)
    subprocess.run(["mount", "--bind", str(places[0]), str(places[1])], check=True)
    await shared.close()
    assert is_mounted(places[1])


async def test_with_usermount_nothing_is_mounted_here(places, make) -> None:
    shared = make(mounts_here=False, local_mount_point=places[0])
    await shared.open()
    assert (await shared.open_machine(OtherMachine())).is_shared
    await shared.close()
    with pytest.raises(
        SharedStorageError, match=r"server:/data: the local mount point .*/gone is not a folder"
    ):
        await make(mounts_here=False, local_mount_point=places[0] / "gone").open()


async def test_a_machine_with_another_storage_is_named(places, make, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("nni_manager.shared_storage.mounted_storage.VISIBLE_SECONDS", 0.2)
    other = tmp_path / "other storage"
    other.mkdir()
    subprocess.run(["mount", "--bind", str(other), str(places[2])], check=True)
    shared = make()
    await shared.open()
    with pytest.raises(SharedStorageError) as raised:
        await shared.open_machine(OtherMachine())
    await shared.close()
    there = places[2]
    assert str(raised.value) == (
        f"gpu-a: what this machine wrote to server:/data is not seen at {there}/nni/exp1: another storage is "
        f"mounted on {there} there"
    )


async def test_an_nfs_mount_that_fails_tells_what_mount_said_and_its_exit_code(places) -> None:
    """Row 181 of the field reports; no kernel finds a server at this address."""
    settings = {"server": "192.0.2.10", "exported_directory": "/export", "experiment_id": "exp1"}
    shared = nfs_storage(
        **settings, local_mount_point=places[1], remote_mount_point=str(places[2]), local_mounted="nnimount"
    )
    with pytest.raises(SharedStorageError) as raised:
        await shared.open()
    expected = r"mount of 192\.0\.2\.10:/export on .*here it is failed: mount.*\(exit code [1-9]\d*\)"
    assert re.match(expected, str(raised.value)), raised.value
    assert not is_mounted(places[1])


async def test_a_mount_that_fails_on_a_machine_is_told_likewise(places, make) -> None:
    says = "echo 'mount.nfs: access denied by server' >&2; exit 32"
    program = MountProgram(("sh", "-c", says, "{point}"), False, advice=mount_program("s", "/d").advice)
    shared = make(mounts_here=False, local_mount_point=places[0], programs=[program])
    await shared.open()
    with pytest.raises(SharedStorageError) as raised:
        await shared.open_machine(OtherMachine())
    await shared.close()
    assert str(raised.value) == (
        f"mount of server:/data on {places[2]} of gpu-a failed: mount.nfs: access denied by server "
        "(exit code 32); the server does not export that folder to this machine"
    )


async def test_a_missing_mount_program_is_named(places, make) -> None:
    programs = [MountProgram(("mount.nothing",), False), MountProgram(("mount.nobody",), False)]
    with pytest.raises(SharedStorageError) as raised:
        await make(programs=programs).open()
    text = "mount of server:/data failed: neither mount.nothing nor mount.nobody is installed here"
    assert str(raised.value) == text
    shared = make(mounts_here=False, local_mount_point=places[0], programs=programs)
    await shared.open()
    with pytest.raises(SharedStorageError, match=r"on gpu-a failed: neither mount\.nothing nor"):
        await shared.open_machine(OtherMachine())
    await shared.close()


async def test_a_program_that_mounts_nothing_is_told(make) -> None:
    with pytest.raises(SharedStorageError, match="true said no error, and nothing is mounted on"):
        await make(programs=[MountProgram(("true",), False)]).open()


async def test_secrets_reach_the_program_and_nobody_else(places, make, tmp_path, capfd, caplog) -> None:
    storage, secret, got = places[0], "key+with/signs=='\"$", tmp_path / "got"
    script = 'printf "%s|" "$KEY" "$MORE" >> "$3"; exec mount --bind "$1" "$2"'
    command = ("sh", "-c", script, "sh", str(storage), "{point}", str(got))
    program = MountProgram(command, False, {"KEY": secret, "MORE": "another one"})
    assert secret not in repr(program)
    shared, machine = make(programs=[program]), OtherMachine()
    await shared.open()
    await shared.open_machine(machine)
    await shared.close_machine(machine)
    await shared.close()
    assert got.read_text() == 2 * f"{secret}|another one|"
    assert not any("with/signs" in line for line in machine.commands)
    failing = MountProgram(("sh", "-c", 'echo "wrong key $KEY" >&2; exit 1'), False, {"KEY": secret})
    for opened in (make(programs=[failing]).open(), _machine_mount(make, failing, storage)):
        with pytest.raises(SharedStorageError, match=r"failed: wrong key \*\*\*\*\*\* \(exit code 1\)"):
            await opened
    captured = capfd.readouterr()
    assert secret not in captured.out + captured.err + caplog.text


async def _machine_mount(make, program: MountProgram, storage: Path) -> None:
    shared = make(programs=[program], mounts_here=False, local_mount_point=storage)
    await shared.open()
    try:
        await shared.open_machine(OtherMachine())
    finally:
        await shared.close()


async def test_a_mount_whose_program_goes_on_in_the_background_is_not_waited_for(places, make) -> None:
    storage = places[0]
    command = ("sh", "-c", 'mount --bind "$1" "$2" && { sleep 30 & }', "sh", str(storage), "{point}")
    shared, machine = make(programs=[MountProgram(command, False)]), OtherMachine()
    await asyncio.wait_for(shared.open(), 20)
    await asyncio.wait_for(shared.open_machine(machine), 20)
    await shared.close_machine(machine)
    await shared.close()


async def test_another_user_there_is_named_with_who_owns_the_folder(places, make) -> None:
    """Row 187 of the field reports: an export whose user there is not the one here."""
    places[0].chmod(0o755)
    shared = make(mounts_here=False, local_mount_point=places[0])
    await shared.open()
    subprocess.run(["mount", "--bind", str(places[0]), str(places[2])], check=True)
    with pytest.raises(SharedStorageError) as raised:
        await shared.open_machine(OtherMachine(user=OTHER_USER))
    await shared.close()
    text = str(raised.value)
    assert text.startswith("gpu-a: what is written here (by user 0) cannot be read there: cat: ")
    assert "Permission denied" in text and "/nni/exp1 belongs to user 0, its mode is 700" in text
    assert f"this is user {OTHER_USER}: who runs the manager and who runs the trials must be the same" in text


async def test_a_machine_that_may_read_and_not_write_is_named(places, make) -> None:
    shared = make(mounts_here=False, local_mount_point=places[0])
    await shared.open()
    subprocess.run(["mount", "--bind", str(places[0]), str(places[2])], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(places[2])], check=True)
    with pytest.raises(SharedStorageError) as raised:
        await shared.open_machine(OtherMachine())
    await shared.close()
    assert str(raised.value).startswith(f"gpu-a: {places[2]}/nni/exp1 cannot be written: ")
    ending = "Read-only file system; it is mounted, or its server exports it, for reading only"
    assert str(raised.value).endswith(ending)


async def test_a_storage_that_this_machine_cannot_write_to_is_named(places, make) -> None:
    subprocess.run(["mount", "--bind", str(places[0]), str(places[1])], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(places[1])], check=True)
    with pytest.raises(SharedStorageError) as raised:
        await make().open()
    here = str(places[1])
    assert str(raised.value).startswith(f"{here}/nni/exp1/.probe/")
    ending = "Read-only file system; it is mounted, or its server exports it, for reading only"
    assert str(raised.value).endswith(f"cannot be written: {ending}")


async def test_who_may_write_is_said_only_of_a_refusal(places, make, monkeypatch) -> None:
    def fail(self: MountedFiles, name: str, data: bytes) -> None:
        raise SharedStorageError("x cannot be written: Input/output error") from OSError(
            5, "Input/output error"
        )

    monkeypatch.setattr(MountedFiles, "write", fail)
    with pytest.raises(SharedStorageError, match=r"^x cannot be written: Input/output error$"):
        await make().open()
    assert not is_mounted(places[1])


async def test_what_a_machine_writes_has_to_arrive(places, make, monkeypatch) -> None:
    monkeypatch.setattr(probe_module, "VISIBLE_SECONDS", 0.2)
    copy = places[2] / "nni"
    shared = make(mounts_here=False, local_mount_point=places[0])
    await shared.open()
    subprocess.run(["cp", "-r", str(places[0] / "nni"), str(copy)], check=True)
    with pytest.raises(SharedStorageError) as raised:
        await shared.open_machine(OtherMachine())
    await shared.close()
    assert "what gpu-a wrote is not usable here: gpu-a: what it wrote to" in str(raised.value)
    assert "does not arrive: nothing of it is seen here" in str(raised.value)


def test_who_may_write_speaks_to_root_and_to_others(tmp_path, monkeypatch) -> None:
    tmp_path.chmod(0o750)
    text = who_may_write(tmp_path / "not" / "there")
    assert text.startswith(f"; {tmp_path} belongs to user {os.getuid()}, its mode is 750, and this is user")
    monkeypatch.setattr(os, "getuid", lambda: 1234)
    assert who_may_write(tmp_path).endswith(
        "user 1234: who runs the manager and who runs the trials must be the same user of the storage"
    )


@pytest.mark.parametrize("point", ["relative/mount", "~/mount", ""])
def test_a_remote_mount_point_is_a_whole_path(make, point: str) -> None:
    with pytest.raises(SharedStorageError, match=r"remote_mount_point: .* does not begin with /"):
        make(remote_mount_point=point)


def test_nfs_needs_a_mount_here(tmp_path) -> None:
    with pytest.raises(SharedStorageError, match="allowed is usermount or nnimount"):
        nfs_storage(
            server="s",
            exported_directory="/d",
            local_mount_point=tmp_path,
            remote_mount_point="/m",
            local_mounted="nomount",
            experiment_id="e",
        )


async def test_mounts_of_a_machine_are_found_whatever_their_names(tmp_path, places) -> None:
    subprocess.run(["mount", "--bind", str(places[0]), str(places[1])], check=True)
    machine = OtherMachine()
    assert await is_mounted_on(machine, str(places[1]))
    assert await is_mounted_on(machine, f"{places[1]}/")
    assert not await is_mounted_on(machine, str(places[2]))


# Users who are not root: a stand-in for sudo notes what it is asked.

WANTS_PASSWORD = "echo 'sudo: a password is required' >&2; exit 1"


@pytest.fixture
def sudo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Path]]:
    """Puts a sudo on PATH that does this; returns the file with what it was asked, a line each."""
    with tempfile.TemporaryDirectory(prefix="nni-sudo-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        asked = folder / "asked"
        asked.touch()
        asked.chmod(0o666)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

        def install(does: str) -> Path:
            path = folder / "sudo"
            path.write_text(f'#!/bin/sh\necho "$*" >> {asked}\n{does}\n')
            path.chmod(0o755)
            return asked

        yield install


async def test_who_is_not_root_mounts_and_unmounts_with_sudo(
    places, make, sudo, monkeypatch, tmp_path
) -> None:
    storage, here, _ = places
    # It belongs to root, as all that this test makes.
    monkeypatch.setattr("nni_manager.shared_storage.mounting.runtime_directory", lambda: tmp_path / "run")
    asked = sudo('shift; exec "$@"')
    monkeypatch.setattr(os, "getuid", lambda: 1234)
    shared = make()
    await shared.open()
    assert is_mounted(here)
    await shared.close()
    assert not is_mounted(here)
    assert asked.read_text() == f"-n mount --bind {storage} {here}\n-n umount {here}\n"


async def test_a_sudo_that_wants_a_password_is_named(places, sudo, monkeypatch) -> None:
    asked = sudo(WANTS_PASSWORD)
    monkeypatch.setattr(os, "getuid", lambda: 1234)
    shared = nfs_storage(
        server="files",
        exported_directory="/team",
        local_mount_point=places[1],
        remote_mount_point=str(places[2]),
        local_mounted="nnimount",
        experiment_id="exp1",
    )
    with pytest.raises(SharedStorageError) as raised:
        await shared.open()
    assert str(raised.value) == (
        f"mount of files:/team on {places[1]} failed: sudo: a password is required (exit code 1); mount it "
        "yourself, or let the user run mount by sudo without a password"
    )
    assert asked.read_text() == f"-n mount -t nfs -o retry=0 files:/team {places[1]}\n"


async def test_who_is_not_root_there_mounts_with_sudo_too(places, make, sudo) -> None:
    asked, point = sudo("exit 0"), str(places[2])
    program = mount_program("files", "/team")
    machine = OtherMachine(user=OTHER_USER)
    assert await mount_on(machine, [program], "files:/team", point)
    await unmount_on(machine, [program], point)
    assert asked.read_text() == f"-n mount -t nfs -o retry=0 files:/team {point}\n-n umount {point}\n"
    asked = sudo(WANTS_PASSWORD)
    with pytest.raises(SharedStorageError) as raised:
        await mount_on(machine, [program], "files:/team", point)
    assert str(raised.value) == (
        f"mount of files:/team on {point} of gpu-a failed: sudo: a password is required (exit code 1); mount "
        "it yourself, or let the user run mount by sudo without a password"
    )


async def test_a_mount_point_that_only_root_can_make_there_is_made_with_sudo(places, sudo) -> None:
    asked = sudo("exit 0")
    point = f"{places[2]}/new"
    assert await mount_on(OtherMachine(user=OTHER_USER), [mount_program("files", "/team")], "it", point)
    assert asked.read_text().splitlines()[0] == f"-n mkdir -p {point}"


# Files in a folder


def test_files_are_written_whole_and_read_from_anywhere(tmp_path) -> None:
    files = MountedFiles(tmp_path)
    assert files.read("a/b") == b"" and files.size("a/b") == 0
    files.write("a/b", b"0123456789")
    assert (files.read("a/b", 3), files.read("a/b", 3, 4), files.read("a/b", 20)) == (
        b"3456789",
        b"3456",
        b"",
    )
    assert files.size("a/b") == 10
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o600
    files.write("a/b", b"new")
    assert files.read("a/b") == b"new"
    assert files.names() == files.names("a") == ["a/b"] and files.names("nothing") == []
    files.remove("a")
    files.remove("a")
    assert files.names() == []


def test_appending_again_adds_nothing(tmp_path) -> None:
    files = MountedFiles(tmp_path)
    files.append("f", b"one\n", 0)
    files.append("f", b"two\n", 4)
    files.append("f", b"two\n", 4)
    (tmp_path / "f").write_bytes(b"one\ntwo\nthr")  # as if the machine had died in between
    files.append("f", b"three\n", 8)
    assert files.read("f") == b"one\ntwo\nthree\n"
    for data, position in ((b"x", 0), (b"four\n", 20), (b"threw\n", 8)):
        with pytest.raises(SharedStorageError, match="somebody else writes to it"):
            files.append("f", data, position)
    assert files.read("f") == b"one\ntwo\nthree\n"


def test_only_files_that_grew_are_named(tmp_path) -> None:
    files = MountedFiles(tmp_path)
    files.write("a/new", b"12345")
    files.write("a/b/known", b"123")
    assert files.grown("a", {"a/new": 4, "a/b/known": 3, "a/missing": 0}) == {"a/new"}
    assert files.sizes("a") == {"a/new": 5, "a/b/known": 3}
    assert files.sizes("nothing") == {}
    assert not files.costs_requests


def test_files_go_up_and_down(tmp_path) -> None:
    files = MountedFiles(tmp_path / "shared")
    local = tmp_path / "local"
    local.write_bytes(os.urandom(3_000_000))
    files.upload(local, "code/archive")
    files.download("code/archive", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == local.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "local", "run", "shared"]
    with pytest.raises(SharedStorageError, match="nothing cannot be read: No such file"):
        files.download("nothing", tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        files.upload(tmp_path / "none", "x")
    assert files.names() == ["code/archive"]


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../b", "a//b", "", ".", "a/.", "a\0b"])
def test_names_stay_in_the_folder(tmp_path, name: str) -> None:
    files = MountedFiles(tmp_path)
    for use in (files.read, files.remove, files.size, lambda it: files.write(it, b"")):
        with pytest.raises(SharedStorageError, match="is not the name of a shared file"):
            use(name)


def test_removing_a_link_leaves_what_it_points_to(tmp_path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").touch()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "outside")
    MountedFiles(tmp_path).remove("in/link")
    MountedFiles(tmp_path).remove("in")
    assert (tmp_path / "outside" / "file").exists()


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o775, 0o777, 0o1777])
def test_the_folder_of_all_experiments_is_open_to_whom_the_storage_is(tmp_path: Path, mode: int) -> None:
    mount = tmp_path / "mount"
    mount.mkdir()
    mount.chmod(mode)
    if os.geteuid() == 0:
        os.chown(mount, 0, 12345)
    MountedFiles(mount / "nni" / "exp" / "mark", mount / "nni").write("spool/a", b"text")
    common = (mount / "nni").stat()
    assert oct(common.st_mode & 0o777) == oct(mode & 0o777)
    assert bool(common.st_mode & stat.S_ISVTX) == (mode & 0o022 != 0)
    assert common.st_gid == mount.stat().st_gid
    for private in ("nni/exp", "nni/exp/mark", "nni/exp/mark/spool"):
        assert oct((mount / private).stat().st_mode & 0o7777) == oct(0o700)


def test_several_users_have_experiments_in_one_storage() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # which another user gets into
        mount = Path(name)
        mount.chmod(0o777)
        MountedFiles(mount / "nni" / "first", mount / "nni").write("spool/a", b"one")
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                if os.geteuid() == 0:
                    os.setgid(65534)
                    os.setuid(65534)
                MountedFiles(mount / "nni" / "second", mount / "nni").write("spool/a", b"two")
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert (mount / "nni" / "second" / "spool" / "a").read_bytes() == b"two"
