"""The plain page of an experiment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from html import escape
from importlib.resources import files
from string import Template

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from nni_manager.web.sign_in import SignIn, sign_in_page

_STATIC = files("nni_manager.web") / "static"
_TYPES = {"page.js": "text/javascript", "page.css": "text/css"}


def index(experiment_name: str, sign_in: SignIn) -> Callable[[Request], Awaitable[Response]]:
    """Returns what answers the bare address.

    Args:
        experiment_name: The experiment's resource name.
        sign_in: Knows who may see it.
    """
    template = Template((_STATIC / "page.html").read_text("utf-8"))
    page = template.substitute(experiment=escape(experiment_name, quote=True))

    async def answer(request: Request) -> Response:
        if sign_in.reader(request) is None:
            return sign_in_page("This browser is not signed in.", 401)
        return HTMLResponse(page)

    return answer


async def static(request: Request) -> Response:
    """Answers with a file of the page; these are the same for everybody."""
    name = request.path_params["name"]
    if name not in _TYPES:
        raise HTTPException(404)
    return Response((_STATIC / name).read_bytes(), media_type=_TYPES[name])
