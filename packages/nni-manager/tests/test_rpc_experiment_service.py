from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2
from grpc_status.rpc_status import aio as rpc_status
from nni_manager.experiments.errors import StorageFailedError
from nni_manager.experiments.views import UNCHANGED
from nni_manager.rpc import paging
from nni_manager.testing.running_port import EXPERIMENT_ID, RunningPort, example_config, running_port
from nni_proto import values
from nni_proto.v1 import experiment_pb2, metric_pb2, trial_pb2
from nni_proto.v1 import experiment_service_pb2 as pb
from nni_proto.v1 import trial_runtime_service_pb2 as runtime_pb
from nni_proto.v1.experiment_service_pb2_grpc import ExperimentServiceStub
from nni_proto.v1.trial_runtime_service_pb2_grpc import TrialRuntimeServiceStub

NAME = f"experiments/{EXPERIMENT_ID}"


class Client:
    """Calls a running port with the manager's token."""

    def __init__(self, port: RunningPort, channel: grpc.aio.Channel) -> None:
        self.port = port
        self.stub: Any = ExperimentServiceStub(channel)
        self.runtime: Any = TrialRuntimeServiceStub(channel)
        self.metadata = [("authorization", f"Bearer {port.tokens.manager()}")]

    async def __call__(self, method: Callable[..., Any], request: Any) -> Any:
        return await method(request, metadata=self.metadata, timeout=30)

    async def failure(self, method: Callable[..., Any], request: Any) -> tuple[str, str]:
        """Returns the reason and the text of the error that a call ends with."""
        call = method(request, metadata=self.metadata, timeout=30)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await (call.read() if hasattr(call, "read") else call)
        info = error_details_pb2.ErrorInfo()
        status = await rpc_status.from_call(call)
        assert status.details[0].Unpack(info) and info.domain == "nni"
        return info.reason, caught.value.details()

    async def create(self) -> experiment_pb2.Experiment:
        request = pb.CreateExperimentRequest(request_id=str(uuid.uuid4()), config=example_config())
        return (await self(self.stub.CreateExperiment, request)).experiment


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    async with (
        running_port() as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port.port}", options=options) as channel,
    ):
        yield Client(port, channel)


async def test_create_and_get(client: Client) -> None:
    created = await client.create()
    assert created.name == NAME
    assert created.status == experiment_pb2.Experiment.STATUS_INITIALIZED
    assert created.config == example_config_in_canonical_form()
    got = await client(client.stub.GetExperiment, pb.GetExperimentRequest(name=NAME))
    assert await client(client.stub.GetExperiment, pb.GetExperimentRequest(name="experiments/-")) == got
    assert got.experiment == created


def example_config_in_canonical_form() -> Any:
    from nni_config.wire import config_from_message, config_to_message

    return config_to_message(config_from_message(example_config()).canonical_copy())


async def test_the_same_request_again_creates_nothing_new(client: Client) -> None:
    request = pb.CreateExperimentRequest(request_id=str(uuid.uuid4()), config=example_config())
    first = await client(client.stub.CreateExperiment, request)
    assert await client(client.stub.CreateExperiment, request) == first
    request.request_id = str(uuid.uuid4())
    reason, _ = await client.failure(client.stub.CreateExperiment, request)
    assert reason == "EXPERIMENT_ALREADY_EXISTS"


async def test_another_id_than_the_managers_is_refused(client: Client) -> None:
    request = pb.CreateExperimentRequest(
        request_id=str(uuid.uuid4()), experiment_id="other", config=example_config()
    )
    reason, text = await client.failure(client.stub.CreateExperiment, request)
    assert reason == "INVALID_ARGUMENT" and text.startswith("experiment_id: ")


