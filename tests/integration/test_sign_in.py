"""One browser and several managers: signing in, staying signed in, one page from another."""

from __future__ import annotations

import subprocess
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import pytest
from nni_manager.testing.manager_process import ManagerStarter, StartedManager, manager_starter
from nni_manager.testing.running_port import example_config
from nni_proto.v1 import experiment_file_pb2, experiment_summary_pb2
from nni_proto.v1 import experiment_service_pb2 as pb
from nni_proto.v1.experiment_service_pb2_grpc import ExperimentServiceStub


@pytest.fixture
def starter(tmp_path: Path) -> Iterator[ManagerStarter]:
    with manager_starter(tmp_path) as starter:
        yield starter


class Browser:
    """Keeps cookies as browsers do, which tell hosts apart and ports not."""

    def __init__(self) -> None:
        self.cookies = CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))

    def get(self, url: str) -> int:
        """Returns the status of a page."""
        try:
            with self._opener.open(url, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def call(self, page: str, method: str, body: str = "{}") -> int:
        """Returns the status of a call that the page at an address makes."""
        request = urllib.request.Request(
            f"{page}nni_proto.v1.ExperimentService/{method}",
            body.encode(),
            {"Content-Type": "application/json", "Origin": page.rstrip("/")},
        )
        try:
            with self._opener.open(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code


def started(starter: ManagerStarter, experiment_id: str, *arguments: str) -> StartedManager:
    manager = starter.start(f"--experiment-id={experiment_id}", *arguments)
    create(manager.stub, manager.metadata)
    return manager


def create(stub: ExperimentServiceStub, metadata: list[tuple[str, str]]) -> None:
    request = pb.CreateExperimentRequest(request_id=str(uuid.uuid4()), config=example_config())
    stub.CreateExperiment(request, metadata=metadata, timeout=60)


def code_url(manager: StartedManager, experiment_id: str, view_only: bool = False) -> str:
    request = pb.CreateSignInCodeRequest(name=f"experiments/{experiment_id}", view_only=view_only)
    return str(manager.call("CreateSignInCode", request).url)


def delete(manager: StartedManager, experiment_id: str) -> None:
    request = experiment_summary_pb2.DeleteExperimentRequest(name=f"experiments/{experiment_id}")
    manager.call("DeleteExperiment", request)


def test_three_experiments_stay_signed_in_over_a_restart(starter: ManagerStarter) -> None:
    managers = {name: started(starter, name) for name in ("one", "two", "three")}
    browser = Browser()
    pages = {name: str(manager.told["url"]) for name, manager in managers.items()}
    for name, manager in managers.items():
        assert browser.get(pages[name]) == 401
        url = code_url(manager, name)
        assert browser.get(url) == 200
        assert Browser().get(url) == 403  # it works once
    assert {cookie.name for cookie in browser.cookies} == {"nni-one", "nni-two", "nni-three"}
    assert all(cookie.has_nonstandard_attr("HttpOnly") for cookie in browser.cookies)
    managers["two"].kill()
    pages["two"] = str(starter.start("--experiment-id=two", "--resume").told["url"])
    for name, page in pages.items():
        assert browser.get(page) == 200
        assert browser.call(page, "GetExperiment", f'{{"name": "experiments/{name}"}}') == 200
        assert Browser().call(page, "GetExperiment", f'{{"name": "experiments/{name}"}}') == 401


def test_a_manager_gets_the_code_of_another_that_runs(starter: ManagerStarter) -> None:
    one, two = started(starter, "one"), started(starter, "two")
    started(starter, "ended").stop()
    browser = Browser()
    url = code_url(one, "two")
    assert urlsplit(url).port == two.told["port"]
    assert browser.get(url) == 200
    page = str(two.told["url"])
    assert browser.call(page, "PauseExperiment", '{"name": "experiments/two"}') == 400  # it does not run yet
    looking = Browser()
    assert looking.get(code_url(one, "two", view_only=True)) == 200
    assert looking.call(page, "GetExperiment", '{"name": "experiments/two"}') == 200
    assert looking.call(page, "PauseExperiment", '{"name": "experiments/two"}') == 403
    assert looking.call(page, "GetExperiment", '{"name": "experiments/one"}') == 403
    assert looking.call(page, "ListExperiments") == 403
    assert browser.call(page, "ListExperiments") == 200
    for name, text in {"ended": "no manager runs", "none": "there is none in"}.items():
        with pytest.raises(grpc.RpcError, match=text):
            code_url(one, name)
    two.process.send_signal(19)  # it does not answer
    with pytest.raises(grpc.RpcError, match=r"process \d+, port \d+\) gives no code"):
        code_url(one, "two")
    two.process.send_signal(18)


def test_the_code_of_a_manager_with_tls_is_asked_for_by_tls(starter: ManagerStarter, tmp_path: Path) -> None:
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x"
    command += " -addext subjectAltName=DNS:manager.test -out cert.pem -keyout key.pem"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    tls = (f"--tls-certificate={tmp_path / 'cert.pem'}", f"--tls-key={tmp_path / 'key.pem'}")
    one, secure = started(starter, "one"), starter.start("--experiment-id=secure", *tls)
    trusted = grpc.ssl_channel_credentials((tmp_path / "cert.pem").read_bytes())
    options = [("grpc.ssl_target_name_override", "manager.test")]
    with grpc.secure_channel(f"127.0.0.1:{secure.told['port']}", trusted, options) as channel:
        create(ExperimentServiceStub(channel), secure.metadata)
    assert code_url(one, "secure").startswith("https://")
    (starter.directory / "secure" / "manager-ca.pem").write_text("not a certificate")
    with pytest.raises(grpc.RpcError, match="the manager of experiment 'secure'"):
        code_url(one, "secure")


def test_one_manager_shows_lists_and_deletes_the_others(starter: ManagerStarter) -> None:
    """Row 142: three stopped experiments and one that runs, seen from one page."""
    for name in ("a", "b", "c"):
        started(starter, name).stop()
    running = started(starter, "d")
    viewer = starter.start("--view", "--experiment-id=a")
    found = viewer.call("ListExperiments", experiment_summary_pb2.ListExperimentsRequest()).experiments
    assert {(it.name, it.running, it.own) for it in found} == {
        ("experiments/a", False, True),
        ("experiments/b", False, False),
        ("experiments/c", False, False),
        ("experiments/d", True, False),
    }
    for name in "abcd":
        name = f"experiments/{name}"
        assert viewer.call("GetExperiment", pb.GetExperimentRequest(name=name)).experiment.name == name
        files = viewer.call("ListFiles", experiment_file_pb2.ListFilesRequest(parent=name)).files
        assert "log/nnimanager.log" in [file.path for file in files]
    for name, text in {"a": "was started for", "d": f"on port {running.told['port']}"}.items():
        with pytest.raises(grpc.RpcError, match=text):
            delete(viewer, name)
    delete(viewer, "b")
    left = viewer.call("ListExperiments", experiment_summary_pb2.ListExperimentsRequest()).experiments
    assert sorted(it.name for it in left) == ["experiments/a", "experiments/c", "experiments/d"]
    assert not (starter.directory / "b").exists()
    running.stop()
    viewer.stop()
