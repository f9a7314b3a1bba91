"""The SDK in reuse mode, with a stand-in for the courier at the other end of the socket."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nni
import pytest
from google.protobuf import json_format
from nni import _next_trial
from nni_proto.v1 import courier_pb2

Answer = Any  # the number of the next trial, None for no more trials, "lost" to close the connection


class Courier:
    """Answers what processes ask, one answer after another; the last one for good."""

    def __init__(self, trial: Any, path: Path) -> None:
        self.trial = trial
        self.path = path
        self.answers: list[Answer] = [None]
        self.asked: list[courier_pb2.NextTrialRequest] = []
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(path))
        self._server.listen(8)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def environment(self, number: int) -> dict[str, str]:
        output = self.trial.folder / f"output{number}"
        return {
            "NNI_TRIAL_JOB_ID": f"next{number}",
            "NNI_TRIAL_SEQ_ID": str(number),
            "NNI_TRIAL_ATTEMPT": "1",
            "NNI_OUTPUT_DIR": str(output),
            "NNI_SYS_DIR": str(output / ".nni" / "1"),
        }

    def output(self, number: int, name: str) -> str:
        return (self.trial.folder / f"output{number}" / name).read_text()

    def reports(self, number: int) -> list[Any]:
        return [json.loads(line)["v"] for line in self.output(number, ".nni/1/reports.jsonl").splitlines()]

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                request = json_format.Parse(lines.readline(), courier_pb2.NextTrialRequest())
                self.asked.append(request)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer != "lost":
                    response = courier_pb2.NextTrialResponse()
                    if answer is not None:
                        self._make(answer)
                        for name, value in self.environment(answer).items():
                            response.environment.add(name=name, value=value)
                    connection.sendall(json_format.MessageToJson(response, indent=None).encode() + b"\n")

    def _make(self, number: int) -> None:
        system = Path(self.environment(number)["NNI_SYS_DIR"])
        system.mkdir(parents=True, exist_ok=True)
        (system / "parameters.json").write_text(json.dumps({"parameters": {"number": number}}))


@pytest.fixture
def courier(trial: Any) -> Iterator[Courier]:
    folder = Path(f"/tmp/nni-sdk-{os.getpid()}")
    folder.mkdir(mode=0o700)
    courier = Courier(trial, folder / "courier")
    trial.environment.update(NNI_COURIER_SOCKET=str(courier.path), NNI_TRIAL_ATTEMPT="0")
    yield courier
    courier.close()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def inside_loop(courier: Courier, inside: Any, monkeypatch: pytest.MonkeyPatch) -> Courier:
    """This process as a process of a trial in reuse mode."""
    for name in ("NNI_COURIER_SOCKET", "NNI_TRIAL_ATTEMPT"):
        monkeypatch.setenv(name, courier.trial.environment[name])
    return courier


LOOP = """
import logging, os, sys
import nni
while True:
    parameters = nni.get_next_parameter()
    if parameters is None:
        break
    print("in", nni.get_trial_id(), nni.get_sequence_id())
    sys.stderr.write("error")
    logging.getLogger("own").info("log")
    assert nni.get_current_parameter() == parameters
    nni.report_final_result(parameters)
print("after")
assert nni.get_next_parameter() is None
assert nni.get_current_parameter() is None
"""


def run_in_files(courier: Courier, code: str) -> None:
    """Runs a script with stdout and stderr in the trial's files, as a runner does."""
    trial = courier.trial
    trial.environment["OUT"] = str(trial.output)
    trial.run(
        "import os\n"
        "for number, name in ((1, 'stdout'), (2, 'stderr')):\n"
        "    file = os.path.join(os.environ['OUT'], name)\n"
        "    os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)\n" + code
    )


