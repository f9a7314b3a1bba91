"""Checks of Python and of the packages in it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata

from nni_client.doctor.findings import Finding, failure, note, ok

OLDEST_PYTHON = (3, 10)
"""The oldest Python that client and manager run with. Trials may have an older one."""

DISTRIBUTIONS = ("nni-proto", "nni-config", "nni-trial", "nni-client", "nni-manager")
"""Our packages."""

IMPORTED = ("grpc", "google.protobuf", "nni_proto.v1.experiment_service_pb2_grpc", "pydantic", "nni_manager")
"""Modules that a manager cannot do without; compiled ones may crash where they do not fit the machine."""

_IMPORTING = """
import importlib, json, sys
broken = {}
for name in sys.argv[1:]:
    print(name, flush=True)
    try:
        importlib.import_module(name)
    except BaseException as error:
        broken[name] = f"{type(error).__name__}: {error}"
print(json.dumps(broken))
"""
_SECONDS = 120.0


def check_python(
    version: Sequence[int] = sys.version_info[:3],
    executable: str | None = sys.executable,
    platform: str = sys.platform,
) -> list[Finding]:
    """Checks that Python is new enough, knows its own interpreter, and runs on a system that we run on."""
    number = ".".join(map(str, version))
    if platform == "win32":
        text = "Experiments do not run on Windows itself; configuration files and trial code do"
        return [failure(text, "install and run it in WSL2")]
    if tuple(version[:2]) < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        text = f"Python {number} is too old; {oldest} or later is needed"
        return [failure(text, "install a later Python, make a virtual environment with it and install there")]
    if not executable:
        text = f"Python {number} does not know its own interpreter (sys.executable is empty)"
        return [failure(text, "run nnictl by the full path of its interpreter: /path/to/python -m pip ...")]
    found = ok(f"Python {number}, {executable}")
    if platform != "linux":
        return [found, note(f"this system ({platform}) is expected to work and is not tested")]
    return [found]


def check_other_nni(problem: Callable[[], str | None] | None = None) -> list[Finding]:
    """Checks that Microsoft's nni is not installed into the same folder as ours."""
    from nni._foreign import microsoft_nni_problem

    text = (problem or microsoft_nni_problem)()
    if text is None:
        return [ok("Microsoft's nni is not installed beside ours")]
    what, _, commands = text.partition("Repair it with")
    return [failure(what.strip(), "; ".join(line.strip() for line in commands.splitlines() if line.strip()))]


def check_versions(distributions: Sequence[str] = DISTRIBUTIONS) -> list[Finding]:
    """Checks that our packages are installed, and what they need in versions that fit."""
    pip = f"{sys.executable} -m pip install"
    findings: list[Finding] = []
    versions: list[str] = []
    for name in distributions:
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            findings.append(failure(f"the package {name} is not installed", f"{pip} {name}"))
            continue
        versions.append(f"{name} {found.version}")
        findings += [
            failure(f"{name} {found.version} needs {needed}, {there}", f"{pip} --upgrade '{needed}'")
            for needed, there in _unmet(found)
        ]
    return findings or [ok(", ".join(versions))]


def check_imports(modules: Sequence[str] = IMPORTED, executable: str = sys.executable) -> list[Finding]:
    """Checks in a process of its own that modules can be imported, since broken ones may take it down."""
    try:
        done = subprocess.run(
            [executable, "-c", _IMPORTING, *modules], capture_output=True, text=True, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return [failure(f"{executable} cannot be run: {error}", "reinstall Python, or remove what it starts")]
    repair = f"{executable} -m pip install --force-reinstall {{}}"
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines:
        last = lines[-1] if lines else "Python itself"
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
        said = "".join(f": {line}" for line in done.stderr.splitlines()[-1:])
        text = f"importing {last} ends the interpreter ({how}){said}"
        return [failure(text, repair.format(_distribution_of(last)))]
    broken: dict[str, str] = json.loads(lines[-1])
    if not broken:
        return [ok("grpc, protobuf and the manager can be imported")]
    return [
        failure(f"{name} cannot be imported: {error}", repair.format(_distribution_of(name)))
        for name, error in broken.items()
    ]


def _unmet(distribution: metadata.Distribution) -> Iterator[tuple[str, str]]:
    """Yields what a package needs and does not have, with what is there."""
    from packaging.requirements import Requirement

    for text in distribution.requires or ():
        needed = Requirement(text)
        if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
            continue
        wanted = f"{needed.name}{needed.specifier}"
        try:
            version = metadata.version(needed.name)
        except metadata.PackageNotFoundError:
            yield wanted, "which is not installed"
            continue
        if not needed.specifier.contains(version, prereleases=True):
            yield wanted, f"and {version} is installed"


def _distribution_of(module: str) -> str:
    top = module.partition(".")[0]
    known = {"grpc": "grpcio", "google": "protobuf"}
    return known.get(top, top.replace("_", "-"))
