"""How a browser signs in: a one-time code becomes a cookie."""

from __future__ import annotations

from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from nni_manager.rpc.access import Authenticator, Caller, Role, SignInCodes
from nni_manager.rpc.calls import bearer_token

_HEAD = """\
<!doctype html><html lang=en><meta charset=utf-8>
<meta name=viewport content="width=device-width, initial-scale=1"><link rel=stylesheet href="./sign-in.css">
<link rel=icon href="./icon.svg" type="image/svg+xml">
"""
_ADVICE = """\
<p>Each experiment's page is opened by a link of its own. To get one, run</p>
<pre>nnictl webui url ID</pre>
<p>with the experiment's id for ID, on the machine and as the user that started the experiment,
and open the link it prints. <code>nnictl experiment list</code> shows the ids.</p>
"""


class SignIn:
    """Knows who a browser belongs to."""

    def __init__(
        self,
        experiment_id: str,
        authenticator: Authenticator,
        codes: SignInCodes,
        role_token: Callable[[Role], str],
        secure: bool,
    ) -> None:
        """Makes the sign-in of one experiment's page.

        Args:
            experiment_id: The experiment. Cookies do not separate ports, so the cookie's name holds it.
            authenticator: Recognises tokens.
            codes: Redeems codes.
            role_token: Returns the token of a role.
            secure: Whether the page is served by TLS.
        """
        self._cookie = f"nni-{experiment_id}"
        self._authenticator = authenticator
        self._codes = codes
        self._role_token = role_token
        self._secure = secure

    def token(self, request: Request) -> str:
        """Returns the token that a request carries, "" for none.

        A cookie that comes with a call counts only beside an Origin header, which the guard has checked.
        """
        token = bearer_token(request.headers.get("authorization", ""))
        if token or (request.method == "POST" and "origin" not in request.headers):
            return token
        return request.cookies.get(self._cookie, "")

    def reader(self, request: Request) -> Caller | None:
        """Returns who reads the page, None for somebody who may not."""
        caller = self._authenticator.caller(self.token(request))
        return caller if caller is not None and caller.may_look else None

    async def sign_in(self, request: Request) -> Response:
        """Redeems the code in the address."""
        if request.method != "GET":
            raise HTTPException(405, "a code is redeemed by GET", {"Allow": "GET"})
        role = self._codes.redeem(request.query_params.get("code", ""))
        if role is None:
            return sign_in_page("This link has been used, or it is more than ten minutes old.", 403)
        # A page instead of a redirect: to a redirect from a link on another site, browsers do not send a
        # SameSite=Strict cookie.
        response = HTMLResponse(
            f"{_HEAD}<title>Signed in</title>"
            '<meta http-equiv=refresh content="0;url=./">'
            '<main><p>Signed in. <a href="./">Go to the experiment</a></p></main>'
        )
        response.set_cookie(
            self._cookie,
            self._role_token(role),
            path="/",
            httponly=True,
            samesite="strict",
            secure=self._secure,
        )
        return response


def sign_in_page(reason: str, status: int) -> Response:
    """Returns the page that somebody who is not signed in sees; it tells nothing about the experiment."""
    return HTMLResponse(
        f"{_HEAD}<title>Sign in</title><main><h1>Not signed in</h1><p>{reason}</p>{_ADVICE}</main>", status
    )
