"""What is read is complete, over all pages, and in NNI's shapes."""

from __future__ import annotations

import math

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from nni_client import results
from nni_client.data import TrialHyperParameters, TrialJob, TrialMetricData, TrialResult
from nni_config import ExperimentConfig
from nni_config.wire import config_to_message
from nni_proto.v1 import experiment_service_pb2 as pb
from nni_proto.v1.experiment_pb2 import Experiment, ExperimentOrigin, TrialCount
from nni_proto.v1.metric_pb2 import METRIC_KIND_FINAL, METRIC_KIND_INTERMEDIATE, Metric
from nni_proto.v1.trial_pb2 import EndReason, Trial
from nni_proto.values import to_message

NAME = "experiments/abc"


@pytest.fixture
def session(connection):
    with connection.session() as session:
        yield session


def trial(trial_id, number, **fields):
    parameters = fields.pop("parameters", {"x": number})
    return Trial(
        name=f"{NAME}/trials/{trial_id}",
        sequence_number=number,
        parameters=to_message(parameters),
        create_time=Timestamp(seconds=100),
        **fields,
    )


def metric(trial_id, kind, index, value, **fields):
    return Metric(
        trial=f"{NAME}/trials/{trial_id}",
        kind=kind,
        index=index,
        value=to_message(value),
        report_time=Timestamp(seconds=200 + index),
        **fields,
    )


def paged(response, field, pages):
    """Answers with the page that the request's token names."""

    def answer(request):
        number = int(request.page_token or 0)
        token = str(number + 1) if number + 1 < len(pages) else ""
        return response(**{field: pages[number]}, next_page_token=token)

    return answer


def test_trials_over_all_pages(service, session):
    done = trial(
        "a",
        0,
        status=Trial.STATUS_SUCCEEDED,
        parameter_id=5,
        parameter_source=Trial.PARAMETER_SOURCE_ALGORITHM,
        start_time=Timestamp(seconds=101),
        end_time=Timestamp(seconds=109),
        end_reason=EndReason(message="exit code 0"),
        final_result=to_message(0.25),
        output_directory="/out/a",
        host="gpu-a",
        gpus=["1"],
    )
    failed = trial(
        "b",
        1,
        status=Trial.STATUS_FAILED,
        parameter_source=Trial.PARAMETER_SOURCE_CUSTOMIZED,
        output_directory="/out/b",
    )
    waiting = trial("c", 2, status=Trial.STATUS_WAITING, parameter_id=0, waiting_reason="no GPU is free")
    service.answer("ListTrials", paged(pb.ListTrialsResponse, "trials", [[done], [failed], [waiting]]))
    finals = [
        [metric("a", METRIC_KIND_FINAL, 0, 0.75, late=True), metric("a", METRIC_KIND_FINAL, 1, 0.25)],
        [metric("a", METRIC_KIND_FINAL, 2, 0.5), metric("a", METRIC_KIND_FINAL, 3, 0.75, late=True)],
    ]
    service.answer("ListMetrics", paged(pb.ListMetricsResponse, "metrics", finals))
    final = TrialMetricData(201_000, "a", "5", "FINAL", 1, 0.25)
    assert results.list_trial_jobs(session, NAME) == [
        TrialJob(
            trialJobId="a",
            status="SUCCEEDED",
            hyperParameters=[TrialHyperParameters(5, "algorithm", {"x": 0})],
            logPath="/out/a",
            startTime=101_000,
            endTime=109_000,
            finalMetricData=[final],
            sequenceId=0,
            message="exit code 0",
            host="gpu-a",
            gpus=["1"],
        ),
        TrialJob(
            trialJobId="b",
            status="FAILED",
            hyperParameters=[TrialHyperParameters(None, "customized", {"x": 1})],
            logPath="/out/b",
            startTime=100_000,
            stderrPath="/out/b/stderr",
            sequenceId=1,
        ),
        TrialJob(
            trialJobId="c",
            status="WAITING",
            hyperParameters=[TrialHyperParameters(0, "algorithm", {"x": 2})],
            startTime=100_000,
            sequenceId=2,
            message="no GPU is free",
        ),
    ]
    assert {request.kind for request in service.calls("ListMetrics")} == {METRIC_KIND_FINAL}


def test_one_trial(service, session):
    ended = trial("a", 0, status=Trial.STATUS_FAILED, final_result=to_message({"default": 1}))
    service.answer("GetTrial", pb.GetTrialResponse(trial=ended))
    service.answer(
        "ListMetrics", pb.ListMetricsResponse(metrics=[metric("a", METRIC_KIND_FINAL, 0, {"default": 1})])
    )
    job = results.get_trial_job(session, NAME, "a")
    assert (job.trialJobId, job.status) == ("a", "FAILED")
    assert [final.data for final in job.finalMetricData] == [{"default": 1}]
    assert service.calls("GetTrial")[0].name == f"{NAME}/trials/a"


@pytest.mark.parametrize("trial_id", ["", "a/b", "../a", "a b"])
def test_ids_that_are_none(trial_id):
    with pytest.raises(ValueError, match="is not the id of a trial"):
        results.name_of_trial(NAME, trial_id)


