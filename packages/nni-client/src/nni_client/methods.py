"""The calls of ExperimentService that the client makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.message import Message
from nni_proto.v1 import experiment_service_pb2 as pb
from nni_proto.v1 import tensor_board_pb2

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)

SERVICE = "nni_proto.v1.ExperimentService"


@dataclass(frozen=True)
class Method(Generic[Request, Response]):
    """A call: its name and the types of what is sent and answered.

    Every call may be sent again when it is not known whether it arrived: those that create or import carry
    a request id, and the others change nothing the second time.
    """

    name: str
    request: type[Request]
    response: type[Response]

    @property
    def path(self) -> str:
        """The path of the call, for gRPC and HTTP alike."""
        return f"/{SERVICE}/{self.name}"


CREATE_EXPERIMENT = Method("CreateExperiment", pb.CreateExperimentRequest, pb.CreateExperimentResponse)
GET_EXPERIMENT = Method("GetExperiment", pb.GetExperimentRequest, pb.GetExperimentResponse)
UPDATE_EXPERIMENT = Method("UpdateExperiment", pb.UpdateExperimentRequest, pb.UpdateExperimentResponse)
START_EXPERIMENT = Method("StartExperiment", pb.StartExperimentRequest, pb.StartExperimentResponse)
RESUME_EXPERIMENT = Method("ResumeExperiment", pb.ResumeExperimentRequest, pb.ResumeExperimentResponse)
PAUSE_EXPERIMENT = Method("PauseExperiment", pb.PauseExperimentRequest, pb.PauseExperimentResponse)
UNPAUSE_EXPERIMENT = Method("UnpauseExperiment", pb.UnpauseExperimentRequest, pb.UnpauseExperimentResponse)
STOP_EXPERIMENT = Method("StopExperiment", pb.StopExperimentRequest, pb.StopExperimentResponse)
WATCH_EXPERIMENT = Method("WatchExperiment", pb.WatchExperimentRequest, pb.WatchExperimentResponse)
GET_TRIAL = Method("GetTrial", pb.GetTrialRequest, pb.GetTrialResponse)
LIST_TRIALS = Method("ListTrials", pb.ListTrialsRequest, pb.ListTrialsResponse)
CREATE_TRIAL = Method("CreateTrial", pb.CreateTrialRequest, pb.CreateTrialResponse)
CANCEL_TRIAL = Method("CancelTrial", pb.CancelTrialRequest, pb.CancelTrialResponse)
LIST_METRICS = Method("ListMetrics", pb.ListMetricsRequest, pb.ListMetricsResponse)
EXPORT_TRIALS = Method("ExportTrials", pb.ExportTrialsRequest, pb.ExportTrialsResponse)
IMPORT_TRIALS = Method("ImportTrials", pb.ImportTrialsRequest, pb.ImportTrialsResponse)
CREATE_TENSOR_BOARD = Method(
    "CreateTensorBoard", tensor_board_pb2.CreateTensorBoardRequest, tensor_board_pb2.CreateTensorBoardResponse
)
LIST_TENSOR_BOARDS = Method(
    "ListTensorBoards", tensor_board_pb2.ListTensorBoardsRequest, tensor_board_pb2.ListTensorBoardsResponse
)
DELETE_TENSOR_BOARD = Method(
    "DeleteTensorBoard", tensor_board_pb2.DeleteTensorBoardRequest, tensor_board_pb2.DeleteTensorBoardResponse
)
CREATE_SIGN_IN_CODE = Method("CreateSignInCode", pb.CreateSignInCodeRequest, pb.CreateSignInCodeResponse)
