"""Installs what tests need of the system: SSH servers, shells, NFS, a browser, a compiler, hosts to try."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from workspace.environments import ROOT
from workspace.launch import ToolError
from workspace.progress import run_quietly

PROGRAMS: Mapping[str, str] = {
    "/usr/sbin/sshd": "openssh-server",
    "ssh": "openssh-client",
    "ip": "iproute2",
    "faketime": "faketime",
    "rsync": "rsync",
    "openssl": "openssl",
    "setpriv": "util-linux",
    "pkill": "procps",
    "/usr/bin/fish": "fish",
    "/usr/bin/tcsh": "tcsh",
    "/usr/bin/python3": "python3",
    "chromium": "chromium",
    "fusermount3": "fuse3",
    "mount.nfs": "nfs-common",
    "ganesha.nfsd": "nfs-ganesha-vfs",
    "linux.uml": "user-mode-linux",
    "cc": "gcc",
    "/usr/include/dlfcn.h": "libc6-dev",
    "modprobe": "kmod",
}
"""What has to be there, by name on PATH or by path, and the package of Debian and Ubuntu that has it."""

_SYSTEM_FOLDERS = os.pathsep.join(("/usr/sbin", "/sbin"))


def missing_packages(programs: Mapping[str, str] = PROGRAMS) -> list[str]:
    """Returns the packages whose programs are not there."""
    return sorted({package for program, package in programs.items() if not _is_there(program)})


def install_system_packages(programs: Mapping[str, str] = PROGRAMS) -> None:
    """Installs, with apt-get, the packages whose programs are not there.

    Args:
        programs: The programs, and the package of each.

    Raises:
        ToolError: They cannot be installed, or are not there afterwards.
    """
    packages = missing_packages(programs)
    if not packages:
        return
    names = " ".join(packages)
    if shutil.which("apt-get") is None:
        raise ToolError(f"please install {names}: there is no apt-get here that could do it")
    prefix = _as_root(names)
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=120"]
    run_quietly("reading the lists of packages", [*apt, "update"], ROOT)
    run_quietly(f"installing {names}", [*apt, "install", "-y", "--no-install-recommends", *packages], ROOT)
    if missing := missing_packages(programs):
        raise ToolError(f"{' '.join(missing)}: installed, and its programs are still not found")


def _is_there(program: str) -> bool:
    if program.startswith("/"):
        return Path(program).exists()
    return (
        shutil.which(program, path=f"{os.environ.get('PATH', '')}{os.pathsep}{_SYSTEM_FOLDERS}") is not None
    )


def _as_root(names: str) -> list[str]:
    if os.geteuid() == 0:
        return []
    sudo = ["sudo", "-n"]
    if shutil.which("sudo") and subprocess.run([*sudo, "true"], capture_output=True).returncode == 0:
        return sudo
    raise ToolError(
        f"please run `sudo apt-get install {names}`: this is not root, and sudo asks for a password here"
    )
