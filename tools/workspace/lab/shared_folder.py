"""Shows a folder of this machine on hosts of a laboratory, as a file server that knows one user alone."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from workspace.lab.accounts import USERS
from workspace.lab.host import Host
from workspace.lab.namespaces import LabError

_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_AT_FDCWD, _AT_EMPTY_PATH, _OPEN_TREE_CLONE, _MOVE_EMPTY_PATH = -100, 0x1000, 1, 4
_IDMAP = 0x100000
_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000


@contextmanager
def shared_folder(hosts: Sequence[Host], folder: Path, place: str, user: str = "ann") -> Iterator[None]:
    """Mounts a folder on hosts: what belongs to root here belongs to a user there, and the other way round.

    Args:
        hosts: The hosts.
        folder: The folder here.
        place: Where it is mounted there.
        user: The user.

    Raises:
        LabError: The kernel refused.
    """
    mounted: list[Host] = []
    try:
        for host in hosts:
            host.run(f"mkdir -p {place}")
            namespace = str(host.root.parent / "ns" / "mnt")
            command = [sys.executable, __file__, namespace, str(folder), place, str(USERS[user])]
            path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
            done = subprocess.run(
                command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
            )
            if done.returncode != 0:
                raise LabError(f"{folder} cannot be mounted on {host.name}: {done.stderr}")
            mounted.append(host)
        yield
    finally:
        for host in mounted:
            host.run(f"umount -l {place} && rmdir {place}")


def _mount(namespace: str, folder: str, place: str, number: int) -> None:
    """Mounts it; ends in the namespace, so nothing else can be done in the process."""
    tree = _call(_OPEN_TREE, _AT_FDCWD, folder.encode(), _OPEN_TREE_CLONE)
    users = _namespace_of_users(number)
    attributes = (ctypes.c_uint64 * 4)(_IDMAP, 0, 0, users)
    _call(_MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH, ctypes.byref(attributes), ctypes.sizeof(attributes))
    _checked(_LIBC.setns(os.open(namespace, os.O_RDONLY), _CLONE_NEWNS))
    _call(_MOVE_MOUNT, tree, b"", _AT_FDCWD, place.encode(), _MOVE_EMPTY_PATH)


def _namespace_of_users(number: int) -> int:
    """Returns a namespace in which root is the user with this number, as an open file."""
    is_ready, may_end = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(may_end[1])
        _checked(_LIBC.unshare(_CLONE_NEWUSER))
        os.write(is_ready[1], b"1")
        os.read(may_end[0], 1)
        os._exit(0)
    os.read(is_ready[0], 1)
    for name in ("uid_map", "gid_map"):
        Path(f"/proc/{child}/{name}").write_text(f"0 {number} 1\n")
    found = os.open(f"/proc/{child}/ns/user", os.O_RDONLY)
    os.close(may_end[1])
    os.waitpid(child, 0)
    return found


def _call(number: int, *arguments: object) -> int:
    return _checked(_LIBC.syscall(number, *arguments))


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


_LIBC = ctypes.CDLL(None, use_errno=True)

if __name__ == "__main__":
    _mount(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