async def test_a_wrong_configuration_is_refused_with_every_problem(client: Client) -> None:
    config = example_config()
    config.trial_concurrency = -1
    request = pb.CreateExperimentRequest(request_id=str(uuid.uuid4()), config=config)
    reason, text = await client.failure(client.stub.CreateExperiment, request)
    assert reason == "INVALID_CONFIG" and "trial_concurrency" in text
    config = example_config()
    config.ClearField("trial_command")
    config.ClearField("tuner")
    request = pb.CreateExperimentRequest(request_id=str(uuid.uuid4()), config=config)
    reason, text = await client.failure(client.stub.CreateExperiment, request)
    assert reason == "INVALID_CONFIG" and "trial_command" in text and "tuner" in text


@pytest.mark.parametrize(
    ("method", "request_", "field"),
    [
        ("CreateExperiment", pb.CreateExperimentRequest(request_id="1"), "request_id"),
        ("CreateExperiment", pb.CreateExperimentRequest(), "request_id"),
        ("GetExperiment", pb.GetExperimentRequest(), "name"),
        ("GetExperiment", pb.GetExperimentRequest(name="experiments/../x"), "name"),
        ("GetExperiment", pb.GetExperimentRequest(name=f"{NAME}/trials/t"), "name"),
        ("UpdateExperiment", pb.UpdateExperimentRequest(name="x"), "name"),
        ("UpdateExperiment", pb.UpdateExperimentRequest(name=NAME), "update_mask"),
        (
            "UpdateExperiment",
            pb.UpdateExperimentRequest(name=NAME, update_mask={"paths": ["tuner"]}),
            "update_mask",
        ),
        (
            "UpdateExperiment",
            pb.UpdateExperimentRequest(name=NAME, update_mask={"paths": ["trial_concurrency"]}),
            "config.trial_concurrency",
        ),
        (
            "UpdateExperiment",
            pb.UpdateExperimentRequest(
                name=NAME, config={"search_space": {}}, update_mask={"paths": ["search_space"]}
            ),
            "config.search_space",
        ),
        ("StartExperiment", pb.StartExperimentRequest(name="x"), "name"),
        ("StopExperiment", pb.StopExperimentRequest(name="x"), "name"),
        ("WatchExperiment", pb.WatchExperimentRequest(name="x"), "name"),
        ("WatchExperiment", pb.WatchExperimentRequest(name=NAME, after_revision=-1), "after_revision"),
        ("GetTrial", pb.GetTrialRequest(name=NAME), "name"),
        ("ListTrials", pb.ListTrialsRequest(parent="x"), "parent"),
        ("ListTrials", pb.ListTrialsRequest(parent=NAME, page_size=-1), "page_size"),
        ("ListTrials", pb.ListTrialsRequest(parent=NAME, page_token="x"), "page_token"),
        ("ListTrials", pb.ListTrialsRequest(parent=NAME, statuses=[0]), "statuses"),
        ("ListTrials", pb.ListTrialsRequest(parent=NAME, statuses=[99]), "statuses"),
        ("CancelTrial", pb.CancelTrialRequest(name=NAME), "name"),
        ("ListMetrics", pb.ListMetricsRequest(parent=f"{NAME}/trials/"), "parent"),
        ("ListMetrics", pb.ListMetricsRequest(parent=NAME, page_size=-1), "page_size"),
        ("ListMetrics", pb.ListMetricsRequest(parent=NAME, page_token="x"), "page_token"),
        ("ListMetrics", pb.ListMetricsRequest(parent=NAME, kind=99), "kind"),
        ("ExportTrials", pb.ExportTrialsRequest(parent=f"{NAME}/"), "parent"),
        ("ExportTrials", pb.ExportTrialsRequest(parent=NAME, page_token="x"), "page_token"),
        ("CreateSignInCode", pb.CreateSignInCodeRequest(name=""), "name"),
    ],
    ids=str,
)
async def test_a_wrong_field_is_named(client: Client, method: str, request_: Any, field: str) -> None:
    await client.create()
    reason, text = await client.failure(getattr(client.stub, method), request_)
    assert (reason, text.partition(": ")[0]) == ("INVALID_ARGUMENT", field)


