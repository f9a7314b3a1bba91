"""The generated stubs."""

import importlib
import pkgutil
import subprocess
import sys

import nni_proto.v1
import pytest

MODULES = sorted(module.name for module in pkgutil.iter_modules(nni_proto.v1.__path__))


def test_there_are_stubs() -> None:
    assert "value_pb2" in MODULES
    assert "experiment_service_pb2_grpc" in MODULES


@pytest.mark.parametrize("name", MODULES)
def test_every_stub_can_be_imported_without_a_warning(name: str) -> None:
    importlib.import_module(f"nni_proto.v1.{name}")


def test_the_converters_load_no_grpc() -> None:
    code = "import sys, nni_proto.values, nni_proto.resource_names; print('grpc' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"
