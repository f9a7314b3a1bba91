"""How a process and the courier know each other on a loopback port, which every user of a machine can reach.

Both have a token. Neither sends it, since the port of a courier that has ended may be another program's:

1. The process sends a line with a random text.
2. The courier sends a line with a random text of its own, a space, and its proof.
3. The process sends a line with its proof, a space, and its NextTrialRequest. The answer is as on the socket.
"""

from __future__ import annotations

import hashlib
import hmac
import os

ADDRESS_VARIABLE = "NNI_COURIER_ADDRESS"
"""Has `127.0.0.1:port`."""

TOKEN_VARIABLE = "NNI_COURIER_TOKEN"
"""Has the token."""

COURIER = "courier"
PROCESS = "process"


def random_text() -> str:
    """Returns a text that nobody can guess."""
    return os.urandom(32).hex()


def proof(token: str, who: str, of_process: str, of_courier: str) -> str:
    """Returns what shows that one has the token.

    Args:
        token: The token.
        who: COURIER or PROCESS, who shows it.
        of_process: The random text of the process.
        of_courier: The random text of the courier.
    """
    text = f"{who} {of_process} {of_courier}".encode()
    return hmac.new(token.encode(), text, hashlib.sha256).hexdigest()


def is_right(shown: str, token: str, who: str, of_process: str, of_courier: str) -> bool:
    """Returns whether what was shown is the proof; the arguments behind it are those of `proof`."""
    return hmac.compare_digest(shown.encode(), proof(token, who, of_process, of_courier).encode())
