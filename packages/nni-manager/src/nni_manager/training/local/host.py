"""This machine as one of the hosts of an experiment."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from contextlib import suppress

from nni_manager.training.gpu_report import PROGRAM_SECONDS, parse_machine_report, program_arguments
from nni_manager.training.host import THIS_MACHINE, HostReport
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.local.service import LocalTrainingService

logger = logging.getLogger(__name__)

_DYING_SECONDS = 1.0


class LocalHost(LocalTrainingService):
    """Runs trials on this machine, and lists its GPUs."""

    name = THIS_MACHINE
    beats = False
    report_seconds = PROGRAM_SECONDS
    """How long a report may take."""

    _told_warnings: frozenset[str] = frozenset()

    async def report(self) -> HostReport:
        """Lists the GPUs of this machine, in a process of its own: a driver that hangs stops nothing here.

        Raises:
            TrainingServiceError: The program that lists them does not work.
        """
        at = time.time()
        report = parse_machine_report(await self._run_program(), at)
        for warning in report.warnings:
            if warning not in self._told_warnings:
                logger.warning("GPUs of %s: %s", self.name, warning)
        self._told_warnings = frozenset(report.warnings)
        return report.host

    async def _run_program(self) -> bytes:
        try:
            await self._link_sdk()
            process = await self._start_program()
        except OSError as error:
            raise TrainingServiceError(f"the program that lists GPUs cannot be started: {error}") from error
        try:
            output, said = await asyncio.wait_for(process.communicate(), self.report_seconds)
        except asyncio.TimeoutError:
            raise TrainingServiceError(
                f"the program that lists GPUs did not end within {self.report_seconds:.0f} seconds"
            ) from None
        finally:
            await _end(process)
        if process.returncode != 0:
            last = "".join(said.decode("utf-8", "replace").strip().splitlines()[-1:])
            raise TrainingServiceError(
                f"the program that lists GPUs ended with exit code {process.returncode}: {last}"
            )
        return output

    async def _start_program(self) -> asyncio.subprocess.Process:
        starting = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                sys.executable,
                *program_arguments(self._experiment_id, str(self._directory)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._inherited_environment(),
                start_new_session=True,  # so that its tools can be ended with it
            )
        )
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # Canceled itself it would end the program alone, and not the tools that may run already.
            with suppress(OSError):
                await _end(await starting)
            raise


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ends a process that has not ended, with the tools that it runs."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(process.wait(), _DYING_SECONDS)
