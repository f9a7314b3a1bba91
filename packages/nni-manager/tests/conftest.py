"""SSH servers on this machine, with users and homes of their own."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

PASSWORD = "correct horse"
# What `openssl passwd -6` makes of it.
_PASSWORD_HASH = (
    "$6$loopback$KFriLwt1szInC.sskOlWwuqoIqLcb6dnjqgHk1Z.LZHkqoWobmR2QjH/pwfcYkp3ZFymjScbNO0vdHgakjA3r/"
)
_USER_ID = 64321

_SETTINGS = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile /home/%u/.ssh/authorized_keys
PidFile none
UsePAM no
PrintMotd no
UseDNS no
PasswordAuthentication yes
PubkeyAuthentication yes
StrictModes no
MaxStartups 100
"""

# Its users and homes are seen by this server alone, and all it starts ends with it.
_START = """\
set -e
mount --make-rprivate /
mount --bind passwd /etc/passwd
mount --bind shadow /etc/shadow
mount --bind home /home
mkdir -p /run/sshd
. ./prepare
exec /usr/sbin/sshd -D -e -f sshd_config
"""


@dataclass(frozen=True)
class SshServer:
    """A running SSH server.

    Attributes:
        port: Its port at 127.0.0.1.
        user: Its user.
        password: The user's password.
        home: The user's home folder, as it is seen from outside.
        key: A private key that signs the user in.
        folder: Where its host_key is.
        process: The server.
    """

    port: int
    user: str
    password: str
    home: Path
    key: Path
    folder: Path
    process: subprocess.Popen[bytes]

    def sessions(self) -> list[int]:
        """Returns the process ids of all that serves connections, or was started by it."""
        found = [self.process.pid]
        for process in found:
            with contextlib.suppress(OSError):  # it has ended meanwhile
                children = Path(f"/proc/{process}/task/{process}/children").read_text()
                found += [int(child) for child in children.split()]
        return found[2:]  # without the namespace's first process, and the server itself

    def kill_sessions(self) -> None:
        """Kills all that serves connections, and what was started by it."""
        for process in self.sessions():
            with contextlib.suppress(ProcessLookupError):  # one that is killed takes others with it
                os.kill(process, signal.SIGKILL)


StartServer = Callable[..., SshServer]


def _new_key(path: Path, passphrase: str = "", kind: str = "ed25519") -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", path], check=True)
    return path


@pytest.fixture(scope="session")
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """An ordinary SSH server, which tests share and leave as it was."""
    with _running(tmp_path_factory.mktemp("sshd"), "", "/bin/bash", "") as server:
        yield server


@pytest.fixture
def start_ssh_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts SSH servers of the test's own: start(*settings, shell="/bin/bash", prepare="")."""
    with contextlib.ExitStack() as servers:
        count = itertools.count()

        def start(*settings: str, shell: str = "/bin/bash", prepare: str = "") -> SshServer:
            folder = tmp_path / f"sshd-{next(count)}"
            folder.mkdir()
            return servers.enter_context(_running(folder, "\n".join(settings), shell, prepare))

        yield start


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, and no agent: what an SSH client finds is what the test puts there."""
    home = tmp_path / "own-home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setattr("nni_manager.training.ssh.ssh_config.SYSTEM_CONFIG", home / "system_config")
    monkeypatch.setattr("nni_manager.training.ssh.ssh_config.SYSTEM_KNOWN_HOSTS", ())
    return home


@pytest.fixture
def new_key() -> Callable[..., Path]:
    """Makes a private key: new_key(path, passphrase="", kind="ed25519")."""
    return _new_key


@pytest.fixture
def no_connection_is_left() -> Iterator[None]:
    """Fails the test that leaves an SSH thread, or a connection to another address."""
    before = {*_threads(), *_connections()}  # those of other tests: gRPC's poller, servers' threads
    yield
    deadline = time.monotonic() + 5.0
    while (left := {*_threads(), *_connections()} - before) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left


def _threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith(("ssh", "Thread-"))]


def _connections() -> list[str]:
    found = psutil.Process().net_connections("tcp")
    open_ones = [each for each in found if each.status in ("ESTABLISHED", "SYN_SENT", "CLOSE_WAIT")]
    return [f"{each.laddr} {each.raddr}" for each in open_ones]


@contextlib.contextmanager
def _running(folder: Path, settings: str, shell: str, prepare: str) -> Iterator[SshServer]:
    if os.geteuid() != 0 or not Path("/usr/sbin/sshd").exists():
        pytest.skip("needs root and openssh-server, for an SSH server with users of its own")
    user = "worker"
    home = folder / "home" / user
    (home / ".ssh").mkdir(parents=True)
    (folder / "home").chmod(0o755)
    accounts = Path("/etc/passwd").read_text()
    (folder / "passwd").write_text(f"{accounts}{user}:x:{_USER_ID}:{_USER_ID}::/home/{user}:{shell}\n")
    secrets = Path("/etc/shadow").read_text()
    (folder / "shadow").write_text(f"{secrets}{user}:{_PASSWORD_HASH}:19000:0:99999:7:::\n")
    (folder / "shadow").chmod(0o600)
    (folder / "prepare").write_text(prepare)
    _new_key(folder / "host_key")
    key = _new_key(folder / "key")
    shutil.copy(folder / "key.pub", home / ".ssh" / "authorized_keys")
    for path in [home, *home.rglob("*")]:
        os.chown(path, _USER_ID, _USER_ID)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # The first value of a setting counts.
    (folder / "sshd_config").write_text(f"{settings}\n{_SETTINGS.format(port=port, folder=folder)}")
    unshare = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
    with subprocess.Popen(
        [*unshare, "bash", "-c", _START], cwd=folder, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        said = b""
        while b"Server listening" not in said:
            line = process.stderr.readline()
            assert line, f"the SSH server ended: {said.decode()}"
            said += line
        # From here on it says what nobody reads; it is not much.
        yield SshServer(port, user, PASSWORD, home, key, folder, process)
        process.kill()
