"""An SSH server on loopback that tests may cut off, stop and start again; Linux, root and OpenSSH needed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from nni_manager.training.ssh.target import SshTarget

USERS = {"worker": 0, "other": 64321}
"""The users that may sign in, with their ids. The first is root, with a home of its own."""

_SSHD = "/usr/sbin/sshd"
_SETTINGS = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile /home/%u.pub
PidFile none
UsePAM no
PrintMotd no
UseDNS no
StrictModes no
PermitRootLogin yes
MaxStartups 100
Subsystem sftp internal-sftp
"""

# Its users and homes are seen by this server and what it starts alone.
_START = """\
set -e
mount --make-rprivate /
mount --bind passwd /etc/passwd
mount --bind shadow /etc/shadow
mount --bind home /home
mkdir -p /run/sshd
exec {sshd} -D -e -f sshd_config
"""


class SshServer:
    """A server with an empty home for each user.

    Attributes:
        port: Its port at 127.0.0.1.
    """

    def __init__(self, folder: Path) -> None:
        """Makes what it needs in an empty folder, and starts it."""
        self._folder = folder
        accounts = Path("/etc/passwd").read_text()
        secrets = Path("/etc/shadow").read_text()
        for name, number in USERS.items():
            home = self.home(name)
            home.mkdir(parents=True)
            os.chown(home, number, number)
            home.chmod(0o700)
            accounts += f"{name}:x:{number}:{number}::/home/{name}:/bin/bash\n"
            secrets += f"{name}:*:19000:0:99999:7:::\n"
        (folder / "home").chmod(0o755)
        (folder / "passwd").write_text(accounts)
        (folder / "shadow").write_text(secrets)
        for name in ("host_key", "key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        for name in USERS:
            shutil.copy(folder / "key.pub", folder / "home" / f"{name}.pub")  # read as that user
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        (folder / "sshd_config").write_text(_SETTINGS.format(port=self.port, folder=folder))
        self._process: subprocess.Popen[bytes] | None = None
        self._namespaces: set[str] = set()
        self.start()

    def home(self, user: str = "worker") -> Path:
        """Returns the home of a user, as it is seen from outside."""
        return self._folder / "home" / user

    def target(self, user: str = "worker", name: str = "loopback") -> SshTarget:
        """Returns what is needed to connect."""
        target = SshTarget(
            name=name,
            host="127.0.0.1",
            user=user,
            port=self.port,
            key_files=(self._folder / "key",),
            known_hosts=(self._folder / "known_hosts",),
            connect_timeout=30.0,
        )
        return replace(target, only_these_keys=True)

    def start(self) -> None:
        """Starts it again."""
        process = subprocess.Popen(
            ["unshare", "--mount", "bash", "-c", _START.format(sshd=_SSHD)],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        said = b""
        while b"Server listening" not in said:
            line = process.stderr.readline()
            assert line, f"the SSH server ended: {said.decode()}"
            said += line
        self._process = process
        self._namespaces.add(_namespace(process.pid))

    def processes(self, words: str) -> list[int]:
        """Returns the processes on the machine that have some words in their command or current folder."""
        found = []
        for pid in self._all():
            with suppress(OSError):
                path = Path(f"/proc/{pid}")
                command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                if words in command or words in str((path / "cwd").readlink()):
                    found.append(pid)
        return found

    def end_all(self) -> None:
        """Ends it with all that runs because of it."""
        self.stop()
        while pids := self._all():
            _signal_all(pids, signal.SIGKILL)
            time.sleep(0.01)

    def _all(self) -> list[int]:
        pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
        return [pid for pid in pids if _namespace(pid) in self._namespaces]

    def stop(self) -> None:
        """Ends it, and every connection. What runs because of it goes on."""
        process, self._process = self._process, None
        if process is None:
            return
        sessions = self._sessions(process)
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()
        _signal_all(sessions, signal.SIGKILL)

    def cut(self) -> int:
        """Ends every connection, and returns how many processes served them."""
        assert self._process is not None
        sessions = self._sessions(self._process)
        _signal_all(sessions, signal.SIGKILL)
        return len(sessions)

    def pause(self) -> list[int]:
        """Lets every connection go silent, as a broken cable does, and returns what `end` is to get."""
        assert self._process is not None
        sessions = self._sessions(self._process)
        _signal_all(sessions, signal.SIGSTOP)
        return sessions

    def end(self, sessions: list[int]) -> None:
        """Ends connections that went silent."""
        _signal_all(sessions, signal.SIGKILL)

    def _sessions(self, server: subprocess.Popen[bytes]) -> list[int]:
        """Returns the processes that serve connections, those of users left out."""
        found = [server.pid]
        for pid in found:
            for path in Path(f"/proc/{pid}/task").glob("*/children"):
                with suppress(OSError):
                    children = [int(child) for child in path.read_text().split()]
                    found += [child for child in children if _name(child).startswith("sshd")]
        return found[1:]


@contextmanager
def ssh_server(folder: Path) -> Iterator[SshServer]:
    """Runs a server, in an empty folder."""
    if os.geteuid() != 0 or not Path(_SSHD).exists() or shutil.which("unshare") is None:
        pytest.skip("needs root and openssh-server")
    server = SshServer(folder)
    try:
        yield server
    finally:
        server.end_all()


def _signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _namespace(pid: int) -> str:
    """Returns what names the file systems that a process sees, "" for one that has ended."""
    try:
        return os.readlink(f"/proc/{pid}/ns/mnt")  # noqa: PTH115
    except OSError:
        return ""


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()
