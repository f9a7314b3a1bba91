"""The command for a first experiment."""

from __future__ import annotations

from nni_client.commands.groups import app


@app.command()
def hello() -> None:
    """Copy an example of an experiment to the folder nni_hello_hpo here, to be run and changed."""
    from nni_client.commands.hello_example import copy_example

    copy_example()
