"""What importing the package brings with it."""

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from nni_config import default_experiments_directory, new_experiment_id
from nni_config.experiment_ids import EXPERIMENT_ID_PATTERN
from nni_proto import resource_names


def test_the_import_is_light() -> None:
    heavy = ("nni_proto", "google.protobuf", "grpc", "ruamel", "psutil", "numpy", "yaml")
    code = f"import sys, nni_config; print([name for name in {heavy!r} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_search_spaces_are_checked_without_pydantic() -> None:
    code = "import sys, nni_config; nni_config.check_search_space({}); print('pydantic' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_new_ids_are_eight_different_letters_and_digits() -> None:
    ids = [new_experiment_id() for _ in range(100)]
    assert len(set(ids)) == 100
    assert all(re.fullmatch("[a-z0-9]{8}", each) and len(set(each)) == 8 for each in ids)


def test_new_ids_do_not_follow_the_seed() -> None:
    random.seed(1)
    first = new_experiment_id()
    random.seed(1)
    assert new_experiment_id() != first


def test_where_experiments_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert default_experiments_directory() == Path("/home/someone/nni-experiments")


def test_the_protocol_allows_the_same_ids() -> None:
    assert EXPERIMENT_ID_PATTERN.pattern == resource_names.EXPERIMENT_ID_PATTERN.pattern
    assert EXPERIMENT_ID_PATTERN.fullmatch(new_experiment_id())
