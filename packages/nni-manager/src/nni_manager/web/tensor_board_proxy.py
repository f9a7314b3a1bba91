"""Passes what a browser asks of a TensorBoard on to it, for those who are signed in."""

from __future__ import annotations

from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from nni_manager.tensor_board.boards import TensorBoards
from nni_manager.web.sign_in import SignIn, sign_in_page

METHODS = ["GET", "HEAD", "POST"]
"""What may be asked of a TensorBoard."""

_PAGE_HEADERS = {
    # Its page has inline styles and compiles expressions. `sandbox` keeps it from opening the experiment's
    # page in a window that its scripts could use.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; media-src 'self' blob:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "sandbox allow-scripts allow-same-origin allow-downloads"
    ),
}
_SENT_ON = ("accept", "accept-encoding", "content-type", "range")
_SENT_BACK = ("accept-ranges", "content-encoding", "content-length", "content-range", "content-type")
_MOST_BYTES = 4 * 2**20


class TensorBoardProxy:
    """Answers at tensorboard/ID/..."""

    def __init__(self, boards: TensorBoards, sign_in: SignIn) -> None:
        """Makes the proxy.

        Args:
            boards: The TensorBoards of this manager.
            sign_in: Knows who may see them.
        """
        self._boards = boards
        self._sign_in = sign_in

    async def answer(self, request: Request) -> Response:
        """Answers one request.

        Raises:
            HTTPException: There is no such TensorBoard, or it does not answer.
        """
        if self._sign_in.reader(request) is None:
            return sign_in_page("This browser is not signed in.", 401)
        kept = self._boards.find(request.path_params["board"])
        if kept is None:
            raise HTTPException(404, "there is no such TensorBoard, or it was deleted")
        if kept.board.problem:
            raise HTTPException(502, kept.board.problem)
        from nni_manager.tensor_board.forwarding import NoAnswerError, ask

        # The place is fixed: of what the browser sends only path and query go on, and a few headers.
        sent = {name: request.headers[name] for name in _SENT_ON if name in request.headers}
        body = await _body(request)
        try:
            answer = await ask(kept.board.socket, request.method, _target(request), sent, body)
        except NoAnswerError as error:
            raise HTTPException(502, str(error)) from error
        headers = {name: answer.headers[name] for name in _SENT_BACK if name in answer.headers}
        return StreamingResponse(answer.chunks, answer.status, {**headers, **_PAGE_HEADERS})


def _target(request: Request) -> bytes:
    query: bytes = request.scope["query_string"]
    path = quote(f"/{request.path_params['path']}").encode()
    return path + b"?" + query if query else path


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise HTTPException(413, f"more than {_MOST_BYTES} bytes are not passed on")
    return bytes(body)
