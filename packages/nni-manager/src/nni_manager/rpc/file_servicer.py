"""The calls of ExperimentService about files of trials and logs of experiments."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing

from nni_proto.v1 import experiment_file_pb2 as pb

from nni_manager.experiments.errors import FileMissingError, InvalidArgumentError
from nni_manager.experiments.files import list_files
from nni_manager.experiments.files_places import FilePlace, file_place
from nni_manager.experiments.files_reading import Piece, follow_file, read_file
from nni_manager.experiments.interface import ExperimentCalls
from nni_manager.experiments.reading import ExperimentReader
from nni_manager.rpc import paging, requests
from nni_manager.rpc.times import timestamp


class FileServicer:
    """Answers the calls; each method is one RPC."""

    def __init__(self, calls: ExperimentCalls) -> None:
        """Makes the servicer.

        Args:
            calls: Reads experiments.
        """
        self._calls = calls

    async def list_files(self, request: pb.ListFilesRequest) -> pb.ListFilesResponse:
        """Returns a page of the files of a trial, or of the logs of an experiment."""
        reader, trial_id = await self._parent(request.parent)
        place = await file_place(reader, trial_id)
        size = paging.page_size(request.page_size, 1000, 10_000)
        listing = f"files {request.parent}"
        start = paging.page_position(request.page_token, listing, start=0)
        found = await asyncio.to_thread(list_files, place.folder)
        page = paging.fitting(
            pb.ExperimentFile(
                path=f"{place.prefix}{file.path}", size=file.size, modify_time=timestamp(file.modified_at)
            )
            for file in found[start : start + size]
        )
        end = start + len(page)
        return pb.ListFilesResponse(
            files=page,
            next_page_token=paging.page_token(listing, end) if end < len(found) else "",
            directory=str(place.folder),
            missing_reason="" if found else place.missing_reason,
        )

    async def read_file(self, request: pb.ReadFileRequest) -> AsyncGenerator[pb.ReadFileResponse, None]:
        """Streams a file, and what is added to it if that is asked for."""
        if request.limit < 0:
            raise InvalidArgumentError(f"limit: {request.limit} is below 0")
        reader, trial_id = await self._parent(request.parent)
        place = await file_place(reader, trial_id)
        async with aclosing(_pieces(request, place, reader, trial_id)) as pieces:
            try:
                async for piece in pieces:
                    yield pb.ReadFileResponse(content=piece.content, offset=piece.offset, size=piece.size)
            except FileMissingError as error:
                raise FileMissingError(await self._why(error, reader, trial_id)) from error

    async def _parent(self, parent: str) -> tuple[ExperimentReader, str | None]:
        experiment_id, trial_id = requests.experiment_or_trial_ids(parent, "parent")
        return await self._calls.reader(experiment_id), trial_id

    async def _why(self, error: FileMissingError, reader: ExperimentReader, trial_id: str | None) -> str:
        """Returns why a file is missing: because there are no files at all, or only this one is."""
        place = await file_place(reader, trial_id)
        found = await asyncio.to_thread(list_files, place.folder)
        return str(error) if found else place.missing_reason


def _pieces(
    request: pb.ReadFileRequest, place: FilePlace, reader: ExperimentReader, trial_id: str | None
) -> AsyncGenerator[Piece, None]:
    path = place.path_of(request.path)

    async def has_ended() -> bool:
        return (await file_place(reader, trial_id)).has_ended

    if request.follow and (place.is_to_come or os.path.lexists(place.folder / path)):
        return follow_file(place.folder, path, request.offset, request.limit, has_ended)
    return read_file(place.folder, path, request.offset, request.limit)
