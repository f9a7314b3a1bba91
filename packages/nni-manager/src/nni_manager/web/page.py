"""The page: its index, written for whoever reads it, and its files, which are the same for everybody."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from html import escape
from importlib.resources import files
from mimetypes import types_map
from pathlib import PurePosixPath
from string import Template

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from nni_manager.rpc.access import Role
from nni_manager.web.sign_in import SignIn, sign_in_page

_STATIC = files("nni_manager.web") / "static"
_FOR_EVER = "public, max-age=31536000, immutable"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": types_map[".svg"]}

_NOT_BUILT = (
    "The page has not been built in this source tree. `python packages/nni-manager/build_page.py` builds it;"
    " so does installing the package. All else works without it.\n"
)

PLAIN_FILES = ("icon.svg", "sign-in.css")
"""Files beside the index whose names have no hash of their contents."""


def index(experiment_name: str, sign_in: SignIn) -> Callable[[Request], Awaitable[Response]]:
    """Returns what answers the bare address.

    Args:
        experiment_name: The experiment's resource name.
        sign_in: Knows who may see it.
    """

    async def answer(request: Request) -> Response:
        caller = sign_in.reader(request)
        if caller is None:
            return sign_in_page("This browser is not signed in.", 401)
        index_file = _STATIC / "index.html"
        if not index_file.is_file():
            return PlainTextResponse(_NOT_BUILT, 503)
        template = Template(index_file.read_text("utf-8"))
        role = "view" if caller.role is Role.VIEW else "manager"
        return HTMLResponse(
            template.substitute(experiment=escape(experiment_name, quote=True), role=escape(role, quote=True))
        )

    return answer


async def asset(request: Request) -> Response:
    """Answers with a file whose name holds the hash of its contents."""
    name = request.path_params["name"]
    return _file(request, f"assets/{name}", {"Cache-Control": _FOR_EVER})


async def plain_file(request: Request) -> Response:
    """Answers with one of PLAIN_FILES."""
    return _file(request, PurePosixPath(request.url.path).name, {})


def _file(request: Request, path: str, headers: dict[str, str]) -> Response:
    media_type = _TYPES.get(PurePosixPath(path).suffix)
    file = _STATIC / path
    if media_type is None or ".." in path or not file.is_file():
        raise HTTPException(404)
    compressed = _STATIC / f"{path}.gz"
    headers["Vary"] = "Accept-Encoding"
    if _takes_gzip(request) and compressed.is_file():
        headers["Content-Encoding"] = "gzip"
        file = compressed
    return Response(file.read_bytes(), headers=headers, media_type=media_type)


def _takes_gzip(request: Request) -> bool:
    accepted = request.headers.get("accept-encoding", "").lower().replace(" ", "").split(",")
    return any(one == "gzip" or (one.startswith("gzip;q=") and one[7:].strip("0.")) for one in accepted)
