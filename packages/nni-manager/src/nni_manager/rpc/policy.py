"""Which role may make which call. What is not in the table is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.message import Message
from nni_proto import resource_names

from nni_manager.rpc.access import Caller, PermissionDeniedError, Role


@dataclass(frozen=True, slots=True)
class Access:
    """Who may make a call.

    Attributes:
        roles: The roles that may.
        trial_field: The field of the request that names the trial, which must be the token's own.
        job_field: The field of the request that names the job, which must be the token's own.
    """

    roles: frozenset[Role]
    trial_field: str = ""
    job_field: str = ""


OWN_EXPERIMENT = "-"
"""Stands for the id of the experiment that a manager was started for."""

_CHANGE = Access(frozenset({Role.MANAGER}))
_READ = Access(frozenset({Role.MANAGER, Role.VIEW}))
_OWN_TRIAL = Access(frozenset({Role.MANAGER, Role.TRIAL}), trial_field="trial")
_OWN_JOB = Access(frozenset({Role.MANAGER, Role.JOB}), job_field="job")

POLICY: Mapping[str, Access] = {
    "/nni_proto.v1.ExperimentService/CreateExperiment": _CHANGE,
    "/nni_proto.v1.ExperimentService/GetExperiment": _READ,
    "/nni_proto.v1.ExperimentService/UpdateExperiment": _CHANGE,
    "/nni_proto.v1.ExperimentService/StartExperiment": _CHANGE,
    "/nni_proto.v1.ExperimentService/ResumeExperiment": _CHANGE,
    "/nni_proto.v1.ExperimentService/PauseExperiment": _CHANGE,
    "/nni_proto.v1.ExperimentService/UnpauseExperiment": _CHANGE,
    "/nni_proto.v1.ExperimentService/StopExperiment": _CHANGE,
    "/nni_proto.v1.ExperimentService/WatchExperiment": _READ,
    "/nni_proto.v1.ExperimentService/GetTrial": _READ,
    "/nni_proto.v1.ExperimentService/ListTrials": _READ,
    "/nni_proto.v1.ExperimentService/CreateTrial": _CHANGE,
    "/nni_proto.v1.ExperimentService/CancelTrial": _CHANGE,
    "/nni_proto.v1.ExperimentService/ListMetrics": _READ,
    "/nni_proto.v1.ExperimentService/ListColumns": _READ,
    "/nni_proto.v1.ExperimentService/ReadColumns": _READ,
    "/nni_proto.v1.ExperimentService/ListCurves": _READ,
    "/nni_proto.v1.ExperimentService/GetParameterImportance": _READ,
    "/nni_proto.v1.ExperimentService/ExportTrials": _READ,
    "/nni_proto.v1.ExperimentService/ImportTrials": _CHANGE,
    "/nni_proto.v1.ExperimentService/ListFiles": _READ,
    "/nni_proto.v1.ExperimentService/ReadFile": _READ,
    "/nni_proto.v1.ExperimentService/ListExperiments": _CHANGE,
    "/nni_proto.v1.ExperimentService/WatchExperiments": _CHANGE,
    "/nni_proto.v1.ExperimentService/DeleteExperiment": _CHANGE,
    "/nni_proto.v1.ExperimentService/CreateTensorBoard": _CHANGE,
    "/nni_proto.v1.ExperimentService/ListTensorBoards": _READ,
    "/nni_proto.v1.ExperimentService/DeleteTensorBoard": _CHANGE,
    "/nni_proto.v1.ExperimentService/CreateSignInCode": _CHANGE,
    "/nni_proto.v1.TrialRuntimeService/GetParameters": _OWN_TRIAL,
    "/nni_proto.v1.TrialRuntimeService/ReportMetrics": _OWN_TRIAL,
    "/nni_proto.v1.TrialRuntimeService/AppendJobEvents": _OWN_JOB,
    "/nni_proto.v1.TrialRuntimeService/ReadJobOrders": _OWN_JOB,
}


def check_role(path: str, caller: Caller) -> None:
    """Refuses a call that the caller's role may not make.

    Args:
        path: The call, /package.Service/Method.
        caller: Who makes it.

    Raises:
        PermissionDeniedError: It may not.
    """
    access = POLICY.get(path)
    if access is None or caller.role not in access.roles:
        raise PermissionDeniedError(f"a {caller.role.value} token is not good for {path.rpartition('/')[2]}")


def check_resource(path: str, caller: Caller, request: Message, experiment_id: str) -> None:
    """Refuses a call about something that the caller's token is not made for.

    A trial may name itself alone, and so may a job. Who may only look may look at the experiment of this
    manager alone.

    Args:
        path: The call, /package.Service/Method.
        caller: Who makes it.
        request: What is asked.
        experiment_id: The experiment that this manager was started for.

    Raises:
        PermissionDeniedError: It names another trial, job or experiment.
    """
    if caller.role is Role.TRIAL:
        name = getattr(request, POLICY[path].trial_field)
        if name != resource_names.trial_name(experiment_id, caller.trial_id):
            raise PermissionDeniedError("this token belongs to another trial")
    if caller.role is Role.JOB:
        name = getattr(request, POLICY[path].job_field)
        if name != resource_names.job_name(experiment_id, caller.job):
            raise PermissionDeniedError("this token belongs to another job")
    if caller.role is Role.VIEW:
        try:
            named = resource_names.experiment_id_of(_named_resource(request))
        except ValueError as error:
            raise PermissionDeniedError(f"a view-only token: {error}") from error
        if named not in (experiment_id, OWN_EXPERIMENT):
            raise PermissionDeniedError(f"a view-only token is good for experiment {experiment_id} alone")


def _named_resource(request: Message) -> str:
    """Returns what a call is about, "" when it is about nothing in particular."""
    fields = request.DESCRIPTOR.fields_by_name
    field = next((field for field in ("name", "parent") if field in fields), None)
    return "" if field is None else str(getattr(request, field))