async def test_what_does_not_exist_is_named(client: Client) -> None:
    reason, text = await client.failure(client.stub.GetExperiment, pb.GetExperimentRequest(name=NAME))
    assert reason == "EXPERIMENT_NOT_FOUND" and EXPERIMENT_ID in text
    await client.create()
    request = pb.GetTrialRequest(name=f"{NAME}/trials/none")
    assert (await client.failure(client.stub.GetTrial, request))[0] == "TRIAL_NOT_FOUND"
    request = pb.CreateSignInCodeRequest(name="experiments/another")
    assert (await client.failure(client.stub.CreateSignInCode, request))[0] == "EXPERIMENT_NOT_FOUND"


async def test_updates_change_what_the_mask_names(client: Client) -> None:
    await client.create()
    config = {
        "trial_concurrency": 3,
        "max_trial_number": 9,
        "max_experiment_duration": {"text": "1.5h"},
        "search_space": values.to_message({"y": [1, 2.5]}),
    }
    paths = ["trial_concurrency"]
    await _update(client, config, paths)
    paths = ["max_trial_number", "max_experiment_duration", "search_space"]
    await _update(client, config, paths)
    await _update(client, {}, ["max_trial_number", "max_experiment_duration"])
    await _update(client, {"max_experiment_duration": {"seconds": 2.5}}, ["max_experiment_duration"])
    first, second, third, fourth = client.port.experiments.updates
    assert first.trial_concurrency == 3
    assert first.max_trial_number is first.search_space is first.max_experiment_duration is UNCHANGED
    assert second.trial_concurrency is UNCHANGED
    assert (second.max_trial_number, second.max_experiment_duration) == (9, "1.5h")
    assert second.search_space == {"y": [1, 2.5]}
    assert (third.max_trial_number, third.max_experiment_duration) == (None, None)
    assert fourth.max_experiment_duration == 2.5


async def _update(client: Client, config: dict[str, Any], paths: list[str]) -> None:
    request = pb.UpdateExperimentRequest(name=NAME, config=config, update_mask={"paths": paths})
    await client(client.stub.UpdateExperiment, request)


async def _report(client: Client, trial: str, kind: int, *reported: Any, number: int = 0) -> int:
    reports = [
        metric_pb2.MetricReport(
            kind=kind, reporter="r", number=number + index, value=values.to_message(value)
        )
        for index, value in enumerate(reported)
    ]
    request = runtime_pb.ReportMetricsRequest(trial=f"{NAME}/trials/{trial}", reports=reports)
    return (await client(client.runtime.ReportMetrics, request)).stored_count


async def test_trials_come_in_pages(client: Client) -> None:
    await client.create()
    for number in range(5):
        client.port.experiments.add_trial(f"t{number}", {"x": number})
    request = pb.ListTrialsRequest(parent=NAME, page_size=2)
    pages = []
    while True:
        response = await client(client.stub.ListTrials, request)
        pages.append([trial.sequence_number for trial in response.trials])
        if not response.next_page_token:
            break
        request.page_token = response.next_page_token
    assert pages == [[0, 1], [2, 3], [4]]
    request.statuses.append(trial_pb2.Trial.STATUS_RUNNING)
    assert (await client.failure(client.stub.ListTrials, request))[1].startswith("page_token")


async def test_trials_of_some_statuses(client: Client) -> None:
    await client.create()
    for trial in ("a", "b"):
        client.port.experiments.add_trial(trial, None)
    canceled = await client(client.stub.CancelTrial, pb.CancelTrialRequest(name=f"{NAME}/trials/b"))
    assert canceled.trial.status == trial_pb2.Trial.STATUS_USER_CANCELED
    request = pb.ListTrialsRequest(parent=NAME, statuses=[trial_pb2.Trial.STATUS_USER_CANCELED])
    found = await client(client.stub.ListTrials, request)
    assert [trial.name for trial in found.trials] == [f"{NAME}/trials/b"]


