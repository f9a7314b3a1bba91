"""A port that leads to another one byte by byte, as the mapped port of a container does."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PIECE = 65_536


@contextmanager
def mapped_port(port: int) -> Iterator[int]:
    """Passes everything on while the body runs; gives the port to connect to.

    Args:
        port: The port on this machine that it leads to.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as opened:

        def accept() -> None:
            with contextlib.suppress(OSError):  # the listener is closed at the end
                while True:
                    one, _ = listener.accept()
                    other = socket.create_connection(("127.0.0.1", port))
                    for side, far_side in ((one, other), (other, one)):
                        opened.callback(side.close)
                        threading.Thread(target=_pass_on, args=(side, far_side), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
