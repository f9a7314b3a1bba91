"""Managers that only show: an experiment that never started, and records of older versions."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from nni_config.wire import config_to_message
from nni_manager.testing.noting_trials import EXPERIMENT_ID, NotedSearch, noted_search
from nni_proto.v1 import experiment_service_pb2 as pb

VIEW = "--view"
DATA = Path(__file__).parents[2] / "packages" / "nni-manager" / "tests" / "data"


@pytest.fixture
def search(tmp_path: Path) -> Iterator[NotedSearch]:
    with noted_search(tmp_path, "") as search:
        yield search


def test_one_that_never_started_is_shown(search: NotedSearch) -> None:
    """Row 126: its configuration is there, it has no trials, and nothing starts it."""
    manager = search.start()
    config = config_to_message(search.config.canonical_copy())
    manager.call("CreateExperiment", pb.CreateExperimentRequest(request_id=str(uuid.uuid4()), config=config))
    manager.kill()
    view = search.starter.start(VIEW, f"--experiment-id={EXPERIMENT_ID}")
    assert (view.status(), view.trials(), view.metrics()) == ("INITIALIZED", [], [])
    assert view.experiment().config.trial_command == "python3 trial.py"
    with pytest.raises(grpc.RpcError, match="only shown"):
        view.call("StartExperiment", pb.StartExperimentRequest(name=view.name))
    view.stop()
    assert search.notes("started") == []


@pytest.mark.parametrize("version", [1, 2])
def test_one_of_an_older_version_is_shown_and_stays_as_it_is(search: NotedSearch, version: int) -> None:
    """Row 126: it is read as it is; only a resume brings it forward."""
    record = search.starter.directory / "old12345" / "db" / "experiment.sqlite"
    record.parent.mkdir(parents=True)
    with closing(sqlite3.connect(record)) as connection:
        connection.executescript((DATA / f"experiment_version_{version}.sql").read_text())
    before = record.read_bytes()
    view = search.starter.start(VIEW, "--experiment-id=old12345")
    assert [trial.name.rpartition("/")[2] for trial in view.trials()] == ["t0", "t1", "t2", "t3"]
    assert view.experiment().best_trial.name.endswith("/t0") and view.metrics()
    view.stop()
    assert record.read_bytes() == before
    assert [path.name for path in record.parent.iterdir()] == [record.name]
