"""Mounts a storage here or on a machine, and unmounts it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nni_config.private_files import runtime_directory, write_private_file

from nni_manager.shared_storage.interface import CommandResult, Machine, SharedStorageError, first_line

MOUNT_SECONDS = 60.0
"""How long a mount may take. An NFS server that does not answer is waited for that long."""

_LOG = logging.getLogger(__name__)
_POINT = "{point}"
_NOT_FOUND = 127
_TIMED_OUT = 124


@dataclass(frozen=True, slots=True)
class MountProgram:
    """A program that mounts a storage.

    Attributes:
        command: It and its arguments, "{point}" where the mount point goes. Secrets are not among them.
        needs_root: Whether it is run by `sudo -n` where the user is not root.
        secrets: What it finds in its environment.
        advice: What to do, by a part of what it says when it fails.
        unmount: What unmounts again, with "{point}".
        tool: What has to be installed for it, "" for the command's first word.
    """

    command: tuple[str, ...]
    needs_root: bool
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    advice: Mapping[str, str] = field(default_factory=dict)
    unmount: tuple[str, ...] = ("umount", _POINT)
    tool: str = ""

    @property
    def name(self) -> str:
        """What has to be installed for it."""
        return self.tool or self.command[0]


def choose(programs: Sequence[MountProgram], source: str) -> MountProgram:
    """Returns the first program that is installed here.

    Raises:
        SharedStorageError: None is.
    """
    for program in programs:
        if shutil.which(program.name):
            return program
    raise SharedStorageError(f"mount of {source} failed: {not_installed(programs)} here")


def not_installed(programs: Sequence[MountProgram]) -> str:
    """Returns the words that say that none of these programs is installed."""
    names = " nor ".join(program.name for program in programs)
    return f"{'neither ' if len(programs) > 1 else 'no '}{names or 'program for it'} is installed"


def mount_id(point: Path) -> str | None:
    """Returns what tells this mount at a folder from others before and after it, None if nothing is mounted.

    Raises:
        SharedStorageError: What is mounted there does not answer.
    """
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except FileNotFoundError:  # no Linux
        return f"{point.stat().st_dev}" if os.path.ismount(point) else None
    wanted = os.path.realpath(point)
    found = [fields for line in mounts.splitlines() if _unescaped((fields := line.split())[4]) == wanted]
    return f"{boot}-{found[-1][0]}-{found[-1][2]}" if found else None


async def mount_here(program: MountProgram, source: str, point: Path) -> None:
    """Mounts a storage at a folder, which is made if it is missing, and notes that we did.

    Args:
        program: What mounts it.
        source: What it is, for messages.
        point: Where.

    Raises:
        SharedStorageError: It cannot be mounted.
    """
    try:
        point.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SharedStorageError(f"mount of {source} failed: {point}: {error.strerror}") from error
    sudo = ("sudo", "-n") if program.needs_root and os.getuid() != 0 else ()
    command = [*sudo, *_at(program.command, str(point))]
    code, said = await asyncio.to_thread(_run, command, {**os.environ, **program.secrets})
    if code != 0:
        raise SharedStorageError(_failure(program, source, f"on {point}", code, said))
    found = mount_id(point)
    if found is None:
        raise SharedStorageError(
            f"mount of {source} failed: {command[0]} said no error, and nothing is mounted on {point}"
        )
    write_private_file(_note(point), json.dumps({"mount": found, "unmount": [*sudo, *program.unmount]}))
    _LOG.info("mounted %s on %s", source, point)


async def unmount_here(point: Path) -> None:
    """Unmounts what an experiment of this user mounted there, unless somebody uses it."""
    note = _note(point)
    try:
        noted = json.loads(note.read_text(encoding="utf-8"))
        if noted["mount"] != mount_id(point):
            note.unlink()
            return
        command = _at(noted["unmount"], str(point))
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError) as error:
        _LOG.warning("who mounted %s cannot be found out, it stays mounted: %s", point, error)
        return
    code, said = await asyncio.to_thread(_run, command, dict(os.environ))
    if code == 0:
        note.unlink(missing_ok=True)
        _LOG.info("unmounted %s", point)
    elif "busy" in said:
        _LOG.info("%s stays mounted, since it is in use", point)
    else:
        _LOG.warning("%s cannot be unmounted: %s (exit code %s)", point, first_line(said), code)


async def is_mounted_on(machine: Machine, point: str) -> bool:
    """Returns whether something is mounted at a folder of a machine."""
    script = 'while read -r _ _ _ _ at _; do [ "$at" = "$1" ] && exit 0; done; exit 1'
    place = shlex.quote(point.rstrip("/").replace("\\", "\\134").replace(" ", "\\040") or "/")
    result = await machine.run(f"sh -c {shlex.quote(script)} sh {place} < /proc/self/mountinfo")
    return result.exit_code == 0


async def mount_on(machine: Machine, programs: Sequence[MountProgram], source: str, point: str) -> bool:
    """Mounts a storage on a machine.

    Args:
        machine: The machine.
        programs: What may mount it; the first one that the machine has does.
        source: What it is, for messages.
        point: Where.

    Returns:
        False when the machine has none of the programs.

    Raises:
        SharedStorageError: It cannot be mounted.
    """
    for program in programs:
        place = shlex.quote(point)
        secrets = "".join(f"IFS= read -r {name} && export {name} || exit 1; " for name in program.secrets)
        sudo = '[ "$(id -u)" = 0 ] || set -- sudo -n "$@"; ' if program.needs_root else ""
        script = (
            f'PATH="$PATH:/usr/sbin:/sbin"; command -v "$1" > /dev/null || exit {_NOT_FOUND}; shift; '
            f"{secrets}{sudo}"
            f"mkdir -p {place} 2> /dev/null || sudo -n mkdir -p {place} || exit 1; "
            # A program that goes on in the background would keep the command's own output open.
            'said=$(mktemp) || exit 1; "$@" < /dev/null > /dev/null 2> "$said"; code=$?; '
            'cat "$said" >&2; rm -f "$said"; exit $code'
        )
        arguments = shlex.join([program.name, *_at(program.command, point)])
        values = "".join(f"{value}\n" for value in program.secrets.values()).encode()
        result = await machine.run(
            f"sh -c {shlex.quote(script)} sh {arguments}", input=values, timeout=MOUNT_SECONDS
        )
        if result.exit_code == 0:
            return True
        if result.exit_code != _NOT_FOUND:
            said = result.stderr.decode("utf-8", "replace")
            where = f"on {point} of {machine.name}"
            raise SharedStorageError(_failure(program, source, where, result.exit_code, said))
    return False


async def unmount_on(machine: Machine, programs: Sequence[MountProgram], point: str) -> None:
    """Unmounts on a machine, unless it is in use there."""
    result: CommandResult | None = None
    for program in programs:
        sudo = '[ "$(id -u)" = 0 ] || set -- sudo -n "$@"; ' if program.needs_root else ""
        script = (
            f'PATH="$PATH:/usr/sbin:/sbin"; command -v "$1" > /dev/null || exit {_NOT_FOUND}; {sudo}exec "$@"'
        )
        command = shlex.join(_at(program.unmount, point))
        result = await machine.run(f"sh -c {shlex.quote(script)} sh {command}")
        if result.exit_code == 0:
            return
    if result is not None and b"busy" not in result.stderr:
        _LOG.warning("%s: %s cannot be unmounted: %s", machine.name, point, first_line(result.stderr))


def _run(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
    """Returns how a program ended and what it said; one that takes too long is killed."""
    # A program that goes on in the background would keep a pipe open.
    with tempfile.TemporaryFile() as said:
        problem = ""
        try:
            code = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                timeout=MOUNT_SECONDS,
                check=False,
            ).returncode
        except FileNotFoundError:
            code, problem = _NOT_FOUND, f"{command[0]} is not installed here\n"
        except OSError as error:
            code, problem = _NOT_FOUND, f"{command[0]}: {error.strerror}\n"
        except subprocess.TimeoutExpired:
            code, problem = _TIMED_OUT, f"no answer within {MOUNT_SECONDS:.0f} seconds\n"
        said.seek(0)
        return code, problem + said.read().decode("utf-8", "replace")


def _failure(program: MountProgram, source: str, where: str, code: int, said: str) -> str:
    for secret in program.secrets.values():
        said = said.replace(secret, "******")
    advice = next((text for part, text in program.advice.items() if part in said), "")
    lines = [line.strip().rstrip(".") for line in said.splitlines() if line.strip()]
    reason = "; ".join(line for line in lines if "dmesg" not in line) or "it said nothing"
    return f"mount of {source} {where} failed: {reason} (exit code {code})" + (
        f"; {advice}" if advice else ""
    )


def _at(command: Sequence[str], point: str) -> list[str]:
    return [part.replace(_POINT, point) for part in command]


def _note(point: Path) -> Path:
    """Returns where it is noted that we mounted something there."""
    name = hashlib.sha256(os.fsencode(os.path.realpath(point))).hexdigest()[:16]
    return runtime_directory() / f"mounted-{name}.json"


def _unescaped(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
