"""One host of a laboratory: what it holds, and what can go wrong with it."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workspace.lab.accounts import USERS, Credentials, make_key
from workspace.lab.namespaces import SYSTEM_PATH, LabError, Namespace
from workspace.lab.network import Network

_FILLING = "home/.filling"
_CHUNK = b"\0" * (1 << 20)


@dataclass(frozen=True)
class Host:
    """A machine with its own network, processes, files, users and clock.

    Attributes:
        name: Its name.
        number: Which one of its network it is.
        address: Its address; for a host behind another one, as that one knows it.
        credentials: What opens it.
    """

    name: str
    number: int
    address: str
    credentials: Credentials
    _namespace: Namespace
    _network: Network
    _hidden: bool

    @property
    def root(self) -> Path:
        """The root of its files, to read and to write here. Links in them lead out of it."""
        return Path(f"/proc/{self._namespace.pid}/root")

    def home(self, user: str = "ann") -> Path:
        """Returns a user's home folder, to read and to write here."""
        return self.root / "home" / user

    def run(self, command: str, user: str | None = None, timeout: float = 60.0) -> str:
        """Runs a command of the shell on it, as root or as a user, without SSH; returns what it prints.

        Raises:
            LabError: It failed.
        """
        words = ["/bin/bash", "-c", command]
        home = "/root"
        if user is not None:
            words = ["setpriv", f"--reuid={USERS[user]}", f"--regid={USERS[user]}", "--clear-groups", *words]
            home = f"/home/{user}"
        done = subprocess.run(
            self._namespace.command(["env", f"--chdir={home}", *words]),
            capture_output=True,
            text=True,
            errors="surrogateescape",
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            env={"PATH": SYSTEM_PATH, "HOME": home, "USER": user or "root", "LC_ALL": "C.UTF-8"},
        )
        if done.returncode != 0:
            raise LabError(f"{command} failed on {self.name} (exit code {done.returncode}): {done.stderr}")
        return done.stdout

    def processes(self, user: str | None = None) -> dict[int, str]:
        """Returns what runs for a user, or for all users, by process id as the host counts.

        What sshd runs as a user, to pass on what a session says, is left out.
        """
        wanted = set(USERS.values()) if user is None else {USERS[user]}
        found = {}
        for folder in (self.root / "proc").glob("[0-9]*"):
            try:
                owner = folder.stat().st_uid
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            except OSError:
                continue
            if owner in wanted and line and not line.startswith("sshd: "):
                found[int(folder.name)] = line
        return found

    def machine(self, way: str = "key", user: str = "ann") -> dict[str, Any]:
        """Returns the fields of a `RemoteMachineConfig` for it.

        Args:
            way: How to log in: `key`, `passphrase` (a key that needs one) or `password`.
            user: Who logs in.
        """
        fields: dict[str, Any] = {"host": self.address, "user": user}
        if way == "password":
            return {**fields, "password": self.credentials.password}
        if way == "passphrase":
            key = str(self.credentials.locked_key)
            return {**fields, "ssh_key_file": key, "ssh_passphrase": self.credentials.passphrase}
        return {**fields, "ssh_key_file": str(self.credentials.key)}

    def host_key(self) -> str:
        """Returns its line of a known_hosts file."""
        return f"{self.address} {(self.root / 'etc/ssh/host_key.pub').read_text()}"

    def logins(self) -> int:
        """Returns how many times somebody has logged in since it was last put in order."""
        return len(re.findall("^Accepted (?:publickey|password) for ", self.log(), re.MULTILINE))

    def log(self) -> str:
        """Returns what its SSH server has noted."""
        return (self.root / "var/log/sshd.log").read_text()

    # What can go wrong.

    def cut(self) -> None:
        """Takes it off the network: what is sent gets lost, and nobody is told."""
        self._network.cut(self.number)

    def restore(self) -> None:
        """Brings it back to the network."""
        self._network.restore(self.number)

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        """Takes it off the network for a while."""
        self.cut()
        try:
            yield
        finally:
            self.restore()

    def slow_down(self, rate: str) -> None:
        """Lets no more than so much through to it, as `10mbit`; holds until the laboratory ends."""
        self._network.slow_down(self.number, rate)

    def bytes_received(self) -> int:
        """Returns how many bytes it has received, headers of Ethernet included."""
        return self._network.bytes_to(self.number)

    def end_sessions(self) -> None:
        """Kills the processes of its SSH server that serve those who are logged in."""
        self.run("pkill -KILL -f '^sshd: [^/]' || true")

    def stop_server(self) -> None:
        """Stops its SSH server; who is logged in stays so."""
        self.run("pid=$(cat /run/sshd.pid); kill $pid; while [ -e /proc/$pid ]; do sleep 0.02; done")

    def start_server(self) -> None:
        """Starts its SSH server; it can be reached as soon as this returns."""
        # The command ends before the server listens, and what listens writes the file.
        self.run(
            "rm -f /run/sshd.pid; /usr/sbin/sshd -f /etc/ssh/sshd_config -E /var/log/sshd.log || exit;"
            "for _ in {1..3000}; do [ -s /run/sshd.pid ] && exit; sleep 0.01; done;"
            "echo its SSH server does not listen >&2; exit 1"
        )

    @contextmanager
    def without_server(self) -> Iterator[None]:
        """Stops its SSH server for a while, and ends all sessions: unlike a cut that is noticed at once."""
        self.stop_server()
        self.end_sessions()
        try:
            yield
        finally:
            self.start_server()

    def change_host_key(self) -> None:
        """Gives it another key, as a machine that was installed anew."""
        make_key(self.root / "etc/ssh/host_key")
        self._restart_server()

    def set_clock(self, seconds: float) -> None:
        """Puts the clock of what is started over SSH forward, or back; 0 puts it right."""
        lines = [line for line in self._sshd_config() if not line.startswith("SetEnv ")]
        if seconds:
            library = next(iter(sorted(self.root.glob("usr/lib/*/faketime/libfaketime.so.1"))), None)
            if library is None:
                raise LabError("libfaketime.so.1 is not there: tools/test installs it")
            preload = "/" + str(library.relative_to(self.root))
            lines.append(f"SetEnv LD_PRELOAD={preload} FAKETIME={seconds:+} FAKETIME_DONT_FAKE_MONOTONIC=1")
        self._configure_server(lines)

    def fill_disk(self) -> None:
        """Leaves no byte of its disk free."""
        with (self.root / _FILLING).open("ab", buffering=0) as file:
            for chunk in (_CHUNK, _CHUNK[:4096]):
                try:
                    while True:
                        file.write(chunk)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def free_disk(self) -> None:
        """Frees what filled its disk."""
        (self.root / _FILLING).unlink(missing_ok=True)

    def install(self, name: str, text: str, folder: str = "usr/local/bin") -> Path:
        """Puts a program there; returns its path here."""
        path = self.root / folder.strip("/") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def set_gpus(self, state: dict[str, object], folder: str = "usr/local/bin") -> None:
        """Gives it an nvidia-smi that tells of these GPUs.

        Args:
            state: What `nni_manager.testing.fake_nvidia_smi` takes.
            folder: Where the tool lies.
        """
        from nni_manager.testing import fake_nvidia_smi

        fake_nvidia_smi.install(self.root / folder, dict(state), python="/usr/bin/env python3")

    def put_in_order(self) -> None:
        """Makes it as it was when it was new: nobody logged in, empty homes, nothing wrong with it."""
        if not self._hidden:
            self.restore()
        deadline = time.monotonic() + 10
        self.end_sessions()
        while left := self.processes():
            if time.monotonic() > deadline:
                raise LabError(f"on {self.name} there still runs {left}")
            self.run("; ".join(f"pkill -KILL -u {number}" for number in USERS.values()) + "; true")
        self.free_disk()
        self.set_clock(0)
        for folder in ("tmp", "var/tmp", "dev/shm", "usr/local", *(f"home/{user}" for user in USERS)):
            for entry in (self.root / folder).iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
        (self.root / "usr/local/bin").mkdir()
        if (self.root / "opt/python").exists():
            (self.root / "usr/local/bin/python3").symlink_to("/opt/python/bin/python3")
        os.truncate(self.root / "var/log/sshd.log", 0)

    def _sshd_config(self) -> list[str]:
        return (self.root / "etc/ssh/sshd_config").read_text().splitlines()

    def _configure_server(self, lines: list[str]) -> None:
        if lines != self._sshd_config():
            (self.root / "etc/ssh/sshd_config").write_text("\n".join(lines) + "\n")
            self._restart_server()

    def _restart_server(self) -> None:
        self.stop_server()
        self.start_server()
