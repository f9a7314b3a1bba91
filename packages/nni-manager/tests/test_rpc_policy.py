from __future__ import annotations

from contextlib import nullcontext

import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from nni_manager.rpc import policy
from nni_manager.rpc.access import Caller, PermissionDeniedError, Role
from nni_manager.rpc.calls import SERVICES
from nni_proto.v1 import experiment_service_pb2, trial_runtime_service_pb2

_REPORT = "/nni_proto.v1.TrialRuntimeService/ReportMetrics"


def test_the_policy_names_every_call_and_no_other() -> None:
    calls = {f"/{service.full_name}/{method.name}" for service in SERVICES for method in service.methods}
    assert set(policy.POLICY) == calls


def test_every_service_of_the_protocol_files_is_served() -> None:
    files = (experiment_service_pb2, trial_runtime_service_pb2)
    services = {service for file in files for service in file.DESCRIPTOR.services_by_name.values()}
    assert set(SERVICES) == services


def test_where_jobs_may_call_the_request_names_the_job() -> None:
    for service in SERVICES:
        for method in service.methods:
            access = policy.POLICY[f"/{service.full_name}/{method.name}"]
            assert (Role.JOB in access.roles) == bool(access.job_field)
            assert not access.job_field or access.job_field in method.input_type.fields_by_name


@pytest.mark.parametrize(
    "name", ["", "experiments/e/jobs/other", "experiments/e/trials/j", "experiments/f/jobs/j"]
)
def test_a_job_may_name_itself_only(name: str) -> None:
    call = "/nni_proto.v1.TrialRuntimeService/AppendJobEvents"
    caller = Caller(Role.JOB, job="j")
    with pytest.raises(PermissionDeniedError):
        policy.check_resource(call, caller, trial_runtime_service_pb2.AppendJobEventsRequest(job=name), "e")
    own = trial_runtime_service_pb2.AppendJobEventsRequest(job="experiments/e/jobs/j")
    policy.check_resource(call, caller, own, "e")


def test_where_trials_may_call_the_request_names_the_trial() -> None:
    for service in SERVICES:
        for method in service.methods:
            access = policy.POLICY[f"/{service.full_name}/{method.name}"]
            assert (Role.TRIAL in access.roles) == bool(access.trial_field)
            assert not access.trial_field or access.trial_field in method.input_type.fields_by_name


@pytest.mark.parametrize("role", Role)
def test_a_call_outside_the_policy_is_refused(role: Role) -> None:
    with pytest.raises(PermissionDeniedError):
        policy.check_role("/nni_proto.v1.ExperimentService/DropEverything", Caller(role, "t"))


@pytest.mark.parametrize(
    "name", ["", "experiments/e/trials/other", "experiments/e", "t", "../t", "experiments/other/trials/t"]
)
def test_a_trial_may_name_itself_only(name: str) -> None:
    request = trial_runtime_service_pb2.ReportMetricsRequest(trial=name)
    with pytest.raises(PermissionDeniedError):
        policy.check_resource(_REPORT, Caller(Role.TRIAL, "t"), request, "e")
    policy.check_resource(_REPORT, Caller(Role.MANAGER), request, "e")


def test_a_trial_may_name_itself() -> None:
    request = trial_runtime_service_pb2.ReportMetricsRequest(trial="experiments/e/trials/t")
    policy.check_resource(_REPORT, Caller(Role.TRIAL, "t"), request, "e")


def _viewed() -> list[MethodDescriptor]:
    methods = [method for service in SERVICES for method in service.methods]
    return [method for method in methods if Role.VIEW in policy.POLICY[_path(method)].roles]


def _path(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


@pytest.mark.parametrize("method", _viewed(), ids=lambda method: method.name)
def test_who_may_only_look_may_look_at_the_manager_s_own_experiment_alone(method: MethodDescriptor) -> None:
    path = _path(method)
    field = "name" if "name" in method.input_type.fields_by_name else "parent"
    for name, is_allowed in {
        "experiments/e": True,
        "experiments/e/trials/t": True,
        "experiments/-": True,
        "experiments/other": False,
        "experiments/other/trials/t": False,
        "experiments/e2": False,
        "trials/e": False,
        "": False,
    }.items():
        request = GetMessageClass(method.input_type)(**{field: name})
        with nullcontext() if is_allowed else pytest.raises(PermissionDeniedError):
            policy.check_resource(path, Caller(Role.VIEW), request, "e")
        policy.check_resource(path, Caller(Role.MANAGER), request, "e")
