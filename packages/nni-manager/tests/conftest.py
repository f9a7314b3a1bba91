"""SSH servers on this machine, with users and homes of their own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

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

    def processes(self) -> list[int]:
        """Returns the process ids of the server and of all that it started."""
        found = [self.process.pid]
        for process in found:
            children = Path(f"/proc/{process}/task/{process}/children")
            if children.exists():
                found += [int(child) for child in children.read_text().split()]
        return found


StartServer = Callable[..., SshServer]


def _new_key(path: Path, passphrase: str = "", kind: str = "ed25519") -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", path], check=True)
    return path


@pytest.fixture(scope="session")
def start_ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Starts SSH servers that last as long as the tests."""
    with ExitStack() as servers:

        def start(*settings: str, shell: str = "/bin/bash") -> SshServer:
            folder = tmp_path_factory.mktemp("sshd")
            return servers.enter_context(_running(folder, "\n".join(settings), shell))

        yield start


@pytest.fixture(scope="session")
def ssh_server(start_ssh_server: StartServer) -> SshServer:
    """An ordinary SSH server, which tests share and leave as it was."""
    return start_ssh_server()


@pytest.fixture
def own_ssh_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts SSH servers that a test may harm."""
    with ExitStack() as servers:
        count = iter(range(100))

        def start(*settings: str, shell: str = "/bin/bash") -> SshServer:
            folder = tmp_path / f"sshd-{next(count)}"
            folder.mkdir()
            return servers.enter_context(_running(folder, "\n".join(settings), shell))

        yield start


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, and no agent: what the SSH client finds is what the test puts there."""
    home = tmp_path / "own-home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return home


@pytest.fixture
def new_key() -> Callable[..., Path]:
    """Makes a private key: new_key(path, passphrase="", kind="ed25519")."""
    return _new_key


class _running:
    """A server, from its start to its end."""

    def __init__(self, folder: Path, settings: str, shell: str) -> None:
        self._folder, self._settings, self._shell = folder, settings, shell

    def __enter__(self) -> SshServer:
        if os.geteuid() != 0 or not Path("/usr/sbin/sshd").exists():
            pytest.skip("needs root and openssh-server, for an SSH server with users of its own")
        folder, user = self._folder, "worker"
        home = folder / "home" / user
        (home / ".ssh").mkdir(parents=True)
        (folder / "home").chmod(0o755)
        account = f"{user}:x:{_USER_ID}:{_USER_ID}::/home/{user}:{self._shell}\n"
        (folder / "passwd").write_text(Path("/etc/passwd").read_text() + account)
        (folder / "shadow").write_text(
            Path("/etc/shadow").read_text() + f"{user}:{_PASSWORD_HASH}:19000:0:99999:7:::\n"
        )
        _new_key(folder / "host_key")
        key = _new_key(folder / "key")
        shutil.copy(folder / "key.pub", home / ".ssh" / "authorized_keys")
        for path in [home, *home.rglob("*")]:
            os.chown(path, _USER_ID, _USER_ID)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        # The first value of a setting counts.
        (folder / "sshd_config").write_text(
            self._settings + "\n" + _SETTINGS.format(port=port, folder=folder)
        )
        self._process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "bash", "-c", _START],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert self._process.stderr is not None
        said = b""
        while b"Server listening" not in said:
            line = self._process.stderr.readline()
            assert line, f"the SSH server ended: {said.decode()}"
            said += line
        # From here on it says what nobody reads; it is not much.
        return SshServer(port, user, PASSWORD, home, key, folder, self._process)

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stderr is not None
        self._process.stderr.close()
