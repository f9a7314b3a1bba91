"""A stand-in for the manager, told by the environment variable FAKE_MANAGER how to behave or misbehave."""

# ruff: noqa: N802
import json
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BEHAVIOUR = json.loads(os.environ["FAKE_MANAGER"])
if "raise_at_import" in BEHAVIOUR:
    raise ImportError(BEHAVIOUR["raise_at_import"])

import grpc  # noqa: E402
from google.protobuf.any_pb2 import Any as AnyMessage  # noqa: E402
from google.rpc import code_pb2, error_details_pb2, status_pb2  # noqa: E402
from grpc_status import rpc_status  # noqa: E402
from nni_config.experiment_folders import INTERRUPTED  # noqa: E402
from nni_proto.v1 import experiment_service_pb2 as pb  # noqa: E402
from nni_proto.v1 import experiment_service_pb2_grpc  # noqa: E402
from nni_proto.v1.experiment_pb2 import Experiment  # noqa: E402
from nni_proto.v1.trial_pb2 import EndReason, Trial  # noqa: E402


def argument(name: str) -> str:
    return sys.argv[sys.argv.index(name) + 1]


def tell(**facts: object) -> None:
    with os.fdopen(int(argument("--ready-fd")), "w") as pipe:
        pipe.write(json.dumps(facts) + "\n")


def refuse(context: grpc.ServicerContext, reason: str, message: str) -> None:
    detail = AnyMessage()
    detail.Pack(error_details_pb2.ErrorInfo(domain="nni", reason=reason))
    status = status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message=message, details=[detail])
    context.abort_with_status(rpc_status.to_status(status))


