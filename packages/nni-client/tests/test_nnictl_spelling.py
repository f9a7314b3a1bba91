"""The options of nnictl may be spelled as in NNI: unique beginnings, underscores, --x=y and -x=y."""

from __future__ import annotations

import pytest
import typer.main
from hypothesis import given
from hypothesis import strategies as st
from nni_client.commands.app import app
from nni_client.commands.spelling import AmbiguousOptionError, Option, options_of, spelled_out

OPTIONS = [
    Option(("--port", "-p"), True),
    Option(("--parameters", "-P"), True),
    Option(("--trial-id", "-T"), True),
    Option(("--meta_path", "-m"), True),
    Option(("--all", "-a"), False),
    Option(("--experiments-dir", "--experiment-dir", "-e"), True),
    Option(("--no-ca", "--no-cache"), False),
]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--po", "1"], ["--port", "1"]),
        (["--po=1"], ["--port=1"]),
        (["-p=1"], ["-p", "1"]),
        (["-p", "1", "--al"], ["-p", "1", "--all"]),
        (["-p1"], ["-p1"]),
        (["--trial_id", "x"], ["--trial-id", "x"]),
        (["--trial_", "x"], ["--trial-id", "x"]),
        (["--meta", "x"], ["--meta_path", "x"]),
        (["--meta-path=x=y"], ["--meta_path=x=y"]),
        (["--experiment_dir", "x"], ["--experiment-dir", "x"]),
        (["--exp", "x"], ["--experiments-dir", "x"]),
        (["--no-ca"], ["--no-ca"]),
        (["abc", "--", "--po"], ["abc", "--", "--po"]),
        (["--po", "--al"], ["--port", "--al"]),  # a value may look like an option
        (["--po"], ["--port"]),
        (["--nonsense", "-z", "x"], ["--nonsense", "-z", "x"]),
        (["--h"], ["--h"]),
    ],
)
def test_spellings(words, wanted):
    assert spelled_out(words, OPTIONS) == wanted


@pytest.mark.parametrize("word", ["--p", "--p=1"])
def test_a_beginning_of_several_names_them(word):
    with pytest.raises(AmbiguousOptionError, match=r"--p could be --port or --parameters"):
        spelled_out([word], OPTIONS)


@given(st.lists(st.text(alphabet="-_=aelmopt1", max_size=8), max_size=6))
def test_nothing_is_lost(words):
    try:
        spelled = spelled_out(words, OPTIONS)
    except AmbiguousOptionError:
        return
    # A second time changes nothing, and as many values come out as went in.
    assert spelled_out(spelled, OPTIONS) == spelled
    assert len(spelled) >= len(words)


def commands(command=None, path=()):
    """Yields every command of nnictl with its name."""
    command = command or typer.main.get_command(app)
    for name, child in getattr(command, "commands", {}).items():
        if getattr(child, "commands", None) is not None:
            yield from commands(child, (*path, name))
        else:
            yield (*path, name), child


@pytest.mark.parametrize(
    ("path", "command"), list(commands()), ids=lambda it: " ".join(it) if isinstance(it, tuple) else ""
)
def test_every_option_of_every_command_takes_its_spellings(path, command):
    options = options_of(command)
    for option in options:
        for name in (it for it in option.names if it.startswith("--")):
            others = [it for other in options if other is not option for it in other.names]
            beginnings = (name[:length] for length in range(4, len(name)))
            unique = [it for it in beginnings if not any(other.startswith(it) for other in others)]
            for spelling in (name, "--" + name[2:].replace("-", "_"), name.replace("_", "-"), *unique):
                (word,) = spelled_out([spelling], options)
                assert word in option.names, spelling