def test_everything_follows_the_trial(courier: Courier) -> None:
    courier.answers = [1, 2, None]
    run_in_files(courier, LOOP)
    assert [(each.trial_id, each.attempt) for each in courier.asked] == [
        (courier.trial.trial_id, 0),
        ("next1", 1),
        ("next2", 1),
    ]
    outputs = [courier.trial.output, *(courier.trial.folder / f"output{number}" for number in (1, 2))]
    names = [f"{courier.trial.trial_id} 7", "next1 1", "next2 2"]
    for number, (output, name) in enumerate(zip(outputs, names, strict=True)):
        assert (output / "stdout").read_text() == f"in {name}\n" + ("after\n" if number == 2 else "")
        assert (output / "stderr").read_text() == "error"
        (line,) = (output / "trial.log").read_text().splitlines()
        assert line.endswith("log")
        assert (output / "stdout").stat().st_mode & 0o077 == 0 or number == 0
    assert courier.trial.values("f") == [{"lr": 0.1, "layers": 3}]
    assert [courier.reports(1), courier.reports(2)] == [[{"number": 1}], [{"number": 2}]]


def test_what_the_script_redirected_stays_as_it_is(courier: Courier) -> None:
    courier.answers = [1, None]
    result = courier.trial.run(LOOP)
    assert result.stdout == f"in {courier.trial.trial_id} 7\nin next1 1\nafter\n"
    assert not (courier.trial.folder / "output1" / "stdout").exists()


def test_a_script_without_output_goes_on(courier: Courier) -> None:
    courier.answers = [1, None]
    courier.trial.run(
        "import os, sys, nni\n"
        "sys.stdout.close(); sys.stdout = None; os.closerange(0, 3)\n"
        "while nni.get_next_parameter() is not None:\n"
        "    nni.report_final_result(nni.get_sequence_id())\n"
    )
    assert courier.reports(1) == [1]


def test_asking_again_in_the_same_process_moves_on_and_only_there(courier: Courier) -> None:
    courier.answers = [1, None]
    courier.trial.run("""
    import multiprocessing, os, subprocess, sys
    import nni

    def ask(expected):
        sys.exit(0 if nni.get_next_parameter() == expected else 1)

    def check(expected):
        for method in ("fork", "spawn"):
            child = multiprocessing.get_context(method).Process(target=ask, args=(expected,))
            child.start()
            child.join()
            assert child.exitcode == 0, method
        code = f"import nni; assert nni.get_next_parameter() == {expected!r}"
        subprocess.run([sys.executable, "-c", code], check=True)

    if __name__ == "__main__":
        check(nni.get_next_parameter())
        assert nni.get_next_parameter() == {"number": 1}
        check({"number": 1})
    """)
    assert len(courier.asked) == 1


def test_who_reported_the_final_result_moves_on_too(inside_loop: Courier) -> None:
    inside_loop.answers = [1, None]
    nni.get_next_parameter()
    pid = os.fork()
    if pid == 0:
        try:
            code = 2
            nni.report_final_result(5)
            code = 0 if nni.get_next_parameter() == {"number": 1} else 1
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0
    assert len(inside_loop.asked) == 1


def test_after_the_end_nothing_can_be_reported(inside_loop: Courier) -> None:
    nni.get_next_parameter()
    nni.report_final_result(1)
    assert nni.get_next_parameter() is None
    assert nni.get_next_parameter() is None
    with pytest.raises(AssertionError, match="has returned None"):
        nni.report_intermediate_result(2)
    assert len(inside_loop.asked) == 1
    assert inside_loop.trial.values() == []


def test_a_lost_answer_is_asked_for_again(inside_loop: Courier) -> None:
    inside_loop.answers = ["lost", "lost", 1, None]
    nni.get_next_parameter()
    assert nni.get_next_parameter() == {"number": 1}
    assert {each.trial_id for each in inside_loop.asked} == {inside_loop.trial.trial_id}
    assert len(inside_loop.asked) == 3


def test_a_courier_that_is_away_is_waited_for(inside_loop: Courier) -> None:
    nni.get_next_parameter()
    inside_loop.close()
    later: list[Courier] = []

    def come_back() -> None:
        inside_loop.path.unlink()
        later.append(Courier(inside_loop.trial, inside_loop.path))

    timer = threading.Timer(0.3, come_back)
    timer.start()
    try:
        assert nni.get_next_parameter() is None
    finally:
        timer.join()
        later[0].close()
    assert len(later[0].asked) == 1