async def test_results_come_back_as_reported(client: Client) -> None:
    await client.create()
    client.port.experiments.add_trial("a", {"z": 1, "a": 1.0, "n": None})
    client.port.experiments.add_trial("b", {})
    reported = [1, 1.0, {"default": float("inf"), "b": [True, None, "x"]}]
    assert await _report(client, "a", metric_pb2.METRIC_KIND_INTERMEDIATE, *reported) == 3
    assert await _report(client, "a", metric_pb2.METRIC_KIND_INTERMEDIATE, *reported) == 0
    assert await _report(client, "a", metric_pb2.METRIC_KIND_FINAL, 7, number=3) == 1
    request = pb.ListMetricsRequest(
        parent=f"{NAME}/trials/a", kind=metric_pb2.METRIC_KIND_INTERMEDIATE, page_size=2
    )
    first = await client(client.stub.ListMetrics, request)
    request.page_token = first.next_page_token
    second = await client(client.stub.ListMetrics, request)
    assert second.next_page_token == ""
    found = [values.from_message(metric.value) for metric in [*first.metrics, *second.metrics]]
    assert found == reported and [type(value) for value in found] == [int, float, dict]
    everything = await client(client.stub.ListMetrics, pb.ListMetricsRequest(parent=NAME))
    assert [metric.kind for metric in everything.metrics] == [1, 1, 1, 2]
    trial = (await client(client.stub.GetTrial, pb.GetTrialRequest(name=f"{NAME}/trials/a"))).trial
    assert list(values.from_message(trial.parameters)) == ["z", "a", "n"]
    assert (trial.objective, trial.intermediate_count) == (7, 3)
    exported = await client(client.stub.ExportTrials, pb.ExportTrialsRequest(parent=NAME))
    assert [it.trial for it in exported.trials] == [f"{NAME}/trials/a"]
    assert values.from_message(exported.trials[0].value) == 7


async def test_a_value_that_messages_cannot_hold_hides_no_other(client: Client) -> None:
    await client.create()
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    for trial, parameters in (("a", 2**70), ("b", deep), ("c", "\ud800"), ("d", 1)):
        client.port.experiments.add_trial(trial, parameters)
    found = await client(client.stub.ListTrials, pb.ListTrialsRequest(parent=NAME))
    shown = [values.from_message(trial.parameters) for trial in found.trials]
    assert shown == [str(2**70), "[" * 40 + "1" + "]" * 40, '"\\ud800"', 1]


async def test_a_page_that_would_be_too_large_is_cut(client: Client, monkeypatch) -> None:
    monkeypatch.setattr(paging, "PAGE_LIMIT", 5000)
    await client.create()
    for number in range(6):
        client.port.experiments.add_trial(f"t{number}", "x" * 2000)
    first = await client(client.stub.ListTrials, pb.ListTrialsRequest(parent=NAME))
    assert [trial.sequence_number for trial in first.trials] == [0, 1]
    request = pb.ListTrialsRequest(parent=NAME, page_token=first.next_page_token)
    second = await client(client.stub.ListTrials, request)
    assert [trial.sequence_number for trial in second.trials] == [2, 3]


async def test_watching_sees_every_change_and_ends_with_the_manager(client: Client) -> None:
    await client.create()
    request = pb.WatchExperimentRequest(name=NAME, include_metrics=True)
    watch = client.stub.WatchExperiment(request, metadata=client.metadata, timeout=30)
    first = await watch.read()
    assert first.experiment.name == NAME and not first.trials
    client.port.experiments.add_trial("a", {"x": 1})
    second = await watch.read()
    assert [trial.name for trial in second.trials] == [f"{NAME}/trials/a"]
    await _report(client, "a", metric_pb2.METRIC_KIND_FINAL, 0.5)
    third = await watch.read()
    assert [values.from_message(metric.value) for metric in third.metrics] == [0.5]
    assert first.revision < second.revision < third.revision
    await client(client.stub.StopExperiment, pb.StopExperimentRequest(name=NAME))
    last = await watch.read()
    assert last.experiment.status == experiment_pb2.Experiment.STATUS_STOPPED
    assert await watch.read() is grpc.aio.EOF


