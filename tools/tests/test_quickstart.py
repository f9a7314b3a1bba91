from __future__ import annotations

import socket

from workspace.quickstart import usable_port


def test_a_taken_port_is_replaced_by_any() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert usable_port(port) == 0
    assert usable_port(port) == port
