"""The page of nnictl: in step with the commands, each with an example that its command takes."""

import shlex
from typing import Any

import generate_nnictl_docs
import pytest
from nni_client.commands.spelling import options_of, spelled_out

COMMANDS = dict(generate_nnictl_docs.commands())


def test_the_page_is_in_step() -> None:
    assert generate_nnictl_docs.main(["--check"]) == 0


def test_each_command_has_one_example_and_nothing_else_has() -> None:
    assert set(generate_nnictl_docs.EXAMPLES) == set(COMMANDS)


@pytest.mark.parametrize(("name", "command"), COMMANDS.items(), ids=list(COMMANDS))
def test_the_example_is_a_command_line_of_the_command(name: str, command: Any) -> None:
    example = generate_nnictl_docs.EXAMPLES[name]
    words = shlex.split(example)
    for end in (">", "&&"):
        if end in words:
            words = words[: words.index(end)]
    program, *rest = words
    path = name.split()
    assert program == "nnictl" and rest[: len(path)] == path
    known = {spelling for option in options_of(command) for spelling in option.names}
    given = spelled_out(rest[len(path) :], options_of(command))
    assert {word.partition("=")[0] for word in given if word.startswith("-")} <= known
    context = command.make_context("nnictl", [], resilient_parsing=True)
    assert command.parse_args(context, rest[len(path) :]) == []  # nothing is left over


def test_every_option_is_on_the_page() -> None:
    text = generate_nnictl_docs.PAGE.read_text()
    for name, command in COMMANDS.items():
        section = text.partition(f"### nnictl {name}\n")[2].partition("\n### ")[0]
        for parameter in command.params:
            for spelling in parameter.opts if parameter.param_type_name == "option" else ():
                assert f"`{spelling}`" in section, (name, spelling)
            assert parameter.help, (name, parameter.name)


def test_a_page_that_differs_is_told(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "nnictl.md"
    monkeypatch.setattr(generate_nnictl_docs, "PAGE", page)
    page.write_text(f"before\n{generate_nnictl_docs.BEGIN}\nold\n{generate_nnictl_docs.END}\nafter\n")
    assert generate_nnictl_docs.main(["--check"]) == 1
    assert generate_nnictl_docs.main([]) == 0
    assert generate_nnictl_docs.main(["--check"]) == 0
    assert page.read_text().startswith("before\n") and page.read_text().endswith("after\n")
    page.write_text("no marks\n")
    with pytest.raises(ValueError, match="lacks one of the lines"):
        generate_nnictl_docs.main([])