async def test_watching_again_after_any_part_misses_nothing(client: Client, monkeypatch) -> None:
    monkeypatch.setattr(paging, "PAGE_LIMIT", 5000)
    await client.create()
    for number in range(5):
        client.port.experiments.add_trial(f"t{number}", "x" * 2000)
    revision, seen = 0, []
    while len(set(seen)) < 5:
        request = pb.WatchExperimentRequest(name=NAME, after_revision=revision)
        watch = client.stub.WatchExperiment(request, metadata=client.metadata, timeout=30)
        parts = [await watch.read() for _ in range(3)]
        watch.cancel()
        seen += [trial.name for part in parts for trial in part.trials]
        assert [part.revision for part in parts[:-1]] == [revision, revision]
        assert all(part.ByteSize() < 6000 for part in parts)
        revision = parts[-1].revision
    assert revision == 6


async def test_a_watch_whose_watcher_goes_is_ended(client: Client) -> None:
    await client.create()
    ended = asyncio.Event()
    original = client.port.experiments.watch

    async def watch(*arguments: Any) -> AsyncIterator[Any]:
        try:
            async for change in original(*arguments):
                yield change
        finally:
            ended.set()

    client.port.experiments.watch = watch  # type: ignore[method-assign]
    call = client.stub.WatchExperiment(
        pb.WatchExperimentRequest(name=NAME), metadata=client.metadata, timeout=30
    )
    await call.read()
    assert call.cancel()
    await asyncio.wait_for(ended.wait(), 30)


async def test_large_messages_pass_both_ways(client: Client) -> None:
    await client.create()
    client.port.experiments.add_trial("a", "x" * (40 * 1024 * 1024))
    found = await client(client.stub.ListTrials, pb.ListTrialsRequest(parent=NAME))
    assert len(found.trials[0].parameters.string_value) == 40 * 1024 * 1024
    assert await _report(client, "a", metric_pb2.METRIC_KIND_INTERMEDIATE, "y" * (60 * 1024 * 1024)) == 1


async def test_a_message_above_the_limit_is_refused(client: Client) -> None:
    await client.create()
    client.port.experiments.add_trial("a", 1)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _report(client, "a", metric_pb2.METRIC_KIND_FINAL, "y" * (64 * 1024 * 1024))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_errors_keep_their_reason_and_long_texts_still_arrive(client: Client) -> None:
    await client.create()
    client.port.experiments.failure = StorageFailedError("voll: " + "\u00fc" * 10_000)
    reason, text = await client.failure(client.stub.GetExperiment, pb.GetExperimentRequest(name=NAME))
    assert reason == "STORAGE_FAILED" and text.startswith("voll: \u00fc")
    client.port.experiments.failure = RuntimeError("the secret cause")
    reason, text = await client.failure(client.stub.GetExperiment, pb.GetExperimentRequest(name=NAME))
    assert reason == "INTERNAL" and "secret" not in text


