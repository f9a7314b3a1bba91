"""Checks whether experiments can run on this machine. Nothing is started or changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from nni_client.doctor import (
    folder_checks,
    machine_checks,
    manager_checks,
    network_checks,
    python_checks,
)
from nni_client.doctor.findings import Finding, Level, failure

__all__ = ["CHECKS", "Finding", "Level", "examine", "is_healthy"]

Check = Callable[[], Sequence[Finding]]
"""Looks at one thing and returns what it found, one finding at least."""

CHECKS: Mapping[str, Check] = {
    "python": python_checks.check_python,
    "other nni": python_checks.check_other_nni,
    "packages": python_checks.check_versions,
    "imports": python_checks.check_imports,
    "experiments folders": folder_checks.check_experiments_directories,
    "temporary folder": folder_checks.check_temporary_directory,
    "runtime folder": folder_checks.check_runtime_directory,
    "ports": network_checks.check_ports,
    "proxies": network_checks.check_proxies,
    "managers": manager_checks.check_managers,
    "clock": machine_checks.check_clock,
    "limits": machine_checks.check_limits,
    "bash": machine_checks.check_bash,
    "locale": machine_checks.check_locale,
    "gpu": machine_checks.check_gpu,
}
"""Every check by its name, in the order in which they are told."""


def examine(checks: Mapping[str, Check] = CHECKS) -> Iterator[tuple[str, Finding]]:
    """Yields what each check finds, as soon as it is known; a check that breaks is a failure of its own."""
    for name, check in checks.items():
        try:
            findings = check()
        except Exception as error:
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            findings = [failure(f"this could not be checked: {what}", "see what the error says")]
        for finding in findings:
            yield name, finding


def is_healthy(findings: Sequence[tuple[str, Finding]]) -> bool:
    """Returns whether experiments can run: there is no failure."""
    return all(finding.level is not Level.FAILURE for _, finding in findings)