class Service(experiment_service_pb2_grpc.ExperimentServiceServicer):
    def __init__(self) -> None:
        kind = "view_status" if "--view" in sys.argv else "status"
        kind, usual = ("recorded_status", "STOPPED") if "--resume" in sys.argv else (kind, "RUNNING")
        status = Experiment.Status.Value(f"STATUS_{BEHAVIOUR.get(kind, usual)}")
        self.experiment = Experiment(
            name=f"experiments/{argument('--experiment-id')}",
            status=status,
            revision=1,
            directory=str(Path(argument("--experiments-directory")) / argument("--experiment-id")),
            warnings=BEHAVIOUR.get("recorded_warnings", []),
            trial_count=BEHAVIOUR.get("recorded_trials", 0),
        )
        if "--view" in sys.argv and BEHAVIOUR.get("view_interrupted"):
            self.experiment.end_reason.actor = EndReason.ACTOR_MANAGER
            self.experiment.end_reason.message = INTERRUPTED
        self.record = Path(self.experiment.directory) / "db" / "experiment.sqlite"
        if self.record.exists():
            self.experiment.config.ParseFromString(self.record.read_bytes())
        self.stopped = threading.Event()

    def CreateExperiment(self, request, context):
        if BEHAVIOUR.get("exit_at_create"):
            os._exit(BEHAVIOUR["exit_at_create"])
        if BEHAVIOUR.get("slow_create"):
            print("slow", file=sys.stderr, flush=True)
            time.sleep(BEHAVIOUR["slow_create"])
        self.experiment.config.CopyFrom(request.config)
        self.record.parent.mkdir(exist_ok=True)
        self.record.write_bytes(request.config.SerializeToString())
        return pb.CreateExperimentResponse(experiment=self.experiment)

    def StartExperiment(self, request, context):
        return pb.StartExperimentResponse(experiment=self.experiment)

    def ResumeExperiment(self, request, context):
        (Path(self.experiment.directory) / "resumed").write_bytes(request.SerializeToString())
        if "refuse_resume" in BEHAVIOUR:
            refuse(context, "INVALID_CONFIG", BEHAVIOUR["refuse_resume"])
        time.sleep(BEHAVIOUR.get("slow_resume", 0))
        if request.HasField("config"):
            self.experiment.config.CopyFrom(request.config)
        self.experiment.status = Experiment.STATUS_RUNNING
        self.experiment.warnings.extend(BEHAVIOUR.get("new_warnings", []))
        self.experiment.revision += 1
        return pb.ResumeExperimentResponse(experiment=self.experiment)

    def PauseExperiment(self, request, context):
        self.experiment.paused = True
        return pb.PauseExperimentResponse(experiment=self.experiment)

    def UnpauseExperiment(self, request, context):
        self.experiment.paused = False
        return pb.UnpauseExperimentResponse(experiment=self.experiment)

    def CreateSignInCode(self, request, context):
        return pb.CreateSignInCodeResponse(code="abc", url="http://127.0.0.1:8080/sign-in?code=abc")

    def GetExperiment(self, request, context):
        if ("authorization", "Bearer secret-token") not in context.invocation_metadata():
            refuse(context, "UNAUTHENTICATED", "the call has no valid token")
        assert request.name in (self.experiment.name, "experiments/-")
        return pb.GetExperimentResponse(experiment=self.experiment)

    def ListTrials(self, request, context):
        if request.statuses:
            failed = [Trial(name=f"{request.parent}/trials/f{n}") for n in range(BEHAVIOUR.get("failed", 0))]
            for trial in failed:
                trial.end_reason.exit_code = 1
                trial.end_reason.stderr_tail = "Traceback:\nValueError: bad\n"
            return pb.ListTrialsResponse(trials=failed)
        return pb.ListTrialsResponse(trials=[Trial(name=f"{request.parent}/trials/t1")])

    def ListMetrics(self, request, context):
        return pb.ListMetricsResponse()

    def StopExperiment(self, request, context):
        if "stop_seconds" in BEHAVIOUR:
            time.sleep(BEHAVIOUR["stop_seconds"])
        if self.experiment.status == Experiment.STATUS_RUNNING:
            self.experiment.status = Experiment.STATUS_STOPPED
        self.stopped.set()
        return pb.StopExperimentResponse(experiment=self.experiment)

    def WatchExperiment(self, request, context):
        (Path(self.experiment.directory) / "watched").write_text(str(request.after_revision))
        if request.after_revision < self.experiment.revision:
            yield pb.WatchExperimentResponse(revision=self.experiment.revision, experiment=self.experiment)
        if "exit_in_watch" in BEHAVIOUR:
            os._exit(BEHAVIOUR["exit_in_watch"])
        if "end_as" in BEHAVIOUR:
            self.experiment.status = Experiment.Status.Value(f"STATUS_{BEHAVIOUR['end_as']}")
            for count in BEHAVIOUR.get("counts", []):
                self.experiment.trial_counts.add(status=count["status"], count=count["count"])
                self.experiment.trial_count += count["count"]
            self.experiment.revision += 1
            yield pb.WatchExperimentResponse(revision=self.experiment.revision, experiment=self.experiment)
        self.stopped.wait()


def main() -> None:
    if "error" in BEHAVIOUR:
        tell(error=BEHAVIOUR["error"])
        sys.exit(1)
    if "exit" in BEHAVIOUR:
        print("last words", file=sys.stderr)
        sys.exit(BEHAVIOUR["exit"])
    time.sleep(BEHAVIOUR.get("slow_start", 0))
    service = Service()
    server = grpc.server(ThreadPoolExecutor(8))
    experiment_service_pb2_grpc.add_ExperimentServiceServicer_to_server(service, server)
    port = server.add_insecure_port(f"127.0.0.1:{argument('--port')}")
    server.start()
    # Set by another thread: this one may hold the event's lock just when the signal comes.
    signal.signal(signal.SIGTERM, lambda number, frame: threading.Thread(target=service.stopped.set).start())
    tell(port=port, pid=os.getpid(), token="secret-token", version="4.0.0")
    service.stopped.wait()
    server.stop(0.2).wait()
    time.sleep(BEHAVIOUR.get("linger_seconds", 0))
    os._exit(0)  # calls that still sleep are not waited for


main()
