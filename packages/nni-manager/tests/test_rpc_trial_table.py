"""Trials filtered and sorted, columns and curves, through the port and a record in a file."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from nni_manager.engine.effects import SaveExperiment, SaveTrial
from nni_manager.engine.statuses import TrialStatus
from nni_manager.experiments.folder import ExperimentFolder
from nni_manager.experiments.view_service import open_view
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.testing.running_port import EXPERIMENT_ID, running_port
from nni_manager.testing.storage import EXPERIMENT, metric, results, trial
from nni_manager.web.connect import written
from nni_proto.v1 import experiment_service_pb2 as pb
from nni_proto.v1 import trial_table_pb2 as table_pb
from nni_proto.v1.experiment_service_pb2_grpc import ExperimentServiceStub
from nni_proto.v1.trial_pb2 import Trial

NAME = f"experiments/{EXPERIMENT_ID}"
SPACE = {
    "lr": {"_type": "loguniform", "_value": [1e-4, 1.0]},
    "layer0": {
        "_type": "choice",
        "_value": [
            {"_name": "Conv", "k": {"_type": "randint", "_value": [1, 8]}},
            {"_name": "Dense", "units": {"_type": "choice", "_value": [8, 16]}},
        ],
    },
    "status": {"_type": "choice", "_value": ["a", None, 3]},
    "noise": {"_type": "normal", "_value": [0, 1]},
}
OBJECTIVES = [0.1, 0.9, 0.5, math.inf, None]


@pytest.fixture
async def call(tmp_path: Path) -> AsyncIterator[Any]:
    """Returns what makes a call by its name, on a port that shows five trials."""
    folder = ExperimentFolder(tmp_path / EXPERIMENT_ID)
    folder.path.mkdir()
    storage = open_sqlite_storage(folder.database)
    record = replace(EXPERIMENT, experiment_id=EXPERIMENT_ID, config={"searchSpace": SPACE})
    storage.commit([SaveExperiment(record)])
    for number, objective in enumerate(OBJECTIVES):
        parameters = {"lr": 0.123456789123 * 10.0**-number, "layer0": {"_name": "Conv", "k": number}}
        storage.commit(
            [
                SaveTrial(
                    trial(
                        number,
                        parameters={**parameters, "status": "a"} if number else parameters,
                        status=TrialStatus.SUCCEEDED if objective is not None else TrialStatus.RUNNING,
                        has_final_result=objective is not None,
                        final_result={"default": objective, "note": "x"},
                        objective=objective,
                        started_at=1_700_000_000.123456,
                        ended_at=1_700_000_010.0 if objective is not None else None,
                    )
                ),
                results(number, *(metric(number, step, number + step / 10) for step in range(number * 5))),
            ]
        )
    storage.close()
    service = open_view(tmp_path, EXPERIMENT_ID, lambda path: open_sqlite_storage(path, read_only=True))
    async with (
        running_port(service=service) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port.port}") as channel,
    ):
        stub: Any = ExperimentServiceStub(channel)
        metadata = [("authorization", f"Bearer {port.tokens.view()}")]

        async def make_call(method: str, request: Any) -> Any:
            return await getattr(stub, method)(request, metadata=metadata, timeout=30)

        yield make_call
    await service.close(by_user=False, message="")


async def test_a_page_is_filtered_sorted_and_counted(call: Any) -> None:
    request = pb.ListTrialsRequest(
        parent=NAME, filter="has(objective) and layer0.k > 0", order_by="objective desc", page_size=2
    )
    page = await call("ListTrials", request)
    assert [it.sequence_number for it in page.trials] == [3, 1]
    assert (page.total_size, page.revision) == (3, 6)
    request.page_token = page.next_page_token
    page = await call("ListTrials", request)
    assert [it.sequence_number for it in page.trials] == [2]
    assert (page.total_size, page.next_page_token) == (3, "")
    request.ClearField("page_token")
    request.skip = 1
    assert [it.sequence_number for it in (await call("ListTrials", request)).trials] == [1, 2]


async def test_counts_of_the_page_and_of_the_experiment_agree_at_the_same_revision(call: Any) -> None:
    experiment = (await call("GetExperiment", pb.GetExperimentRequest(name=NAME))).experiment
    page = await call("ListTrials", pb.ListTrialsRequest(parent=NAME))
    filtered = await call("ListTrials", pb.ListTrialsRequest(parent=NAME, filter="status = SUCCEEDED"))
    columns = await call("ReadColumns", table_pb.ReadColumnsRequest(parent=NAME))
    curves = await call("ListCurves", table_pb.ListCurvesRequest(parent=NAME))
    assert {it.revision for it in (experiment, page, filtered, columns, curves)} == {6}
    counts = {Trial.Status.Name(it.status): it.count for it in experiment.trial_counts}
    assert sum(counts.values()) == page.total_size == columns.total_size == 5
    assert counts["STATUS_SUCCEEDED"] == filtered.total_size == 4


async def test_columns_are_those_of_trials_of_the_search_space_and_of_results(call: Any) -> None:
    columns = (await call("ListColumns", table_pb.ListColumnsRequest(parent=NAME))).columns
    column = table_pb.Column
    assert [(it.name, column.Kind.Name(it.kind)[5:]) for it in columns] == [
        ("number", "NUMBER"),
        ("id", "TEXT"),
        ("status", "TEXT"),
        ("objective", "NUMBER"),
        ("duration", "DURATION"),
        ("created", "TIME"),
        ("started", "TIME"),
        ("ended", "TIME"),
        ("attempt", "NUMBER"),
        ("reason", "TEXT"),
        ("source", "TEXT"),
        ("intermediates", "NUMBER"),
        ("lr", "NUMBER"),
        ("layer0._name", "TEXT"),
        ("layer0.k", "NUMBER"),
        ("layer0.units", "NUMBER"),
        ("parameter.status", "TEXT"),
        ("noise", "NUMBER"),
        ("metric.default", "NUMBER"),
        ("metric.note", "TEXT"),
        ("intermediate.default", "NUMBER"),
    ]
    by_name = {it.name: it for it in columns}
    lr, k, status = by_name["lr"], by_name["layer0.k"], by_name["parameter.status"]
    assert (lr.logarithmic, lr.low, lr.high, lr.source) == (True, 1e-4, 1.0, column.SOURCE_PARAMETER)
    assert (k.logarithmic, k.low, k.high) == (False, 1, 7)
    assert [it.WhichOneof("kind") for it in status.options] == ["string_value", "null_value", "int_value"]
    assert [it.string_value for it in by_name["layer0._name"].options] == ["Conv", "Dense"]
    assert not by_name["noise"].HasField("low") and not by_name["noise"].HasField("high")
    assert by_name["metric.note"].source == column.SOURCE_METRIC
    assert by_name["intermediate.default"].source == column.SOURCE_INTERMEDIATE
    assert by_name["number"].source == column.SOURCE_TRIAL


async def test_columns_are_read_in_the_order_asked_for(call: Any) -> None:
    request = table_pb.ReadColumnsRequest(
        parent=NAME,
        columns=["lr", "objective", "parameter.status", "started", "layer0.units", "lr"],
        filter="number != 2",
        order_by="objective desc",
    )
    found = await call("ReadColumns", request)
    assert found.trial_ids == ["t0003", "t0001", "t0000", "t0004"]
    assert found.sequence_numbers == [3, 1, 0, 4]
    assert found.statuses == [Trial.STATUS_SUCCEEDED] * 3 + [Trial.STATUS_RUNNING]
    assert [it.name for it in found.columns] == list(request.columns)
    lr, objective, status, started, units, again = found.columns
    assert lr.numbers == again.numbers
    assert list(lr.numbers) == [0.00012345679, 0.012345679, 0.12345679, 0.000012345679]
    assert list(objective.numbers)[:3] == [math.inf, 0.9, 0.1] and math.isnan(objective.numbers[3])
    assert (status.texts, status.text_indexes, status.numbers) == (["a"], [0, 0, -1, 0], [])
    assert list(started.numbers) == [1_700_000_000.123] * 4
    assert all(map(math.isnan, units.numbers)) and len(units.numbers) == 4
    form = json.loads(written(found))
    assert form["columns"][1]["numbers"] == ["Infinity", 0.9, 0.1, "NaN"]


async def test_of_too_many_trials_some_and_the_best_are_read(call: Any) -> None:
    request = table_pb.ReadColumnsRequest(
        parent=NAME, columns=["number"], filter="objective < 1 or number = 4", max_trials=2
    )
    found = await call("ReadColumns", request)
    assert (found.sequence_numbers, found.total_size) == ([1, 4], 4) or found.sequence_numbers == [0, 1]
    assert 1 in found.sequence_numbers


async def test_curves_are_thinned_out_and_counted(call: Any) -> None:
    found = await call(
        "ListCurves", table_pb.ListCurvesRequest(parent=NAME, max_points=6, order_by="-number")
    )
    assert (found.total_size, found.keys) == (4, ["default"])
    assert [it.sequence_number for it in found.curves] == [4, 3, 2, 1]
    longest = found.curves[0]
    assert (longest.trial, longest.status) == (f"{NAME}/trials/t0004", Trial.STATUS_RUNNING)
    assert longest.point_count == 20 and len(longest.indexes) <= 6
    assert (longest.indexes[0], longest.indexes[-1]) == (0, 19)
    assert longest.values == [4 + step / 10 for step in longest.indexes]
    assert list(found.curves[3].indexes) == list(range(5))
    assert (
        await call("ListCurves", table_pb.ListCurvesRequest(parent=NAME, max_points=6, order_by="-number"))
        == found
    )


async def test_curves_of_some_trials_in_a_range_at_a_step(call: Any) -> None:
    step = table_pb.ListCurvesRequest.StepRange(index=7, low=3)
    found = await call("ListCurves", table_pb.ListCurvesRequest(parent=NAME, step_range=step))
    assert [it.sequence_number for it in found.curves] == [3, 4]
    step = table_pb.ListCurvesRequest.StepRange(index=7, high=3)
    found = await call("ListCurves", table_pb.ListCurvesRequest(parent=NAME, step_range=step, max_curves=1))
    assert ([it.sequence_number for it in found.curves], found.total_size) == ([2], 1)
    names = [f"{NAME}/trials/t0002", f"{NAME}/trials/t0000"]
    found = await call("ListCurves", table_pb.ListCurvesRequest(parent=NAME, trials=names))
    assert ([it.sequence_number for it in found.curves], found.total_size) == ([2], 1)
    found = await call("ListCurves", table_pb.ListCurvesRequest(parent=NAME, key="loss", filter="number = 1"))
    assert all(map(math.isnan, found.curves[0].values)) and len(found.curves[0].values) == 5


@pytest.mark.parametrize(
    ("method", "request_", "complaint"),
    [
        ("ListTrials", pb.ListTrialsRequest(parent=NAME, filter="lr >"), "filter: character 5"),
        ("ListTrials", pb.ListTrialsRequest(parent=NAME, order_by="lx"), "order_by: character 1"),
        ("ListTrials", pb.ListTrialsRequest(parent=NAME, skip=-1), "skip: -1 is below 0"),
        ("ListTrials", pb.ListTrialsRequest(parent=NAME, page_token="x"), "page_token"),
        ("ReadColumns", table_pb.ReadColumnsRequest(parent=f"{NAME}/"), "parent"),
        (
            "ReadColumns",
            table_pb.ReadColumnsRequest(parent=NAME, columns=["lr", "lx"]),
            "columns[1]: there is no",
        ),
        (
            "ReadColumns",
            table_pb.ReadColumnsRequest(parent=NAME, columns=["lr"] * 201),
            "columns: 201 are too many",
        ),
        ("ReadColumns", table_pb.ReadColumnsRequest(parent=NAME, max_trials=-1), "max_trials: -1 is below 0"),
        ("ListCurves", table_pb.ListCurvesRequest(parent=NAME, max_curves=-1), "max_curves"),
        ("ListCurves", table_pb.ListCurvesRequest(parent=NAME, max_points=-1), "max_points"),
        ("ListCurves", table_pb.ListCurvesRequest(parent=NAME, trials=["x"]), "trials[0]"),
        (
            "ListCurves",
            table_pb.ListCurvesRequest(parent=NAME, trials=["experiments/b/trials/t0001"]),
            "trials[0]: 'experiments/b/trials/t0001' is no trial of",
        ),
        (
            "ListCurves",
            table_pb.ListCurvesRequest(parent=NAME, step_range={"index": -1}),
            "step_range.index: -1 is below 0",
        ),
    ],
)
async def test_a_wrong_field_is_named(call: Any, method: str, request_: Any, complaint: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(method, request_)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert complaint in caught.value.details()


async def test_a_token_of_another_order_is_refused(call: Any) -> None:
    page = await call("ListTrials", pb.ListTrialsRequest(parent=NAME, order_by="lr", page_size=1))
    with pytest.raises(grpc.aio.AioRpcError, match="page_token"):
        await call("ListTrials", pb.ListTrialsRequest(parent=NAME, page_token=page.next_page_token))