async def test_an_unknown_call_is_unimplemented(client: Client) -> None:
    path = "/nni_proto.v1.ExperimentService/Nothing"
    async with grpc.aio.insecure_channel(f"127.0.0.1:{client.port.port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(path)(b"", metadata=client.metadata)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(path)(b"")
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_sign_in_code_can_be_redeemed(client: Client) -> None:
    await client.create()
    request = pb.CreateSignInCodeRequest(name=NAME, view_only=True)
    response = await client(client.stub.CreateSignInCode, request)
    assert response.url.endswith(f"/sign-in?code={response.code}")
    assert response.expire_time.seconds > 0
    role = client.port.codes.redeem(response.code)
    assert role is not None and role.value == "view"


@pytest.mark.parametrize("field", ["kind", "reporter", "number", "value"])
async def test_a_wrong_report_is_named(client: Client, field: str) -> None:
    await client.create()
    client.port.experiments.add_trial("a", 1)
    good = metric_pb2.MetricReport(kind=1, reporter="r", number=0, value=values.to_message(1))
    wrong = metric_pb2.MetricReport()
    wrong.CopyFrom(good)
    wrong.ClearField(field)  # type: ignore[arg-type]
    if field == "number":
        wrong.number = -1
    request = runtime_pb.ReportMetricsRequest(trial=f"{NAME}/trials/a", reports=[good, wrong])
    reason, text = await client.failure(client.runtime.ReportMetrics, request)
    assert (reason, text.partition(": ")[0]) == ("INVALID_ARGUMENT", f"reports[1].{field}")


async def test_a_trial_gets_its_parameters(client: Client) -> None:
    await client.create()
    client.port.experiments.add_trial("a", {"x": 1})
    client.port.experiments.add_trial("b", {"x": 2.0})
    request = runtime_pb.GetParametersRequest(trial=f"{NAME}/trials/b")
    got = await client(client.runtime.GetParameters, request)
    assert values.from_message(got.parameters) == {"x": 2.0}
    assert (got.sequence_number, got.parameter_id) == (1, 1)


async def test_resume_with_the_recorded_and_with_another_configuration(client: Client) -> None:
    await client.create()
    request = pb.ResumeExperimentRequest(name=NAME)
    resumed = (await client(client.stub.ResumeExperiment, request)).experiment
    assert resumed.status == experiment_pb2.Experiment.STATUS_RUNNING
    request.config.CopyFrom(example_config())
    request.config.trial_concurrency = 7
    await client(client.stub.ResumeExperiment, request)
    recorded, given = client.port.experiments.resumed_with
    assert recorded is None and given is not None and given.trial_concurrency == 7
    request.config.trial_concurrency = -1
    reason, text = await client.failure(client.stub.ResumeExperiment, request)
    assert reason == "INVALID_CONFIG" and "trial_concurrency" in text


async def test_pause_and_unpause_are_shown(client: Client) -> None:
    await client.create()
    paused = (await client(client.stub.PauseExperiment, pb.PauseExperimentRequest(name=NAME))).experiment
    assert paused.paused
    assert (await client(client.stub.GetExperiment, pb.GetExperimentRequest(name=NAME))).experiment == paused
    request = pb.UnpauseExperimentRequest(name=NAME)
    assert not (await client(client.stub.UnpauseExperiment, request)).experiment.paused


async def test_a_trial_of_the_callers_own_is_created_once(client: Client) -> None:
    await client.create()
    parameters = {"z": 1, "a": 1.0, "nested": {"list": [None, "ä"]}}
    request = pb.CreateTrialRequest(
        parent=NAME, request_id=str(uuid.uuid4()), parameters=values.to_message(parameters)
    )
    trial = (await client(client.stub.CreateTrial, request)).trial
    assert (await client(client.stub.CreateTrial, request)).trial.name == trial.name
    assert trial.parameter_source == trial_pb2.Trial.PARAMETER_SOURCE_CUSTOMIZED
    assert not trial.HasField("parameter_id")
    found = values.from_message(trial.parameters)
    assert list(found) == ["z", "a", "nested"] and found == parameters
    request.request_id = "1"
    assert (await client.failure(client.stub.CreateTrial, request))[0] == "INVALID_ARGUMENT"
    unset = pb.CreateTrialRequest(parent=NAME, request_id=str(uuid.uuid4()))
    reason, text = await client.failure(client.stub.CreateTrial, unset)
    assert reason == "INVALID_ARGUMENT" and text.startswith("parameters: ")


async def test_results_from_elsewhere_arrive_as_they_were_given(client: Client) -> None:
    await client.create()
    given = [({"x": 1}, 0.5), ({"b": [1, 1.0], "a": None}, {"default": float("inf"), "note": "ü"})]
    request = pb.ImportTrialsRequest(parent=NAME, request_id=str(uuid.uuid4()))
    for parameters, value in given:
        trial = request.trials.add()
        trial.parameters.CopyFrom(values.to_message(parameters))
        trial.value.CopyFrom(values.to_message(value))
    assert (await client(client.stub.ImportTrials, request)).imported_count == 2
    found = client.port.experiments.imported[request.request_id]
    assert repr([(trial["parameter"], trial["value"]) for trial in found]) == repr(given)
    request.trials.add().parameters.CopyFrom(values.to_message({}))
    reason, text = await client.failure(client.stub.ImportTrials, request)
    assert reason == "INVALID_ARGUMENT" and text.startswith("trials[2].value: ")
