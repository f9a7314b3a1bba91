"""The life of a manager: from its command line to its end."""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nni_config.local_state import (
    RECORD_NAME,
    ManagerRecord,
    find_manager_by_port,
    remove_manager_record,
    write_manager_record,
)
from nni_config.private_files import runtime_directory, write_private_file
from nni_config.processes import process_start_time

from nni_manager.experiments import crash_points
from nni_manager.experiments.errors import StorageFailedError
from nni_manager.experiments.job_calls import JobCalls
from nni_manager.rpc.access import Role
from nni_manager.rpc.calls import guarded_calls
from nni_manager.server.addresses import is_loopback, local_address, local_host, page_url, reachable_host
from nni_manager.server.arguments import Arguments, parse_arguments
from nni_manager.server.certificates import Verification, certificates_in
from nni_manager.server.composition import Application, Surroundings, make_application
from nni_manager.server.front import serving
from nni_manager.server.home import ManagerHome, manager_home
from nni_manager.server.listener import listen
from nni_manager.server.problems import StartProblem
from nni_manager.server.ready_pipe import ReadyPipe
from nni_manager.server.sign_in_codes import OneTimeCodes
from nni_manager.server.tokens import Tokens
from nni_manager.tensor_board.boards import TensorBoards
from nni_manager.training.jobs.direct import DirectReports, ManagerAccess

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_LOGGER = logging.getLogger(__name__)

_VERSION = importlib.metadata.version("nni-manager")
_CA_FILE = "manager-ca.pem"
_LONGEST_SOCKET_FOLDER = 90
_CLOSE_AGAIN_SECONDS = 1.0
_NOTED_AGAIN_SECONDS = 5.0

MakeApplication = Callable[[Surroundings], Application]


def run(words: Sequence[str], pipe: ReadyPipe, make: MakeApplication = make_application) -> int:
    """Runs a manager until its experiment is stopped or a signal comes.

    Args:
        words: The command line.
        pipe: Is told when the manager is ready.
        make: Makes the application service; tests may use another.

    Returns:
        The exit code, 0.

    Raises:
        StartProblem: It cannot start; the text is for the user.
    """
    arguments = parse_arguments(words)
    try:
        crash_points.read_environment()
    except ValueError as error:
        raise StartProblem(str(error)) from error
    with manager_home(arguments) as home:
        try:
            asyncio.run(_run(arguments, home, pipe, make))
        except StartProblem as problem:
            _LOGGER.error("the manager cannot start: %s", problem)
            raise
        except BaseException:
            _LOGGER.exception("the manager failed")
            raise
        _LOGGER.info("the manager has ended")
    return 0


async def _run(arguments: Arguments, home: ManagerHome, pipe: ReadyPipe, make: MakeApplication) -> None:
    ending = _signals_to_end()
    if arguments.lifeline is not None:
        _end_with_starter(arguments.lifeline, ending)
    tls = arguments.tls()
    listener = listen(arguments.bind, arguments.port, tls is not None or arguments.allow_plaintext)
    with listener, _socket_folder() as sockets, ExitStack() as stack:
        address, port = listener.getsockname()[:2]
        host = reachable_host(arguments.bind, address)
        url = page_url(host, port, arguments.url_prefix, tls is not None)
        tokens, codes = Tokens(home.secret), OneTimeCodes(url)
        boards = TensorBoards(sockets)
        verification = arguments.verification(tls, (local_host(address), host, socket.gethostname()))
        others_host = "" if is_loopback(address) else host
        own_names = () if verification is None else (verification.name,)
        ca_file = home.path / _CA_FILE

        address_of_trials = local_address(address, port)

        def trial_environment(_experiment_id: str, trial_id: str) -> dict[str, str]:
            environment = {
                "NNI_MANAGER_ADDRESS": address_of_trials,
                "NNI_TRIAL_TOKEN": tokens.trial(trial_id),
            }
            if verification is not None:
                environment["NNI_MANAGER_CA_FILE"] = str(ca_file)
                environment["NNI_MANAGER_TLS_NAME"] = verification.name
            return environment

        def make_app() -> ASGIApp:
            from nni_manager.web.app import WebSettings, make_app

            settings = WebSettings(
                experiment_id=home.experiment_id,
                allowed_hosts=(*arguments.allowed_hosts, host, *own_names),
                url_prefix=arguments.url_prefix,
                secure=tls is not None,
                role_token={Role.MANAGER: tokens.manager(), Role.VIEW: tokens.view()}.__getitem__,
            )
            return make_app(settings, calls, tokens, codes, boards)

        direct = DirectReports(access=_job_access(arguments, home, port, others_host, verification, tokens))
        application = make(
            Surroundings(
                home.path.parent,
                home.experiment_id,
                arguments.resume,
                arguments.view,
                trial_environment,
                direct,
            )
        )
        jobs = JobCalls(home.experiment_id, direct.pushed)
        calls = guarded_calls(application, tokens, codes, home.experiment_id, boards, jobs)
        record = ManagerRecord(
            experiment_id=home.experiment_id,
            pid=os.getpid(),
            process_start_time=process_start_time(os.getpid()) or 0.0,
            port=port,
            bind=address,
            url_prefix=arguments.url_prefix,
            token=tokens.manager(),
            directory=str(home.path),
            ca_file="" if verification is None else str(ca_file),
            tls_name="" if verification is None else verification.name,
        )
        async with serving(listener, tls, sockets, calls, make_app):
            if not arguments.view:
                stack.enter_context(_recorded(record, verification, home.path))
            pipe.ready(
                port=port,
                pid=os.getpid(),
                token=tokens.manager(),
                version=_VERSION,
                experiment_id=home.experiment_id,
                url=url,
                **({} if verification is None else {"ca_file": str(ca_file), "tls_name": verification.name}),
            )
            _LOGGER.info("nni-manager %s serves experiment %s at %s", _VERSION, home.experiment_id, url)
            keeping = asyncio.create_task(_keep_recorded(record, home.path)) if not arguments.view else None
            try:
                await _until_closed(application, ending)
            finally:
                if keeping is not None:
                    keeping.cancel()
                direct.pushed.close()
                await boards.close()


