from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROTO = Path(__file__).resolve().parents[2] / "proto"
STUBS = sorted((PROTO / "nni_proto" / "v1").glob("*_pb2.py"))
SERVICES = sorted((PROTO / "nni_proto" / "v1").glob("*_pb2_grpc.py"))
IMPORT_ALL = "import nni_proto.values, nni_proto.resource_names\n" + "\n".join(
    f"import nni_proto.v1.{path.stem}" for path in (*STUBS, *SERVICES)
)


def _floor(distribution: str) -> str:
    found = re.search(rf'"{distribution}>=([0-9.]+),', (PROTO / "pyproject.toml").read_text())
    assert found
    return found.group(1)


@pytest.mark.parametrize("path", STUBS, ids=lambda path: path.stem)
def test_protobuf_floor_is_the_version_the_messages_were_generated_for(path: Path) -> None:
    found = re.search(r"# Protobuf Python Version: ([0-9.]+)", path.read_text())
    assert found
    assert found.group(1) == _floor("protobuf")


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.stem)
def test_grpcio_floor_is_the_version_the_services_were_generated_for(path: Path) -> None:
    found = re.search(r"GRPC_GENERATED_VERSION = '([0-9.]+)'", path.read_text())
    assert found
    assert found.group(1) == _floor("grpcio")


def test_the_stubs_load_beside_files_that_others_register_under_short_names() -> None:
    code = f"""
from google.protobuf import descriptor_pb2, descriptor_pool
for path in {[path.stem.removesuffix("_pb2") for path in STUBS] + ["api"]!r}:
    file = descriptor_pb2.FileDescriptorProto(name=path + ".proto", package="other." + path)
    file.message_type.add(name="Value")
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
{IMPORT_ALL}
from nni_proto.v1 import value_pb2
print(value_pb2.DESCRIPTOR.name, value_pb2.DESCRIPTOR.package)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["nni_proto/v1/value.proto", "nni_proto.v1"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "requirements", [("protobuf==5.29.1", "grpcio==1.71.2"), ("protobuf", "grpcio")], ids=["oldest", "newest"]
)
def test_the_stubs_load_with_the_oldest_and_the_newest_libraries(
    requirements: tuple[str, ...], distributions: dict[str, Any], fresh_python: Callable[[], Any]
) -> None:
    python = fresh_python()
    python.install(*requirements, distributions["nni-proto"].wheel)
    code = f"{IMPORT_ALL}\nfrom nni_proto.values import from_message, to_message\n"
    value = {"b": 1, "a": [1.5, None, "x", True]}
    assert python.output(f"{code}print(from_message(to_message({value!r})))") == str(value)
