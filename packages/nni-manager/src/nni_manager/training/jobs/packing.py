"""What jobs are brought: the trial SDK and the trials' code."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nni_manager.training.shipping.archive import Archive
from nni_manager.training.shipping.code import MOST_BYTES, pack_code
from nni_manager.training.shipping.sdk import pack_sdk


@dataclass(frozen=True, slots=True)
class Packed:
    """What was packed.

    Attributes:
        archives: What jobs unpack, each to a folder of this name; "sdk" is among them.
        code_directory: Where trials run, "" for where "code" is unpacked.
    """

    archives: Mapping[str, Archive]
    code_directory: str = ""


Pack = Callable[[], Awaitable[Packed]]
"""Packs what jobs are brought; may raise TrainingServiceError."""


async def pack_sdk_and_code(
    code_directory: Path, experiment_directory: Path, most_bytes: int = MOST_BYTES
) -> Packed:
    """Packs the trial SDK and a code folder.

    Args:
        code_directory: The code.
        experiment_directory: The experiment's folder, which gets the archives.
        most_bytes: How large the code may be.

    Raises:
        TrainingServiceError: They cannot be packed.
    """
    target = experiment_directory / "packed"
    sdk = await asyncio.to_thread(pack_sdk, target)
    code = await asyncio.to_thread(
        pack_code,
        code_directory,
        target,
        experiments_directory=experiment_directory.parent,
        most_bytes=most_bytes,
    )
    return Packed({"sdk": sdk, "code": code})
