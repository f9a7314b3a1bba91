"""The manager's port in a test's own event loop, in front of a fake application service."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nni_config import ExperimentConfig
from nni_config.wire import config_to_message
from nni_proto.v1 import experiment_config_pb2

from nni_manager.experiments.interface import FolderCalls
from nni_manager.experiments.job_calls import JobCalls
from nni_manager.experiments.many_experiments import ManyExperiments, OwnExperiment
from nni_manager.rpc.access import Role
from nni_manager.rpc.calls import guarded_calls
from nni_manager.server.front import serving
from nni_manager.server.listener import listen
from nni_manager.server.sign_in_codes import OneTimeCodes
from nni_manager.server.tokens import Tokens
from nni_manager.storage.interface import Storage
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.tensor_board.boards import TensorBoards
from nni_manager.testing.fake_experiments import FakeExperiments
from nni_manager.training.jobs.pushed import PushedEvents

if TYPE_CHECKING:
    from starlette.types import ASGIApp

EXPERIMENT_ID = "tested"
"""The experiment of the port."""


@dataclass(frozen=True, slots=True)
class RunningPort:
    """A port that answers.

    Attributes:
        port: Its number, on 127.0.0.1.
        tokens: Makes its tokens.
        codes: Makes its sign-in codes.
        experiments: The fake behind it, unless another service was given.
        pushed: The jobs that may speak to it.
    """

    port: int
    tokens: Tokens
    codes: OneTimeCodes
    experiments: FakeExperiments
    pushed: PushedEvents


@asynccontextmanager
async def running_port(
    port: int = 0,
    allowed_hosts: Sequence[str] = (),
    url_prefix: str = "",
    tls: ssl.SSLContext | None = None,
    service: OwnExperiment | None = None,
    experiments_directory: Path | None = None,
) -> AsyncIterator[RunningPort]:
    """Runs a port with an experiment that has not been created, in front of a fake or a given service.

    Other experiments are those in `experiments_directory`, if it is given.
    """
    pushed = PushedEvents()
    experiments, tokens = FakeExperiments(), Tokens(b"a secret of a test, 32 bytes long")
    listener = listen("127.0.0.1", port, encrypted=False)
    port = listener.getsockname()[1]
    codes = OneTimeCodes(f"http://127.0.0.1:{port}/")
    folder: FolderCalls = experiments
    if service is not None or experiments_directory is not None:
        directory = experiments_directory or Path(tempfile.gettempdir())
        folder = ManyExperiments(service or experiments, EXPERIMENT_ID, directory, _open_to_read)

    def make_app() -> ASGIApp:
        from nni_manager.web.app import WebSettings, make_app

        role_token = {Role.MANAGER: tokens.manager(), Role.VIEW: tokens.view()}.__getitem__
        settings = WebSettings(EXPERIMENT_ID, allowed_hosts, url_prefix, tls is not None, role_token)
        return make_app(settings, calls, tokens, codes, boards)

    with tempfile.TemporaryDirectory(prefix="nni-test-") as sockets:
        boards = TensorBoards(Path(sockets))
        jobs = JobCalls(EXPERIMENT_ID, pushed)
        calls = guarded_calls(folder, tokens, codes, EXPERIMENT_ID, boards, jobs)
        async with serving(listener, tls, Path(sockets), calls, make_app):
            yield RunningPort(port, tokens, codes, experiments, pushed)
            await boards.close()
            await experiments.close(by_user=False, message="the test has ended")
            if isinstance(folder, ManyExperiments):
                await folder.close_others()


def example_config() -> experiment_config_pb2.ExperimentConfig:
    """Returns a small valid configuration."""
    config = ExperimentConfig(
        "local",
        experiment_name="example",
        trial_command="true",
        trial_code_directory=tempfile.gettempdir(),
        trial_concurrency=1,
        search_space={"x": {"_type": "uniform", "_value": [0, 1]}},
        experiment_working_directory=tempfile.gettempdir(),
    )
    config.tuner.name = "Random"
    return config_to_message(config)


def _open_to_read(path: Path) -> Storage:
    return open_sqlite_storage(path, read_only=True)
