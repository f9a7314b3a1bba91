"""A laboratory: hosts that a test can log in to, harm and put in order again."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from workspace.lab.accounts import USERS, make_credentials, write_etc
from workspace.lab.host import Host
from workspace.lab.namespaces import LabError, Namespace, start
from workspace.lab.network import Network, connect
from workspace.system_packages import missing_packages

_SCRIPT = Path(__file__).parent / "host_root.sh"


@dataclass(frozen=True)
class HostSpec:
    """What a host is to be like.

    Attributes:
        name: Its name.
        python: `system`, a version such as "3.8" that is then the only one there, or `none`.
        disk: The size of the disk that holds the homes, as `mount` spells it.
        behind: The host through which alone it is reached, or "".
    """

    name: str
    python: str = "system"
    disk: str = "1g"
    behind: str = ""


THREE_HOSTS = (HostSpec("gpu-a"), HostSpec("gpu-b"), HostSpec("old", python="3.8"))
"""Three hosts; `old` has Python 3.8 and no other."""


class Laboratory:
    """Hosts in namespaces of this machine, in a network that nobody else is in.

    It ends when it is closed, and when the process that made it ends: the kernel sees to that.

    Attributes:
        hosts: The hosts by their names.
        credentials: What opens them.
    """

    def __init__(self, folder: Path, specs: tuple[HostSpec, ...] = THREE_HOSTS) -> None:
        """Starts it, in about a second.

        Args:
            folder: An empty folder for its files.
            specs: Its hosts.

        Raises:
            LabError: This is not root, something is not installed, or the kernel refused.
        """
        _check_machine()
        self.hosts: dict[str, Host] = {}
        self._folder = folder
        self._specs: list[HostSpec] = []
        self.credentials = make_credentials(folder)
        self._namespaces: list[Namespace] = []
        self._log = (folder / "log").open("w")
        try:
            self._network = Network(self._log)
        except BaseException:
            self._log.close()
            raise
        try:
            self.add(*specs)
        except BaseException:
            self.close()
            raise

    def add(self, *specs: HostSpec) -> None:
        """Starts more hosts. Those that others are behind come first.

        Raises:
            LabError: A host did not start, or there is no such Python.
        """
        with ThreadPoolExecutor() as pool:
            prepared = list(pool.map(self._prepare, specs))
        # Each in this thread: the kernel ends them when the thread that started them ends.
        for spec, command in zip(specs, prepared, strict=True):
            self._start(spec, command)

    def ssh_config(self, user: str = "ann") -> str:
        """Returns what lets `ssh` know the hosts by their names, for ~/.ssh/config."""
        gateways = {spec.name: spec.behind for spec in self._specs}
        parts = []
        for host in self.hosts.values():
            lines = [f"Host {host.name}", f"HostName {host.address}", f"User {user}"]
            lines.append(f"IdentityFile {self.credentials.key}")
            if gateways[host.name]:
                lines.append(f"ProxyJump {gateways[host.name]}")
            parts.append("\n  ".join(lines) + "\n")
        return "\n".join(parts)

    def put_in_order(self) -> None:
        """Makes all hosts as they were when they were new."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(Host.put_in_order, self.hosts.values()))

    def close(self) -> None:
        """Ends it."""
        for namespace in self._namespaces:
            namespace.end()
        self._network.close()
        self._log.close()

    def __enter__(self) -> Laboratory:
        """Returns itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends it."""
        self.close()

    def _prepare(self, spec: HostSpec) -> list[str]:
        root = self._folder / spec.name / "root"
        etc = self._folder / spec.name / "etc"
        root.mkdir(parents=True)
        write_etc(etc, self.credentials)
        python = spec.python if spec.python in ("system", "none") else find_python(spec.python)
        users = [f"{name}:{number}" for name, number in USERS.items()]
        return ["/bin/bash", str(_SCRIPT), spec.name, str(root), str(etc), spec.disk, python, *users]

    def _start(self, spec: HostSpec, command: list[str]) -> None:
        namespace = start(command, ["--net", "--mount", "--uts", "--ipc"], self._log)
        self._namespaces.append(namespace)
        self._specs.append(spec)
        number = len(self._namespaces)
        if spec.behind:
            gateway = self.hosts[spec.behind]
            address = connect(self._namespaces[gateway.number - 1], namespace, number)
        else:
            address = self._network.plug_in(namespace, number)
        self.hosts[spec.name] = Host(
            spec.name, number, address, self.credentials, namespace, self._network, bool(spec.behind)
        )


def find_python(version: str) -> str:
    """Returns the folder in which a Python of this version is installed.

    Raises:
        LabError: There is none that could be used alone.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python{version}"))]
    found += filter(None, [shutil.which(f"python{version}")])
    for path in map(Path, found):
        prefix = path.resolve().parent.parent
        if (prefix / "lib" / f"python{version}" / "os.py").exists() and prefix != Path("/usr"):
            return str(prefix)
    raise LabError(
        f"there is no Python {version} among pyenv's or on PATH, in a folder of its own: please install one"
    )


def _check_machine() -> None:
    if os.geteuid() != 0:
        raise LabError(
            "hosts to test with are Linux namespaces, and only root can make them: run this as root"
        )
    if missing := missing_packages():
        raise LabError(f"{' '.join(missing)} are not installed: tools/test installs them")
