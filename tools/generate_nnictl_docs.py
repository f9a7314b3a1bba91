"""Writes the reference in docs/nnictl.md from the commands of nnictl, or checks that it is in step.

    .venv/bin/python tools/generate_nnictl_docs.py           writes the part between the two marks
    .venv/bin/python tools/generate_nnictl_docs.py --check   exits with 1 when that part differs

What a command and its options do comes from the commands themselves, the example of each from the table
below.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer.main
from nni_client.commands.app import app

PAGE = Path(__file__).resolve().parent.parent / "docs" / "nnictl.md"
"""The page."""

BEGIN = "<!-- Made by tools/generate_nnictl_docs.py from the commands. -->"
"""The line before the part that is made."""

END = "<!-- Written by hand from here on. -->"
"""The line after it."""

EXAMPLES: Mapping[str, str] = {
    "create": "nnictl create --config config.yml --port 0",
    "resume": "nnictl resume k3v9x0ab --trialnum 200 --foreground",
    "view": "nnictl view k3v9x0ab --port 8081",
    "stop": "nnictl stop k3v9",
    "list": "nnictl list --all",
    "status": "nnictl status k3v9 --json",
    "wait": "nnictl wait k3v9 --timeout 3600 && python3 next_step.py",
    "top": "nnictl top --time 1",
    "pause": "nnictl pause",
    "unpause": "nnictl unpause",
    "doctor": "nnictl doctor --json",
    "hello": "nnictl hello",
    "experiment list": "nnictl experiment list --all --json",
    "experiment status": "nnictl experiment status",
    "experiment show": "nnictl experiment show k3v9",
    "experiment best": "nnictl experiment best k3v9 --json > best.json",
    "experiment wait": "nnictl experiment wait",
    "experiment pause": "nnictl experiment pause",
    "experiment unpause": "nnictl experiment unpause",
    "experiment export": "nnictl experiment export k3v9 --type csv --filename results.csv --intermediate",
    "experiment import": "nnictl experiment import --filename results.csv",
    "experiment save": "nnictl experiment save k3v9 --path . --saveCodeDir",
    "experiment load": "nnictl experiment load --path nni_experiment_k3v9x0ab.zip --codeDir code",
    "experiment delete": "nnictl experiment delete --older-than 30d --dry-run",
    "trial ls": "nnictl trial ls k3v9 --filter 'status = SUCCEEDED and lr > 1e-3' --sort=-objective",
    "trial kill": "nnictl trial kill --trial_id Ab3Xy",
    "trial rerun": "nnictl trial rerun -T Ab3Xy",
    "trial create": """nnictl trial create --parameters '{"lr": 0.01, "layers": 3}'""",
    "update searchspace": "nnictl update searchspace --filename search_space.json",
    "update concurrency": "nnictl update concurrency --value 4",
    "update duration": "nnictl update duration --value 12h",
    "update trialnum": "nnictl update trialnum --value 500",
    "config check": "nnictl config check config.yml",
    "config show": "nnictl config show k3v9",
    "config convert": "nnictl config convert old.yml new.yml",
    "config schema": "nnictl config schema --output schema.json",
    "webui url": "nnictl webui url",
    "log stdout": "nnictl log stdout --tail 20",
    "log stderr": "nnictl log stderr --head 20",
    "log manager": "nnictl log manager k3v9 --tail 50",
    "log dispatcher": "nnictl log dispatcher --path",
    "tensorboard": "nnictl tensorboard k3v9 --trial-id Xa3k9",
    "log trial": "nnictl log trial --trial_id Ab3Xy --stderr --tail 20",
    "algo register": "nnictl algo register --meta_path meta.yml",
    "algo unregister": "nnictl algo unregister HillClimber",
    "algo show": "nnictl algo show HillClimber",
    "algo list": "nnictl algo list",
    "algo template": "nnictl algo template tuner --path hill_climber.py",
    "trainingservice register": "nnictl trainingservice register --package my_cluster",
    "trainingservice unregister": "nnictl trainingservice unregister --package my_cluster",
    "trainingservice list": "nnictl trainingservice list",
    "platform clean": "nnictl platform clean k3v9 --dry-run",
}
"""An example of each command."""


def commands() -> Iterator[tuple[str, Any]]:
    """Yields every command that help shows, by its name."""
    yield from _commands(typer.main.get_command(app), ())


def reference() -> str:
    """Returns the part of the page that is made.

    Raises:
        KeyError: A command has no example.
    """
    found = list(commands())
    lines = ["", "| command | |", "|---|---|"]
    for name, command in found:
        anchor = "nnictl-" + name.replace(" ", "-")
        lines.append(f"| [`nnictl {name}`](#{anchor}) | {_first_sentence(command)} |")
    for name, command in found:
        lines += ["", *_section(name, command)]
    return "\n".join(lines) + "\n"


def page_with(text: str, part: str) -> str:
    """Returns the page with another part between the marks.

    Raises:
        ValueError: A mark is missing.
    """
    before, mark, rest = text.partition(BEGIN + "\n")
    _, end, after = rest.partition(END + "\n")
    if not mark or not end:
        raise ValueError(f"the page lacks one of the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n{part}\n{END}\n{after}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes or checks the page; returns the exit code."""
    parser = argparse.ArgumentParser(description="Makes the reference of nnictl's commands.")
    parser.add_argument("--check", action="store_true", help="only tell whether it is in step")
    is_check = parser.parse_args(arguments).check
    text = PAGE.read_text(encoding="utf-8")
    made = page_with(text, reference())
    if is_check:
        if made != text:
            print(
                f"{PAGE} is not in step; make it anew: python tools/generate_nnictl_docs.py", file=sys.stderr
            )
        return int(made != text)
    PAGE.write_text(made, encoding="utf-8")
    return 0


def _commands(group: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for name, child in group.commands.items():
        if hasattr(child, "commands"):
            yield from _commands(child, (*path, name))
        elif not child.hidden:
            yield " ".join((*path, name)), child


def _section(name: str, command: Any) -> Iterator[str]:
    yield f"### nnictl {name}"
    yield ""
    yield " ".join(command.help.split())
    yield ""
    yield "```"
    yield EXAMPLES[name]
    yield "```"
    rows = [_row(parameter) for parameter in command.params if not parameter.hidden]
    if rows:
        yield ""
        yield "| | |"
        yield "|---|---|"
        yield from rows


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        spelling = f"`{parameter.metavar or parameter.name.upper()}`"
    else:
        spelling = ", ".join(f"`{name}`" for name in parameter.opts)
    notes = []
    if parameter.required:
        notes.append("Required.")
    elif parameter.default not in (None, False, []) and not callable(parameter.default):
        notes.append(f"Default: {parameter.default}.")
    text = " ".join([parameter.help or "", *notes]).strip()
    return f"| {spelling} | {text.replace('|', chr(92) + '|')} |"


def _first_sentence(command: Any) -> str:
    text = " ".join(command.help.split())
    return text.partition(". ")[0].rstrip(".") + "."


if __name__ == "__main__":
    sys.exit(main())
