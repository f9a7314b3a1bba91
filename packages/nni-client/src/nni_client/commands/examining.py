"""nnictl doctor."""

from __future__ import annotations

from dataclasses import asdict

import typer

from nni_client.commands.output import is_terminal, print_json
from nni_client.doctor import Finding, Level, examine, is_healthy

_STYLES = {Level.OK: "green", Level.NOTE: "cyan", Level.WARNING: "yellow", Level.FAILURE: "red bold"}


def show_examination(as_json: bool) -> None:
    """Prints what every check finds.

    Args:
        as_json: Print JSON: {"healthy": ..., "findings": [{"check", "level", "text", "repair"}]}.

    Raises:
        typer.Exit: There is a failure; the exit code is 1.
    """
    if as_json:
        found = list(examine())
        rows = [{"check": name, **asdict(finding)} for name, finding in found]
        print_json({"healthy": is_healthy(found), "findings": rows})
    elif is_terminal():
        found = _show_table()
    else:
        found = _show_lines()
    if not is_healthy(found):
        raise typer.Exit(1)


def _show_lines() -> list[tuple[str, Finding]]:
    found = []
    for name, finding in examine():
        found.append((name, finding))
        print(f"{finding.level.value.upper()}: {name}: {finding.text}", flush=True)
        if finding.repair:
            print(f"    repair: {finding.repair}", flush=True)
    print(_summary(found))
    return found


def _show_table() -> list[tuple[str, Finding]]:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    with console.status("Looking at this machine..."):
        found = list(examine())
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    shown = ""
    for name, finding in found:
        text = Text(finding.text)
        if finding.repair:
            text.append(f"\nrepair: {finding.repair}", style="bold")
        level = Text(finding.level.value, style=_STYLES[finding.level])
        table.add_row(Text("" if name == shown else name), level, text)
        shown = name
    console.print(table)
    console.print(Text(_summary(found), style="green" if is_healthy(found) else "red bold"))
    return found


def _summary(found: list[tuple[str, Finding]]) -> str:
    counts = {level: sum(it.level is level for _, it in found) for level in (Level.FAILURE, Level.WARNING)}
    parts = [f"{count} {level.value}{'s' if count > 1 else ''}" for level, count in counts.items() if count]
    state = "Experiments can run here" if is_healthy(found) else "Experiments cannot run here as they should"
    return f"{state}: {', '.join(parts)}." if parts else f"{state}."
