"""The command that checks this machine."""

from __future__ import annotations

from nni_client.commands.groups import AsJson, app


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check whether experiments can run on this machine, and say how to repair what is wrong.

    It starts no experiment. The exit code is 1 when there is a failure; warnings and notes leave it at 0.
    """
    from nni_client.commands.examining import show_examination

    show_examination(as_json)
