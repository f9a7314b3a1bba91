"""What an Experiment sends when it changes one that runs."""

from __future__ import annotations

import math

import pytest
from nni_client import Experiment, TrialResult
from nni_client.attached import AttachedManager
from nni_proto.v1 import experiment_service_pb2 as pb
from nni_proto.v1.trial_pb2 import Trial
from nni_proto.values import from_message, to_message


@pytest.fixture
def experiment(service, connection):
    experiment = Experiment(None, id="mine")
    experiment._manager = AttachedManager(connection)
    return experiment


def test_pause_and_unpause(experiment, service):
    service.answer("PauseExperiment", pb.PauseExperimentResponse())
    service.answer("UnpauseExperiment", pb.UnpauseExperimentResponse())
    experiment.pause()
    experiment.unpause()
    assert [request.name for request in service.requests] == ["experiments/mine"] * 2


def test_a_trial_of_ones_own(experiment, service):
    def answer(request):
        return pb.CreateTrialResponse(
            trial=Trial(
                name="experiments/mine/trials/abcde",
                status=Trial.STATUS_WAITING,
                sequence_number=4,
                parameters=request.parameters,
                parameter_source=Trial.PARAMETER_SOURCE_CUSTOMIZED,
                waiting_reason="every slot is taken",
            )
        )

    service.answer("CreateTrial", answer)
    parameters = {"b": 1, "a": 2.0, "layer": {"_name": "conv", "k": [3, None]}}
    first = experiment.create_trial(parameters)
    experiment.create_trial(parameters)
    assert (first.trialJobId, first.status, first.sequenceId) == ("abcde", "WAITING", 4)
    assert first.hyperParameters[0].parameters == parameters
    assert list(first.hyperParameters[0].parameters) == ["b", "a", "layer"]
    assert first.hyperParameters[0].parameter_source == "customized"
    assert first.message == "every slot is taken"
    one, other = service.calls("CreateTrial")
    assert one.request_id != other.request_id


@pytest.mark.parametrize("wrong", [None, 5, [1], "x", [("x", 1)]])
def test_parameters_that_are_no_dict(experiment, service, wrong):
    with pytest.raises(TypeError, match=r"^parameters: a dict is needed"):
        experiment.create_trial(wrong)
    assert service.requests == []


def test_parameters_that_json_cannot_hold(experiment, service):
    with pytest.raises(TypeError):
        experiment.create_trial({"x": object()})
    assert service.requests == []


def test_results_from_elsewhere(experiment, service):
    service.answer(
        "ImportTrials", lambda request: pb.ImportTrialsResponse(imported_count=len(request.trials))
    )
    given = [
        TrialResult({"x": 1}, {"default": 2.5}, "abcde"),
        {"parameter": {"x": 2}, "value": math.inf},
        {"parameter": {"x": 3}, "value": 1, "trialJobId": "other"},
    ]
    assert experiment.import_data(iter(given)) == 3
    (request,) = service.calls("ImportTrials")
    assert request.parent == "experiments/mine"
    assert [(from_message(it.parameters), from_message(it.value)) for it in request.trials] == [
        ({"x": 1}, {"default": 2.5}),
        ({"x": 2}, math.inf),
        ({"x": 3}, 1),
    ]


@pytest.mark.parametrize(
    "wrong", [[{"x": 1}], [5], [{"parameter": {}}], "abc", {"parameter": {}, "value": 1}]
)
def test_results_that_are_none(experiment, service, wrong):
    with pytest.raises(ValueError, match="allowed is"):
        experiment.import_data(wrong)
    assert service.requests == []


@pytest.mark.parametrize("method", ["pause", "unpause"])
def test_one_that_does_not_run_cannot_be_changed(home, method):
    with pytest.raises(RuntimeError, match=r"^Experiment is not running$"):
        getattr(Experiment(None, id="mine"), method)()
    for call in (lambda it: it.create_trial({}), lambda it: it.import_data([])):
        with pytest.raises(RuntimeError, match=r"^Experiment is not running$"):
            call(Experiment(None, id="mine"))


def test_the_best_by_the_experiments_own_objective(experiment, service):
    from nni_proto.v1.experiment_pb2 import Experiment as Message
    from nni_proto.v1.metric_pb2 import METRIC_KIND_FINAL, Metric

    names = [f"experiments/mine/trials/{name}" for name in ("a", "b")]
    trials = [Trial(name=name, status=Trial.STATUS_SUCCEEDED, final_result=to_message(1)) for name in names]
    metrics = [
        Metric(trial=name, kind=METRIC_KIND_FINAL, value=to_message(value))
        for name, value in zip(names, (1, 2), strict=True)
    ]
    service.answer("ListTrials", pb.ListTrialsResponse(trials=trials))
    service.answer("ListMetrics", pb.ListMetricsResponse(metrics=metrics))
    for mode, best in (("maximize", "b"), ("minimize", "a")):
        message = Message(name="experiments/mine", optimize_mode=mode)
        service.answer("GetExperiment", pb.GetExperimentResponse(experiment=message))
        assert [it.trialJobId for it in experiment.best_trials()] == [best]
    assert list(experiment.to_dataframe()["reward"]) == [1, 2]
