"""What is printed when an experiment has started."""

from __future__ import annotations

import getpass
import os
from urllib.parse import urlsplit

from nni_client.address import ManagerAddress


def started(experiment_id: str, url: str, address: ManagerAddress) -> str:
    """Returns the lines that name a new experiment and its page.

    Scripts read the first two.

    Args:
        experiment_id: The experiment.
        url: The page's address with a sign-in code in it.
        address: Where the manager listens.
    """
    lines = [f"Experiment ID: {experiment_id}", f"Web portal URLs: {url}"]
    connection = os.environ.get("SSH_CONNECTION", "").split()
    if len(connection) == 4 and address.is_loopback:
        _, _, host, port = connection
        option = "" if port == "22" else f"-p {port} "
        local = f"{address.port}:{address.authority}"
        lines.append(
            f"To open it on the machine you came from, run there: ssh {option}-L {local} {_user()}@{host}"
        )
    return "\n".join(lines)


def page_address(url: str) -> str:
    """Returns the page's address without the sign-in code."""
    parts = urlsplit(url)
    path = parts.path.rpartition("/")[0]
    return f"{parts.scheme}://{parts.netloc}{path}/"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "USER"