def test_metrics_by_trial_over_all_pages(service, session):
    service.answer("ListTrials", pb.ListTrialsResponse(trials=[trial("a", 0, parameter_id=0), trial("b", 1)]))
    pages = [
        [metric("a", METRIC_KIND_INTERMEDIATE, 0, 1), metric("b", METRIC_KIND_INTERMEDIATE, 0, "text")],
        [metric("a", METRIC_KIND_FINAL, 0, math.inf), metric("new", METRIC_KIND_FINAL, 0, 1)],
    ]
    service.answer("ListMetrics", paged(pb.ListMetricsResponse, "metrics", pages))
    assert results.get_job_metrics(session, NAME, None) == {
        "a": [
            TrialMetricData(200_000, "a", "0", "PERIODICAL", 0, 1),
            TrialMetricData(200_000, "a", "0", "FINAL", 0, math.inf),
        ],
        "b": [TrialMetricData(200_000, "b", None, "PERIODICAL", 0, "text")],
    }


def test_metrics_of_a_trial_that_was_run_again_are_those_of_its_latest_attempt(service, session):
    service.answer("GetTrial", pb.GetTrialResponse(trial=trial("a", 0, attempt=1)))
    reported = [metric("a", METRIC_KIND_INTERMEDIATE, 0, value) for value in ("dead", "alive")]
    reported[1].attempt = 1
    service.answer("ListMetrics", pb.ListMetricsResponse(metrics=reported))
    assert [found.data for found in results.get_job_metrics(session, NAME, "a")["a"]] == ["alive"]


def test_metrics_of_one_trial(service, session):
    service.answer("GetTrial", pb.GetTrialResponse(trial=trial("a", 0, parameter_id=3)))
    service.answer(
        "ListMetrics", pb.ListMetricsResponse(metrics=[metric("a", METRIC_KIND_INTERMEDIATE, 4, 2)])
    )
    (found,) = results.get_job_metrics(session, NAME, "a")["a"]
    assert (found.sequence, found.data, found.parameterId) == (4, 2, "3")
    assert service.calls("ListMetrics")[0].parent == f"{NAME}/trials/a"


def test_export_over_all_pages(service, session):
    def exported(name, parameters, value):
        return pb.ExportTrialsResponse.ExportedTrial(
            trial=f"{NAME}/trials/{name}", parameters=to_message(parameters), value=to_message(value)
        )

    pages = [[exported("a", {"n": 1, "f": 1.0}, 0)], [exported("b", {"k": {"_name": "c"}}, {"default": 2})]]
    service.answer("ExportTrials", paged(pb.ExportTrialsResponse, "trials", pages))
    found = results.export_data(session, NAME)
    assert found == [
        TrialResult({"n": 1, "f": 1.0}, 0, "a"),
        TrialResult({"k": {"_name": "c"}}, {"default": 2}, "b"),
    ]
    assert [type(value) for value in found[0].parameter.values()] == [int, float]


def test_the_best_trial(service, session):
    experiment = Experiment(name=NAME)
    service.answer("GetExperiment", pb.GetExperimentResponse(experiment=experiment))
    assert results.best_trial(session, NAME) is None
    best = trial("a", 0, status=Trial.STATUS_SUCCEEDED, final_result=to_message(3.0), objective=3.0)
    experiment.best_trial.CopyFrom(best)
    service.answer("GetExperiment", pb.GetExperimentResponse(experiment=experiment))
    service.answer("ListMetrics", pb.ListMetricsResponse(metrics=[metric("a", METRIC_KIND_FINAL, 0, 3.0)]))
    found = results.best_trial(session, NAME)
    assert found.trialJobId == "a"
    assert found.finalMetricData[0].data == 3.0


def test_the_profile(tmp_path):
    config = ExperimentConfig(
        "local", trial_concurrency=2, trial_command="true", trial_code_directory=tmp_path
    )
    config.tuner.name = "Random"
    config.search_space = {"x": {"_type": "choice", "_value": [1]}}
    experiment = Experiment(
        name=NAME,
        config=config_to_message(config.canonical_copy()),
        trial_counts=[TrialCount(status=Trial.STATUS_FAILED, count=2)],
        trial_count=2,
        start_time=Timestamp(seconds=50, nanos=5_000_000),
        directory="/e/abc",
        revision=9,
    )
    experiment.running_time.FromMilliseconds(12_900)
    profile = results.profile(experiment)
    params = profile.pop("params")
    assert profile == {
        "id": "abc",
        "execDuration": 12,
        "logDir": "/e/abc",
        "startTime": 50_005,
        "nextSequenceId": 2,
        "revision": 9,
        "origin": {
            "gitCommit": None,
            "gitIsDirty": None,
            "codeHash": None,
            "packageVersions": {},
            "seed": None,
        },
        "warnings": [],
        "errors": [],
    }
    assert params["trialConcurrency"] == 2
    assert params["tuner"]["name"] == "Random"
    assert params["trialCodeDirectory"] == str(tmp_path)
    versions = {"python": "3.11.2", "numpy": "2.0"}
    origin = ExperimentOrigin(
        git_commit="c0ffee", git_is_dirty=False, code_hash="ab", package_versions=versions, seed=0
    )
    experiment.origin.CopyFrom(origin)
    experiment.warnings.append("careful")
    experiment.errors.append("Traceback")
    profile = results.profile(experiment)
    assert profile["origin"] == {
        "gitCommit": "c0ffee",
        "gitIsDirty": False,
        "codeHash": "ab",
        "packageVersions": versions,
        "seed": 0,
    }
    assert (profile["warnings"], profile["errors"]) == (["careful"], ["Traceback"])
    experiment.end_time.FromSeconds(70)
    assert results.profile(experiment)["endTime"] == 70_000
    assert results.job_statistics(experiment) == [{"trialJobStatus": "FAILED", "trialJobNumber": 2}]
