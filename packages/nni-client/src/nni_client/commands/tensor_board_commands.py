"""nnictl tensorboard."""

from __future__ import annotations

from typing import Annotated

import typer

from nni_client.commands.groups import app
from nni_client.commands.identifiers import running_ids, trial_ids

_Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[start|list|stop] ID",
        help="What to do, start if left out; and the experiment's id, or its first letters; without it the "
        "only one that runs.",
        autocompletion=running_ids,
    ),
]
_TrialIds = Annotated[
    list[str] | None,
    typer.Option(
        "--trial-id",
        "-T",
        metavar="TRIAL",
        help="A trial whose logs are shown; may be repeated. All that have logs if left out.",
        autocompletion=trial_ids,
    ),
]


@app.command()
def tensorboard(words: _Words = None, trial_id: _TrialIds = None) -> None:
    """Show in TensorBoard what trials wrote to $NNI_OUTPUT_DIR/tensorboard, behind the page's sign-in."""
    from nni_client.commands import tensor_boards

    actions = {
        "start": tensor_boards.start,
        "list": tensor_boards.show_all,
        "stop": tensor_boards.stop_all,
    }
    rest = list(words or [])
    act = actions[rest.pop(0)] if rest and rest[0] in actions else tensor_boards.start
    if len(rest) > 1:
        raise typer.BadParameter(f"{' '.join(rest)!r} are several ids; allowed is one")
    act(rest[0] if rest else None, trial_id or [])
