"""The HTTP application."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nni_proto.resource_names import experiment_name
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from nni_manager.rpc.access import Authenticator, Role, SignInCodes
from nni_manager.rpc.calls import GuardedCalls
from nni_manager.tensor_board.boards import TensorBoards
from nni_manager.web import page
from nni_manager.web.guard import BrowserGuard
from nni_manager.web.refusals import refused_by_http
from nni_manager.web.rpc_routes import RpcRoutes
from nni_manager.web.sign_in import SignIn
from nni_manager.web.tensor_board_proxy import METHODS, TensorBoardProxy

_ALL_VERBS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

_OLD_CALLS = {
    "check-status": "GetExperiment",
    "experiment": "GetExperiment",
    "experiments-info": "nnictl experiment list",
    "experiment-metadata": "GetExperiment",
    "trial-jobs": "ListTrials, GetTrial, CancelTrial",
    "job-statistics": "GetExperiment",
    "metric-data": "ListMetrics",
    "metric-data-latest": "ListTrials",
    "metric-data-range": "ListMetrics",
    "export-data": "ExportTrials",
    "version": "GetExperiment",
}


@dataclass(frozen=True, slots=True)
class WebSettings:
    """What the HTTP side needs to know.

    Attributes:
        experiment_id: The experiment that the page shows.
        allowed_hosts: Host names, beside localhost and addresses, under which the manager is reached.
        url_prefix: The first part of every path, without slashes; "" for none.
        secure: Whether the port is TLS.
        role_token: Returns the token of a role, which a signed-in browser gets.
    """

    experiment_id: str
    allowed_hosts: Sequence[str]
    url_prefix: str
    secure: bool
    role_token: Callable[[Role], str]


def make_app(
    settings: WebSettings,
    calls: GuardedCalls,
    authenticator: Authenticator,
    codes: SignInCodes,
    boards: TensorBoards,
) -> ASGIApp:
    """Returns the application.

    Args:
        settings: What it needs to know.
        calls: The protocol's calls.
        authenticator: Recognises tokens.
        codes: Redeems sign-in codes.
        boards: The TensorBoards of this manager.
    """
    sign_in = SignIn(settings.experiment_id, authenticator, codes, settings.role_token, settings.secure)
    routes: list[BaseRoute] = [
        Route("/", page.index(experiment_name(settings.experiment_id), sign_in)),
        Route("/sign-in", sign_in.sign_in),
        Route("/assets/{name}", page.asset),
        *(Route(f"/{name}", page.plain_file) for name in page.PLAIN_FILES),
        Route("/api/v1/nni/{call:path}", _gone, methods=_ALL_VERBS),
        Route("/tensorboard/{board}/{path:path}", TensorBoardProxy(boards, sign_in).answer, methods=METHODS),
        Route("/{service}/{method}", RpcRoutes(calls, sign_in.token).call, methods=["POST"]),
    ]
    if settings.url_prefix:
        prefix = f"/{settings.url_prefix}"
        # A reverse proxy may take the prefix off or leave it on; both work.
        routes = [Route(prefix, _to_folder), Mount(prefix, routes=routes), *routes]
    handlers: Mapping[Any, Any] = {HTTPException: refused_by_http}
    return BrowserGuard(Starlette(routes=routes, exception_handlers=handlers), settings.allowed_hosts)


async def _gone(request: Request) -> Response:
    old = request.path_params["call"].partition("/")[0]
    new = _OLD_CALLS.get(old, "a call of nni_proto.v1.ExperimentService")
    message = (
        f"NNI's /api/v1/nni/{old if old in _OLD_CALLS else '*'} is gone; use {new}"
        " (POST /nni_proto.v1.ExperimentService/METHOD with JSON, or gRPC)"
    )
    return JSONResponse({"error": message}, 410)


async def _to_folder(request: Request) -> Response:
    return RedirectResponse(f"{request.url.path}/", 308)
