"""Algorithms that another process serves, with a server in this process."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from nni_manager.engine.effects import RequestParameters, TellFinalResult, TellSearchSpace
from nni_manager.engine.events import (
    AlgorithmFailed,
    ParametersProposed,
    TrialJudgedBad,
    TunerProcessed,
    WarningRaised,
)
from nni_manager.experiments.algorithm_keeper import KeptAlgorithm
from nni_manager.tuning import served_connection
from nni_manager.tuning.algorithm_process import AlgorithmProcess
from nni_manager.tuning.interface import (
    AlgorithmDeathError,
    AlgorithmDied,
    AlgorithmError,
    AlgorithmSettings,
    History,
    RebuildWay,
    Rebuilt,
)
from nni_manager.tuning.served_connection import Servers
from nni_proto import values
from nni_proto.v1.algorithm_pb2 import (
    AlgorithmFailed as Failed,
)
from nni_proto.v1.algorithm_pb2 import (
    AlgorithmRefused,
    AlgorithmRequest,
    AlgorithmResponse,
    HistoryTaken,
    InitializeAlgorithm,
    ProposeParameters,
    RequestProcessed,
    StopTrialVerdict,
)
from nni_proto.v1.algorithm_service_pb2_grpc import (
    AlgorithmServiceServicer,
    add_AlgorithmServiceServicer_to_server,
)

SPACE = {"x": {"_type": "uniform", "_value": [0, 1]}}


class Tuner(AlgorithmServiceServicer):
    """Proposes the number of results that it knows.

    Attributes:
        lives: What each of its lives was told.
        token: What has to be shown.
        ways: How histories are taken, in turn.
        answers: Answers in place of its own, by the kind of message.
    """

    def __init__(self) -> None:
        self.lives: list[list[AlgorithmRequest]] = []
        self.token = ""
        self.ways = [HistoryTaken.WAY_TOLD]
        self.answers: dict[str, Callable[[AlgorithmRequest], list[AlgorithmResponse]]] = {}
        self.ends_when_told = True
        self.break_off = asyncio.Event()

    async def Converse(self, request_iterator: Any, context: Any) -> AsyncIterator[AlgorithmResponse]:  # noqa: N802
        metadata = dict(context.invocation_metadata())
        if self.token and metadata.get("authorization") != f"Bearer {self.token}":
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")
        told: list[AlgorithmRequest] = []
        self.lives.append(told)
        in_history = False
        async for request in request_iterator:
            told.append(request)
            kind = request.WhichOneof("request")
            if kind == "initialize":
                in_history = request.initialize.history_use != InitializeAlgorithm.HISTORY_USE_UNSPECIFIED
            elif kind == "history_ends":
                in_history = False
                yield AlgorithmResponse(history_taken=HistoryTaken(way=self.ways.pop(0), message="x"))
                continue
            elif kind == "terminate":
                if self.ends_when_told:
                    return
                await asyncio.Event().wait()
            elif in_history:
                continue
            for answer in self.answers.get(kind, self._answers)(request):
                yield answer
            if self.break_off.is_set():
                self.break_off.clear()
                await context.abort(grpc.StatusCode.UNAVAILABLE, "the machine is on fire")
            yield AlgorithmResponse(processed=RequestProcessed(number=request.number))

    def _answers(self, request: AlgorithmRequest) -> list[AlgorithmResponse]:
        if not request.HasField("request_parameters"):
            return []
        known = sum(it.HasField("final_result") for it in self.lives[-1])
        return [
            AlgorithmResponse(
                propose=ProposeParameters(parameter_id=it, parameters=values.to_message({"x": known}))
            )
            for it in request.request_parameters.parameter_ids
        ]


class Served:
    """A tuner with its server.

    Attributes:
        tuner: The tuner.
        port: Where it listens.
        server: The server, which may be stopped and begun again.
    """

    def __init__(self) -> None:
        self.tuner = Tuner()
        self.port = 0
        self.server: grpc.aio.Server | None = None

    async def begin(self, credentials: grpc.ServerCredentials | None = None) -> None:
        self.server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        add_AlgorithmServiceServicer_to_server(self.tuner, self.server)
        address = f"127.0.0.1:{self.port}"
        if credentials is None:
            self.port = self.server.add_insecure_port(address)
        else:
            self.port = self.server.add_secure_port(address, credentials)
        await self.server.start()

    async def end(self) -> None:
        if self.server is not None:
            await self.server.stop(None)


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    served = Served()
    await served.begin()
    yield served
    await served.end()


Make = Callable[..., tuple[AlgorithmProcess, "asyncio.Queue[Any]"]]


@pytest.fixture
async def make(served: Served, tmp_path: Path) -> AsyncIterator[Make]:
    made: list[AlgorithmProcess] = []
    servers = Servers()

    def maker(
        emit: Callable[[Any], None] | None = None, **settings: Any
    ) -> tuple[AlgorithmProcess, asyncio.Queue[Any]]:
        events: asyncio.Queue[Any] = asyncio.Queue()
        chosen: dict[str, Any] = {
            "kind": "tuner",
            "name": None,
            "class_name": None,
            "code_directory": None,
            "class_args": {"step": 0.5},
            "search_space": SPACE,
            "optimize_mode": "minimize",
            "log_directory": tmp_path / "log",
            "checkpoint_directory": tmp_path / "checkpoint",
            "endpoint": f"127.0.0.1:{served.port}",
            **settings,
        }
        made.append(AlgorithmProcess(AlgorithmSettings(**chosen), emit or events.put_nowait, servers.connect))
        return made[-1], events

    yield maker
    for process in made:
        await process.close()


def final(number: int, parameter_id: int) -> TellFinalResult:
    return TellFinalResult(number, f"trial{parameter_id}", parameter_id, {"x": 1}, 0.5, customized=False)


def entries(count: int) -> tuple[Any, ...]:
    return tuple(final(number, number) for number in range(1, count + 1))


async def proposal(events: asyncio.Queue[Any]) -> Any:
    while not isinstance(event := await events.get(), ParametersProposed):
        assert isinstance(event, TunerProcessed), event
    return event.parameters


async def test_it_is_told_what_it_is_for_and_answers(make: Make, served: Served) -> None:
    process, events = make()
    assert await process.start() is None
    process.tell(final(1, 0))
    process.tell(RequestParameters(2, (1, 2)))
    assert await events.get() == TunerProcessed(1, pytest.approx(0, abs=1e12))
    assert await proposal(events) == {"x": 1}
    assert await proposal(events) == {"x": 1}
    assert (await events.get()).number == 2
    await process.close()
    (told,) = served.tuner.lives
    first = told[0].initialize
    assert first.kind == InitializeAlgorithm.ALGORITHM_KIND_TUNER
    assert values.object_from_message(first.class_args) == {"step": 0.5}
    assert values.from_message(first.search_space) == SPACE
    assert first.optimize_mode == "minimize"
    assert [it.number for it in told] == [1, 2, 3, 4]
    assert told[-1].HasField("terminate")
    assert process.pid is None and events.empty()


@pytest.mark.parametrize("way", ["WAY_TOLD", "WAY_REPLAYED", "WAY_IMPORTED"])
async def test_it_is_told_its_history(make: Make, served: Served, way: str) -> None:
    served.tuner.ways = [HistoryTaken.Way.Value(way)]
    process, events = make()
    rebuilt = await process.start(History(entries(1000), last_number=1000))
    assert rebuilt == Rebuilt(RebuildWay(way.removeprefix("WAY_").lower()))
    process.tell(RequestParameters(1001, (5,)))
    assert await proposal(events) == {"x": 1000}
    assert [it.number for it in served.tuner.lives[0]] == list(range(1, 1004))


async def test_one_that_differs_gets_the_history_to_import_in_another_life(
    make: Make, served: Served
) -> None:
    served.tuner.ways = [HistoryTaken.WAY_DIFFERED, HistoryTaken.WAY_IMPORTED]
    process, _ = make()
    assert await process.start(History(entries(3), last_number=3)) == Rebuilt(RebuildWay.IMPORTED, "x")
    uses = [told[0].initialize.history_use for told in served.tuner.lives]
    assert uses == [InitializeAlgorithm.HISTORY_USE_REPLAY, InitializeAlgorithm.HISTORY_USE_IMPORT]


async def test_a_refused_search_space_and_a_failure(make: Make, served: Served) -> None:
    served.tuner.answers["search_space"] = lambda told: [
        AlgorithmResponse(refused=AlgorithmRefused(number=told.number, message="too wide"))
    ]
    served.tuner.answers["request_parameters"] = lambda told: [
        AlgorithmResponse(failed=Failed(message="no more ideas", traceback="at tuner.js:1"))
    ]
    process, events = make()
    await process.start()
    with pytest.raises(AlgorithmError, match="too wide"):
        await process.change_search_space(1, {"y": 1})
    process.tell(TellSearchSpace(2, SPACE))
    process.tell(RequestParameters(3, (0,)))
    while not isinstance(event := await events.get(), AlgorithmFailed):
        assert isinstance(event, TunerProcessed)
    assert (event.message, event.traceback) == ("no more ideas", "at tuner.js:1")


async def test_an_assessor_may_be_served_as_well(make: Make, served: Served) -> None:
    served.tuner.answers["final_result"] = lambda told: [
        AlgorithmResponse(stop_trial=StopTrialVerdict(trial_id="trial3", message="hopeless"))
    ]
    process, events = make(kind="assessor")
    await process.start()
    process.tell(final(1, 3))
    verdict = await events.get()
    assert isinstance(verdict, TrialJudgedBad) and verdict.trial_id == "trial3"


async def test_the_right_token_and_a_wrong_one(make: Make, served: Served) -> None:
    served.tuner.token = "sesame"
    process, _ = make(token="sesame")
    await process.start()
    for wrong in ("other", None):
        process, events = make(token=wrong)
        with pytest.raises(AlgorithmError) as caught:
            await process.start()
        text = str(caught.value)
        assert not isinstance(caught.value, AlgorithmDeathError)
        assert f"127.0.0.1:{served.port} refuses" in text and "who are you?" in text
        assert "NNI_SECRET_TUNER_TOKEN" in text and "other" not in text.replace("another", "")
        assert events.empty()
    assert "sesame" not in repr(process._settings)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_nobody_there_at_the_start(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served_connection, "SECONDS_TO_ANSWER", 0.5)
    endpoint = f"127.0.0.1:{free_port()}"
    with pytest.raises(AlgorithmError) as caught:
        await make(endpoint=endpoint)[0].start()
    assert str(caught.value) == f"the tuner cannot be reached at {endpoint}: Connection refused"
    assert not isinstance(caught.value, AlgorithmDeathError)
    with pytest.raises(AlgorithmError, match=r"at no\.such\.host\.invalid:80: .*(known|resolution)"):
        await make(endpoint="no.such.host.invalid:80")[0].start()


async def test_somebody_else_there_at_the_start(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served_connection, "SECONDS_TO_ANSWER", 0.5)
    closed = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with closed:
        port = closed.sockets[0].getsockname()[1]
        with pytest.raises(AlgorithmError, match=f"at 127.0.0.1:{port}: .* does not speak gRPC without TLS"):
            await make(endpoint=f"127.0.0.1:{port}")[0].start()


async def test_a_server_of_something_else(make: Make) -> None:
    other = grpc.aio.server()
    port = other.add_insecure_port("127.0.0.1:0")
    await other.start()
    with pytest.raises(AlgorithmError, match=r"does not serve nni_proto\.v1\.AlgorithmService"):
        await make(endpoint=f"127.0.0.1:{port}")[0].start()
    await other.stop(None)


async def test_with_tls(make: Make, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served_connection, "SECONDS_TO_ANSWER", 1.0)
    for name in ("good", "other"):
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x"
        command += f" -addext subjectAltName=IP:127.0.0.1 -out {name}.pem -keyout {name}.key"
        subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    pair = ((tmp_path / "good.key").read_bytes(), (tmp_path / "good.pem").read_bytes())
    await served.end()
    await served.begin(grpc.ssl_server_credentials([pair]))
    with pytest.raises(AlgorithmError, match="none with TLS that ca_file verifies"):
        await make(ca_file=tmp_path / "other.pem")[0].start()
    with pytest.raises(AlgorithmError, match="does not speak gRPC without TLS"):
        await make()[0].start()
    with pytest.raises(AlgorithmError, match=r"cannot be started: .*gone\.pem"):
        await make(ca_file=tmp_path / "gone.pem")[0].start()
    process, events = make(ca_file=tmp_path / "good.pem")
    await process.start()
    process.tell(RequestParameters(1, (0,)))
    assert await proposal(events) == {"x": 0}


async def test_a_broken_stream_is_a_death(make: Make, served: Served) -> None:
    process, events = make()
    await process.start()
    served.tuner.break_off.set()
    process.tell(RequestParameters(1, (0,)))
    assert isinstance(await events.get(), ParametersProposed)
    death = await events.get()
    assert isinstance(death, AlgorithmDied)
    assert (death.algorithm, death.cause) == ("tuner", "lost connection")
    assert f"127.0.0.1:{served.port} broke: the machine is on fire" in death.message


async def test_what_is_not_the_protocol_fails_it(make: Make, served: Served) -> None:
    served.tuner.answers["request_parameters"] = lambda told: [AlgorithmResponse()]
    process, events = make()
    await process.start()
    process.tell(RequestParameters(1, (0,)))
    failure = await events.get()
    assert isinstance(failure, AlgorithmFailed)
    assert "sent what is not the protocol" in failure.message


async def test_one_that_was_away_for_a_while_goes_on(
    make: Make, served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(served_connection, "SECONDS_TO_ANSWER", 0.2)
    events: asyncio.Queue[Any] = asyncio.Queue()
    history = History(entries(2), last_number=2)

    async def read_history() -> History:
        return history

    kept = KeptAlgorithm(lambda emit: make(emit)[0], read_history, events.put_nowait, "tuner")
    await kept.start()
    await served.end()
    while "is waited for" not in caplog.text:
        await asyncio.sleep(0.01)
    await served.begin()
    while not isinstance(warning := await events.get(), WarningRaised):
        assert isinstance(warning, TunerProcessed)
    assert "the tuner died (lost connection) and was restarted" in warning.message
    kept.tell(RequestParameters(3, (7,)))
    while not isinstance(event := await events.get(), ParametersProposed):
        pass
    assert event.parameters == {"x": 2}
    await kept.close()


async def test_one_that_stays_away_fails_the_experiment(
    make: Make, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served_connection, "SECONDS_TO_ANSWER", 0.1)
    monkeypatch.setattr(served_connection, "SECONDS_TO_RETURN", 0.2)
    events: asyncio.Queue[Any] = asyncio.Queue()

    async def read_history() -> History:
        return History(entries(2), last_number=2)

    kept = KeptAlgorithm(lambda emit: make(emit)[0], read_history, events.put_nowait, "tuner")
    await kept.start()
    await served.end()
    failure = await events.get()
    assert isinstance(failure, AlgorithmFailed)
    assert "it died 3 times in a row" in failure.message
    assert f"cannot be reached at 127.0.0.1:{served.port}: Connection refused" in failure.message
    await kept.close()


async def test_waiting_for_one_that_is_away_can_be_ended(
    make: Make, served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(served_connection, "SECONDS_TO_ANSWER", 0.1)
    process, events = make()
    await process.start()
    await served.end()
    assert isinstance(await events.get(), AlgorithmDied)
    again, _ = make()
    starting = asyncio.create_task(again.start(History(entries(1), last_number=1)))
    while "is waited for" not in caplog.text:
        await asyncio.sleep(0.01)
    await again.close()
    with pytest.raises(AlgorithmError, match="was ended while it started"):
        await starting


async def test_one_that_does_not_end_is_broken_off(
    make: Make, served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    served.tuner.ends_when_told = False
    process, events = make()
    await process.start()
    await process.close(0.1)
    assert "did not end the stream" in caplog.text
    assert events.empty()


async def test_a_history_goes_on_only_as_fast_as_it_is_taken(make: Make, served: Served) -> None:
    read_count = 0
    total = 3000

    def slowly() -> Any:
        nonlocal read_count
        for number in range(1, total + 1):
            read_count += 1
            big = TellFinalResult(number, "t", number, {"x": "y" * 20_000}, 0.5, customized=False)
            yield big

    class Entries:
        def __iter__(self) -> Any:
            return slowly()

    go_on = asyncio.Event()
    original = served.tuner.Converse

    async def held(request_iterator: Any, context: Any) -> AsyncIterator[AlgorithmResponse]:
        async def requests() -> AsyncIterator[AlgorithmRequest]:
            async for request in request_iterator:
                yield request
                if request.number == 2:
                    await go_on.wait()

        async for answer in original(requests(), context):
            yield answer

    served.tuner.Converse = held  # type: ignore[method-assign]
    await served.end()
    await served.begin()
    process, _ = make()
    starting = asyncio.create_task(process.start(History(Entries(), last_number=total)))
    before = -1
    while before != read_count or not read_count:
        before = read_count
        await asyncio.sleep(0.3)
    assert read_count < total
    go_on.set()
    assert await starting == Rebuilt(RebuildWay.TOLD)
    assert read_count == total
