"""Importing costs little and changes nothing."""

from __future__ import annotations

import subprocess
import sys

import nni_client
import pytest


def loaded_by(statement: str) -> set[str]:
    program = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return set(done.stdout.split())


def test_the_package_alone_loads_nothing():
    assert not {"grpc", "rich", "pydantic", "nni_proto", "typer"} & loaded_by("import nni_client")


def test_the_class_loads_no_grpc_and_no_rich():
    loaded = loaded_by("from nni_client import Experiment, RunMode\nExperiment('local')")
    assert not {"grpc", "rich", "typer", "nni_manager"} & loaded


def test_no_logging_is_set_up():
    loggers = "logging.root.handlers, logging.getLogger('nni').handlers"
    program = f"import logging, nni_client.experiment\nprint({loggers})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[] []\n"


def test_all_names_are_there():
    assert dir(nni_client) == nni_client.__all__
    for name in nni_client.__all__:
        assert getattr(nni_client, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        nni_client.nothing  # noqa: B018