def _job_access(
    arguments: Arguments,
    home: ManagerHome,
    port: int,
    host: str,
    verification: Verification | None,
    tokens: Tokens,
) -> ManagerAccess | None:
    """Returns how jobs elsewhere reach the manager, None without TLS, as their tokens are secret."""
    if verification is None or arguments.tls_certificate is None:
        return None
    return ManagerAccess(
        experiment_id=home.experiment_id,
        host=host,
        port=port,
        url_prefix=arguments.url_prefix,
        # Not what --tls-ca names, which may be a whole system's list: that fits in no variable.
        certificates=certificates_in(arguments.tls_certificate),
        name=verification.name,
        token=tokens.job,
    )


async def _keep_recorded(record: ManagerRecord, folder: Path) -> None:
    """Notes the manager's address again should that be deleted: who is not found cannot be stopped."""
    while True:
        await asyncio.sleep(_NOTED_AGAIN_SECONDS)
        try:
            if find_manager_by_port(record.port) is None or not (folder / RECORD_NAME).exists():
                write_manager_record(record, folder)
                _LOGGER.warning("where this manager is was noted again, since the note had gone")
        except OSError as error:
            _LOGGER.warning("where this manager is cannot be noted: %s", error)


def _signals_to_end() -> asyncio.Future[str]:
    """Returns what gets the reason to end, from the first signal; a second one ends the process at once."""
    loop = asyncio.get_running_loop()
    ending: asyncio.Future[str] = loop.create_future()

    def end(number: signal.Signals) -> None:
        _LOGGER.info("received %s", number.name)
        for handled in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(handled)
        _end(ending, f"the manager was told to end by {number.name}")

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, number)
    loop.add_signal_handler(signal.SIGHUP, _LOGGER.info, "received SIGHUP; the experiment goes on")
    return ending


def _end_with_starter(lifeline: int, ending: asyncio.Future[str]) -> None:
    """Ends the process once nobody holds the other end of a pipe any more.

    Raises:
        StartProblem: It is not a pipe.
    """
    loop = asyncio.get_running_loop()

    def read() -> None:
        if not os.read(lifeline, 4096):
            loop.remove_reader(lifeline)
            _end(ending, "whoever started the manager has gone")

    try:
        loop.add_reader(lifeline, read)
    except (OSError, ValueError) as error:
        raise StartProblem(f"--lifeline-fd: {lifeline} is not a pipe: {error}") from error


def _end(ending: asyncio.Future[str], message: str) -> None:
    if not ending.done():
        ending.set_result(message)


async def _until_closed(application: Application, ending: asyncio.Future[str]) -> None:
    closed = asyncio.create_task(application.closed.wait())
    either: set[asyncio.Future[Any]] = {closed, ending}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if ending.done():
        await _close(application, ending.result())
    await closed


async def _close(application: Application, message: str) -> None:
    """Ends the application; while its record cannot be written it is asked again."""
    while True:
        try:
            await application.close(by_user=False, message=message)
            return
        except StorageFailedError as error:
            _LOGGER.error("the manager cannot end yet: %s", error)
            await asyncio.sleep(_CLOSE_AGAIN_SECONDS)


@contextmanager
def _recorded(record: ManagerRecord, verification: Verification | None, folder: Path) -> Iterator[None]:
    try:
        if verification is not None:
            write_private_file(folder / _CA_FILE, verification.certificates)
        write_manager_record(record, folder)
    except OSError as error:
        raise StartProblem(f"the manager cannot note its address: {error}") from error
    try:
        yield
    finally:
        remove_manager_record(record, folder)


@contextmanager
def _socket_folder() -> Iterator[Path]:
    try:
        folder = tempfile.TemporaryDirectory(prefix="m-", dir=runtime_directory(), ignore_cleanup_errors=True)
    except OSError as error:
        raise StartProblem(f"the runtime folder cannot be used: {error}") from error
    with folder as path:
        if len(os.fsencode(path)) > _LONGEST_SOCKET_FOLDER:
            raise StartProblem(
                f"the runtime folder's path is too long for sockets ({path}); set NNI_RUNTIME_DIR to "
                "a private folder with a shorter one"
            )
        yield Path(path)
