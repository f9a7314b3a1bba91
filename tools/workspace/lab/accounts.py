"""Who may log in on the hosts of a laboratory, and with what."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from workspace.lab.namespaces import run

USERS = {"ann": 21001, "bob": 21002}
"""The users of every host, and their numbers."""

_PASSWD = """\
root:x:0:0:root:/root:/bin/bash
sshd:x:74:65534:sshd:/run/sshd:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""

_PROFILE = "export PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin\n"

_SSHD = """\
Port 22
HostKey /etc/ssh/host_key
PidFile /run/sshd.pid
UsePAM no
PasswordAuthentication yes
PubkeyAuthentication yes
AuthorizedKeysFile /etc/ssh/keys/%u
AllowUsers {users}
LogLevel VERBOSE
PrintMotd no
Subsystem sftp internal-sftp
"""


@dataclass(frozen=True)
class Credentials:
    """What opens every host to every user of it.

    Attributes:
        password: The password.
        key: The file of a private key without a passphrase.
        locked_key: The file of a private key that needs the passphrase.
        passphrase: The passphrase.
    """

    password: str
    key: Path
    locked_key: Path
    passphrase: str


def make_credentials(folder: Path) -> Credentials:
    """Makes the keys."""
    made = Credentials("of the laboratory", folder / "key", folder / "locked_key", "open sesame")
    make_key(made.key)
    make_key(made.locked_key, made.passphrase)
    return made


def make_key(path: Path, passphrase: str = "") -> None:
    """Makes a pair of keys; the public one has `.pub` at the end of its name."""
    for old in (path, Path(f"{path}.pub")):
        old.unlink(missing_ok=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "laboratory", "-f", str(path)])


def write_etc(folder: Path, credentials: Credentials) -> None:
    """Writes what a host has of its own in /etc."""
    shutil.rmtree(folder, ignore_errors=True)
    keys = folder / "ssh" / "keys"
    keys.mkdir(parents=True)
    hashed = run(["openssl", "passwd", "-6", "-stdin"], credentials.password).strip()
    users = "".join(f"{name}:x:{number}:{number}::/home/{name}:/bin/bash\n" for name, number in USERS.items())
    shadow = "".join(f"{name}:{hashed}:19000:0:99999:7:::\n" for name in USERS)
    groups = "".join(f"{name}:x:{number}:\n" for name, number in USERS.items())
    public = "".join(Path(f"{key}.pub").read_text() for key in (credentials.key, credentials.locked_key))
    for name in USERS:
        (keys / name).write_text(public)
    (folder / "passwd").write_text(_PASSWD + users)
    (folder / "shadow").write_text("root:*:19000:0:99999:7:::\n" + shadow)
    (folder / "group").write_text("root:x:0:\ntty:x:5:\nnogroup:x:65534:\n" + groups)
    (folder / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    (folder / "profile").write_text(_PROFILE)
    (folder / "ssh" / "sshd_config").write_text(_SSHD.format(users=" ".join(USERS)))
    make_key(folder / "ssh" / "host_key")
