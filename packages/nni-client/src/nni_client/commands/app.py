"""The sub-commands of nnictl.

A module adds commands like this:

- Its name is in `_MODULES` below and ends in `_commands`; one line each. Help lists commands in this order.
- It imports the groups that it adds to from `groups` (`app` is nnictl itself), and decorates a function for
  each command: `@experiment.command("delete")`.
- At its top it imports `groups` and light modules of the standard library alone, since each run of nnictl and
  each completion in a shell imports every one of them. A command imports what does the work when it runs.
- A command's exit code other than 0 is raised: `raise typer.Exit(code)`. For a mistake of the user's it
  raises ValueError, RuntimeError or OSError with one clear text; `main` prints it on stderr and exits with 1.
"""

from __future__ import annotations

import importlib

from nni_client.commands.groups import GROUPS, app

_MODULES = (
    "creating_commands",
    "viewing_commands",
    "ending_commands",
    "showing_commands",
    "waiting_commands",
    "trial_commands",
    "updating_commands",
    "exporting_commands",
    "archiving_commands",
    "deleting_commands",
    "log_commands",
    "tensor_board_commands",
    "config_commands",
    "algo_commands",
    "training_service_commands",
    "platform_commands",
    "doctor_commands",
    "hello_commands",
    "former_commands",
)

for _group in GROUPS:
    app.add_typer(_group)
for _module in _MODULES:
    importlib.import_module(f"nni_client.commands.{_module}")

__all__ = ["app"]