@pytest.mark.parametrize("stale", [True, False])
def test_a_process_does_not_wait_forever(
    inside_loop: Courier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, stale: bool
) -> None:
    monkeypatch.setattr(_next_trial, "PATIENCE_SECONDS", 0.2)
    nni.get_next_parameter()
    inside_loop.close()
    if not stale:
        inside_loop.path.unlink()
    assert nni.get_next_parameter() is None
    assert "nobody has answered" in caplog.text


def test_a_socket_that_is_out_of_reach_is_not_waited_for(
    inside_loop: Courier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NNI_COURIER_SOCKET", "/does/not/exist/courier")
    nni.get_next_parameter()
    began = time.monotonic()
    assert nni.get_next_parameter() is None
    assert time.monotonic() - began < _next_trial.PATIENCE_SECONDS / 2
    assert "cannot be reached" in caplog.text


def test_parameters_that_cannot_be_read_are_asked_for_again_and_not_passed_over(inside_loop: Courier) -> None:
    inside_loop.answers = [1, None]
    nni.get_next_parameter()
    path = Path(inside_loop.environment(1)["NNI_SYS_DIR"], "parameters.json")
    made = inside_loop._make
    inside_loop._make = lambda number: (made(number), path.write_text("{"))  # type: ignore[assignment,return-value]
    with pytest.raises(RuntimeError, match="cannot be read"):
        nni.get_next_parameter()
    made(1)
    assert nni.get_next_parameter() == {"number": 1}
    assert len(inside_loop.asked) == 1


def test_an_interrupt_ends_the_wait(courier: Courier) -> None:
    courier.close()
    courier.trial.run("""
    import _thread, signal, nni
    nni.get_next_parameter()
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        nni.get_next_parameter()
    except KeyboardInterrupt:
        pass
    else:
        raise AssertionError
    """)


def test_sockets_are_not_loaded_by_a_script_that_asks_once(courier: Courier) -> None:
    courier.trial.run(
        """
    import sys, nni
    nni.get_next_parameter()
    nni.report_final_result(1)
    assert "socket" not in sys.modules
    """,
        options=("-S",),
    )


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.12", "3.13"])
def test_every_supported_python(courier: Courier, version: str, find_python: Callable[[str], str]) -> None:
    courier.answers = [1, 2, None]
    courier.trial.run(LOOP, python=find_python(version), options=("-W", "error"))
    assert [courier.reports(1), courier.reports(2)] == [[{"number": 1}], [{"number": 2}]]


@pytest.mark.parametrize("says", [b"theirs proof\n", b"\n", b"", b"x" * 100_000])
def test_who_has_the_port_of_a_dead_courier_is_not_believed(
    inside_loop: Courier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, says: bytes
) -> None:
    heard: list[bytes] = []

    def deceive(server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                heard.append(connection.recv(1 << 16))
                connection.sendall(says)
                connection.sendall(b'{"environment": [{"name": "PATH", "value": "/evil"}]}\n')
                connection.shutdown(socket.SHUT_WR)
                heard.append(connection.recv(1 << 16))

    monkeypatch.setattr(_next_trial, "STRANGER_PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(_next_trial, "_patience_by_port", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=deceive, args=[server])
        thread.start()
        monkeypatch.setenv("NNI_COURIER_SOCKET", "/does/not/exist/courier")
        monkeypatch.setenv("NNI_COURIER_ADDRESS", f"127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("NNI_COURIER_TOKEN", "secret")
        nni.get_next_parameter()
        assert nni.get_next_parameter() is None
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert "nobody has answered" in caplog.text
    assert os.environ["PATH"] != "/evil"
    assert len(heard) >= 2
    assert not any(b"trialId" in each or b"secret" in each for each in heard)
