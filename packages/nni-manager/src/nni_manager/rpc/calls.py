"""Every call, whatever it came by: found by its path, guarded by the policy, answered by a servicer."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from nni_proto.v1 import experiment_service_pb2, trial_runtime_service_pb2

from nni_manager.experiments.interface import FolderCalls
from nni_manager.experiments.job_calls import JobCalls
from nni_manager.rpc.access import Authenticator, Caller, SignInCodes, UnauthenticatedError
from nni_manager.rpc.experiment_list_servicer import ExperimentListServicer
from nni_manager.rpc.experiment_servicer import ExperimentServicer
from nni_manager.rpc.file_servicer import FileServicer
from nni_manager.rpc.importance_servicer import ImportanceServicer
from nni_manager.rpc.job_servicer import JobServicer
from nni_manager.rpc.policy import check_resource, check_role
from nni_manager.rpc.tensor_board_servicer import TensorBoardServicer
from nni_manager.rpc.trial_runtime_servicer import TrialRuntimeServicer
from nni_manager.rpc.trial_table_servicer import TrialTableServicer
from nni_manager.tensor_board.boards import TensorBoards

SERVICES = (
    experiment_service_pb2.DESCRIPTOR.services_by_name["ExperimentService"],
    trial_runtime_service_pb2.DESCRIPTOR.services_by_name["TrialRuntimeService"],
)
"""The services that the manager answers."""


@dataclass(frozen=True, slots=True)
class Method:
    """A call that can be made.

    Attributes:
        path: /package.Service/Method.
        request_class: The message that it takes.
        response_class: The message that it answers with.
        streams: Whether it answers with a stream.
        answer: Answers a request, or returns the stream of answers.
    """

    path: str
    request_class: type[Message]
    response_class: type[Message]
    streams: bool
    answer: Callable[[Any], Any]


class UnknownMethodError(Exception):
    """There is no such call."""


class GuardedCalls:
    """All methods behind the check of who calls."""

    def __init__(self, methods: Iterable[Method], authenticator: Authenticator, experiment_id: str) -> None:
        self._experiment_id = experiment_id
        self.methods: Mapping[str, Method] = {method.path: method for method in methods}
        self._authenticator = authenticator

    def find(self, path: str, token: str) -> tuple[Method, Caller]:
        """Returns the call and who makes it, before the request is read.

        Args:
            path: The call, /package.Service/Method.
            token: The caller's token, "" for none.

        Raises:
            UnauthenticatedError: There is no token, or one that this manager did not issue.
            UnknownMethodError: There is no such call.
            PermissionDeniedError: The token is not good for it.
        """
        caller = self._authenticator.caller(token)
        if caller is None:
            raise UnauthenticatedError(
                "the call has no valid token; send the manager's token as 'authorization: Bearer TOKEN'"
            )
        method = self.methods.get(path)
        if method is None:
            raise UnknownMethodError(f"this manager has no call {path}")
        check_role(path, caller)
        return method, caller

    async def unary(self, method: Method, caller: Caller, request: Message) -> Message:
        """Answers a call.

        Raises:
            Exception: Whatever goes wrong; errors.describe says what the caller is told.
        """
        check_resource(method.path, caller, request, self._experiment_id)
        response: Message = await method.answer(request)
        return response

    async def stream(self, method: Method, caller: Caller, request: Message) -> AsyncGenerator[Message, None]:
        """Yields the answers of a streaming call; raises what `unary` raises."""
        check_resource(method.path, caller, request, self._experiment_id)
        async with aclosing(method.answer(request)) as responses:
            async for response in responses:
                yield response


def bearer_token(authorization: str) -> str:
    """Returns the token in the value of an authorization header, "" when there is none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def guarded_calls(
    calls: FolderCalls,
    authenticator: Authenticator,
    codes: SignInCodes,
    experiment_id: str,
    boards: TensorBoards,
    jobs: JobCalls,
) -> GuardedCalls:
    """Returns every method of the manager's services.

    Args:
        calls: What answers.
        authenticator: Recognises tokens.
        codes: Makes sign-in codes.
        experiment_id: The experiment that this manager was started for.
        boards: The TensorBoards of this manager.
        jobs: Answers the jobs that trials run in.
    """
    servicers = (
        ExperimentServicer(calls, codes, experiment_id),
        ExperimentListServicer(calls),
        FileServicer(calls),
        ImportanceServicer(calls),
        JobServicer(jobs),
        TensorBoardServicer(calls, boards),
        TrialRuntimeServicer(calls),
        TrialTableServicer(calls),
    )
    methods = [_method(descriptor, servicers) for service in SERVICES for descriptor in service.methods]
    return GuardedCalls(methods, authenticator, experiment_id)


def _method(descriptor: MethodDescriptor, servicers: Sequence[object]) -> Method:
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", descriptor.name).lower()
    servicer = next(each for each in servicers if hasattr(each, name))
    return Method(
        path=f"/{descriptor.containing_service.full_name}/{descriptor.name}",
        request_class=GetMessageClass(descriptor.input_type),
        response_class=GetMessageClass(descriptor.output_type),
        streams=descriptor.server_streaming,
        answer=getattr(servicer, name),
    )
