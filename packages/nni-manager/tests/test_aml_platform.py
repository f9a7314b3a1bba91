"""Azure ML by a stand-in: jobs are made, followed, stopped, and what goes wrong is said in plain words."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aml_stand_in import AmlStandIn, Facts
from azure.core.exceptions import ClientAuthenticationError
from azure.storage.blob import ExponentialRetry
from nni_manager.engine.events import Report, TrialReported
from nni_manager.engine.statuses import MetricKind
from nni_manager.shared_storage.azure_blob import Container
from nni_manager.training.aml.errors import refusal_of
from nni_manager.training.aml.place import AmlPlace
from nni_manager.training.aml.platform import AzureMl
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.jobs.names import JobNames
from nni_manager.training.jobs.platform import (
    JobOrder,
    JobRefusedError,
    JobReport,
    JobState,
    PlatformAwayError,
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

EXPERIMENT = "exp00001"
NAMES = JobNames(EXPERIMENT)
FACTS = Facts()
PLACE = AmlPlace(
    subscription_id=FACTS.subscription,
    resource_group=FACTS.group,
    workspace=FACTS.workspace,
    compute=FACTS.compute,
    docker_image="python:3.11",
)
SECRET = "a token of the job's own"


@pytest.fixture
def azure(tmp_path: Path, blob_account: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[AmlStandIn]:
    with AmlStandIn(tmp_path, blob_account, FACTS).running() as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


def container(azure: AmlStandIn) -> Container:
    account = azure.account
    return Container(account.name, account.container, account.url, account.key)


@contextlib.asynccontextmanager
async def opened(azure: AmlStandIn, **changed: Any) -> AsyncIterator[AzureMl]:
    platform = AzureMl(replace(PLACE, **changed), EXPERIMENT, EXPERIMENT, container(azure))
    try:
        await platform.open()
        yield platform
    finally:
        await platform.close()


@pytest.fixture
async def platform(azure: AmlStandIn, tmp_path: Path) -> AsyncIterator[AzureMl]:
    async with opened(azure) as made:
        archive = tmp_path / "code.tar.gz"
        archive.write_bytes(b"packed code")
        assert await made.prepare({"code.tar.gz": archive}) == "$NNI_ARCHIVES"
        yield made


async def until(platform: AzureMl, name: str, condition: Callable[[JobReport], bool]) -> JobReport:
    while True:
        report = (await platform.list()).get(name)
        if report is not None and condition(report):
            return report
        await asyncio.sleep(0.02)


def order(command: str, trial: str = "abcde", **environment: str) -> JobOrder:
    return JobOrder(NAMES.of_attempt(trial, 0), command, environment, {"NNI_JOB_TOKEN": SECRET})


async def test_a_job_runs_in_its_environment_with_what_was_brought(
    platform: AzureMl, azure: AmlStandIn
) -> None:
    made = order(
        'cat "$NNI_ARCHIVES/code.tar.gz"; echo " $PLAIN $NNI_JOB_TOKEN"; echo "$NNI_SPOOL_ACCESS"', PLAIN="p"
    )
    await platform.submit(made)
    report = await until(platform, made.name, lambda report: report.state.is_over)
    assert report.state is JobState.SUCCEEDED
    assert report.web_address.startswith("https://ml.azure.com/runs/nni_exp00001_abcde_0?")
    said, access = (await platform.log(made.name, 10_000)).decode().splitlines()
    assert said == f"packed code p {SECRET}"
    assert json.loads(access)["prefix"] == f"nni/{EXPERIMENT}"
    assert await platform.log(made.name, 5) == f"{access[-4:]}\n".encode()
    assert azure.refused == [
        f"GET {FACTS.path}/environments/{PLACE.image_name}/versions/1: "
        + (f"Environment {PLACE.image_name}:1 is not found.")
    ]


async def test_no_secret_is_in_what_the_studio_shows(platform: AzureMl, azure: AmlStandIn) -> None:
    made = order("true")
    await platform.submit(made)
    shown = json.dumps(azure.jobs[made.name].resource)
    assert SECRET not in shown and "sig=" not in shown and azure.account.key not in shown
    assert azure.jobs[made.name].resource["properties"]["tags"] == {
        "nni_exp00001": "job of an experiment",
        "nni_experiment": EXPERIMENT,
    }
    await until(platform, made.name, lambda report: report.state.is_over)
    assert not [name for name in azure.account.names() if name.endswith("start.sh")]


async def test_names_that_differ_in_capitals_are_two_jobs(platform: AzureMl, azure: AmlStandIn) -> None:
    """Azure's library would make the names alike."""
    one, other = order("echo one; exit 3", "aBc-d"), order("echo other; sleep 1000", "AbC-d")
    for each in (one, other):
        await platform.submit(each)
    failed = await until(platform, one.name, lambda report: report.state.is_over)
    assert (failed.state, failed.exit_code) == (JobState.FAILED, 3)
    assert await platform.log(one.name, 100) == b"one\n"
    await until(platform, other.name, lambda report: report.state is JobState.RUNNING)
    await platform.stop(other.name)
    await until(platform, other.name, lambda report: report.state is JobState.STOPPED)
    assert sorted(await platform.list()) == sorted([one.name, other.name])
    assert len(azure.jobs) == 2


def report(*values: float, trial: str = "abcde") -> TrialReported:
    reports = tuple(
        Report(MetricKind.INTERMEDIATE, "r", number, value, 1_700_000_000.5)
        for number, value in enumerate(values)
    )
    return TrialReported(trial, 0, reports, 1)


async def test_results_are_in_the_run_of_their_job(azure: AmlStandIn, tmp_path: Path) -> None:
    made = order("true")
    async with opened(azure) as platform:
        await platform.prepare({})
        await platform.submit(made)
        platform.show_results(made.name, report(0.5, float("nan"), *[0.25] * 600))
    metrics = azure.jobs[made.name].metrics
    assert metrics[:2] == [
        {"key": "abcde/intermediate", "value": 0.5, "timestamp": 1_700_000_000_500, "step": 0},
        {"key": "abcde/intermediate", "value": "NaN", "timestamp": 1_700_000_000_500, "step": 1},
    ]
    assert [metric["step"] for metric in metrics] == list(range(602))
    assert azure.count("POST", "log-batch") == 4


async def test_what_is_said_of_results_that_are_not_taken(
    azure: AmlStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(azure) as platform:
        platform.show_results("nni_no_such_job", report(0.5))
    assert (
        "results of job nni_no_such_job are not shown in Azure ML's studio; the experiment has them: "
        "Run nni_no_such_job was not found (UserError, HTTP 404)"
    ) in caplog.text


async def test_the_code_is_sent_once(platform: AzureMl, azure: AmlStandIn, tmp_path: Path) -> None:
    first = [name for name in azure.account.names() if name.endswith("code.tar.gz")]
    await platform.prepare({"code.tar.gz": tmp_path / "code.tar.gz"})
    for trial in ("t1", "t2", "t3"):
        await platform.submit(order("true", trial))
    assert [name for name in azure.account.names() if name.endswith("code.tar.gz")] == first
    assert azure.count("PUT", "/jobs/") == 3


async def test_the_same_name_is_the_same_job(platform: AzureMl, azure: AmlStandIn) -> None:
    azure.faults.drops = 1
    made = order('echo once >> "$NNI_ARCHIVES/../count"; cat "$NNI_ARCHIVES/../count"')
    with pytest.raises(PlatformAwayError, match="busy"):
        await platform.submit(made)
    await platform.submit(made)
    await until(platform, made.name, lambda report: report.state.is_over)
    await platform.submit(made)
    assert await platform.log(made.name, 100) == b"once\n"
    assert len(await platform.list()) == 1


async def test_a_failed_job_says_why(platform: AzureMl) -> None:
    made = order("echo no >&2; exit 7")
    await platform.submit(made)
    report = await until(platform, made.name, lambda report: report.state.is_over)
    assert (report.state, report.exit_code) == (JobState.FAILED, 7)
    assert "exited with status code 7" in report.reason
    assert await platform.log(made.name, 100) == b"no\n"


async def test_stopping(platform: AzureMl, azure: AmlStandIn) -> None:
    made = order("trap '' TERM; setsid sleep 1000 & echo ready; wait; sleep 1000")
    await platform.submit(made)
    await until(platform, made.name, lambda report: report.state is JobState.RUNNING)
    await platform.stop(made.name)
    report = await until(platform, made.name, lambda report: report.state.is_over)
    assert report.state is JobState.STOPPED
    await platform.stop(made.name)
    await platform.stop(NAMES.of_attempt("never", 0))


async def test_a_job_that_waits_says_for_what(platform: AzureMl, azure: AmlStandIn) -> None:
    azure.faults.quota = "The cluster needs 6 cores and the quota of Standard NC has 0 left."
    made = order("true")
    await platform.submit(made)
    report = await until(platform, made.name, lambda report: "quota" in report.reason)
    assert report.state is JobState.WAITING
    assert report.reason == (
        "it is queued for gpu-cluster; gpu-cluster: The cluster needs 6 cores and the quota of Standard NC "
        "has 0 left (ClusterCoreQuotaReached)"
    )
    azure.release()
    assert (await until(platform, made.name, lambda report: report.state.is_over)).reason == ""


async def test_a_preempted_job_begins_anew(platform: AzureMl, azure: AmlStandIn) -> None:
    made = order('echo "begun"; [ -e "$NNI_ARCHIVES/again" ] || { touch "$NNI_ARCHIVES/again"; sleep 1000; }')
    await platform.submit(made)
    while await platform.log(made.name, 100) != b"begun\n":
        await asyncio.sleep(0.02)
    azure.jobs[made.name].preempt()
    assert (await until(platform, made.name, lambda it: it.state.is_over)).state is JobState.SUCCEEDED
    assert await platform.log(made.name, 100) == b"begun\nbegun\n"


async def test_a_lost_job_is_no_longer_listed(platform: AzureMl, azure: AmlStandIn) -> None:
    made = order("sleep 1000")
    await platform.submit(made)
    await until(platform, made.name, lambda report: report.state is JobState.RUNNING)
    azure.lose(made.name)
    assert await platform.list() == {}


async def test_one_request_tells_of_all_jobs_that_have_news(platform: AzureMl, azure: AmlStandIn) -> None:
    names = [NAMES.of_attempt(f"t{number:03}", 0) for number in range(25)]
    for name in names:
        azure.start(
            name,
            {
                "name": name,
                "properties": {
                    "status": "NotStarted",
                    "tags": {"nni_exp00001": ""},
                    "command": "true",
                    "inputs": {},
                },
            },
        )
    while not all(job.status == "Completed" for job in azure.jobs.values()):
        await asyncio.sleep(0.02)
    assert sorted(await platform.list()) == names
    before = azure.count("GET", "/jobs")
    assert sorted(await platform.list()) == names
    assert azure.count("GET", "/jobs") == before + 1
    azure.faults.hold = True
    await platform.submit(order("true", "later"))
    assert len(await platform.list()) == 26
    assert azure.count("GET", "/jobs") == before + 2


async def test_another_manager_sees_the_jobs(platform: AzureMl, azure: AmlStandIn, tmp_path: Path) -> None:
    made = order("sleep 1000")
    await platform.submit(made)
    await until(platform, made.name, lambda report: report.state is JobState.RUNNING)
    async with opened(azure) as second:
        assert (await second.list())[made.name].state is JobState.RUNNING
        await second.prepare({"code.tar.gz": tmp_path / "code.tar.gz"})
        await second.submit(made)
        assert azure.jobs.keys() == {made.name}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            {"workspace": "other"},
            r'workspace_name: the workspace "other": The Resource .* was not found '
            r"\(ResourceNotFound, HTTP 404\); allowed is one that is there",
        ),
        ({"subscription_id": "none"}, "subscription 'none' could not be found"),
        ({"resource_group": "none"}, "Resource group 'none' could not be found"),
        ({"compute": "cpu"}, 'compute_target: "cpu" of ws: Requested compute cpu not found'),
        ({"environment": "torch:3"}, 'environment: "torch:3": Environment torch:3 is not found'),
        ({"gpus_per_trial": 2}, r"each trial needs 2 GPUs, and a node of .* \(STANDARD_NC6\) has 1"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_what_is_not_there_is_named(azure: AmlStandIn, changed: dict[str, Any], expected: str) -> None:
    with pytest.raises(TrainingServiceError, match=expected):
        async with opened(azure, **changed):
            pass


async def test_a_broken_compute_target_is_refused(azure: AmlStandIn) -> None:
    azure.compute["properties"]["provisioningState"] = "Failed"
    azure.compute["properties"]["provisioningErrors"] = [{"error": {"code": "Quota", "message": "No cores."}}]
    with pytest.raises(
        TrainingServiceError, match=r"is not in order \(Failed\): gpu-cluster: No cores \(Quota"
    ):
        async with opened(azure):
            pass


async def test_nobody_is_signed_in(azure: AmlStandIn) -> None:
    azure.is_signed_in = False
    with pytest.raises(TrainingServiceError, match=r"signed in to Azure on this machine.*az login"):
        async with opened(azure):
            pass


async def test_whoever_is_signed_in_may_not(azure: AmlStandIn) -> None:
    azure.faults.fail_next, azure.faults.status = 1, 403
    with pytest.raises(TrainingServiceError, match=r"AuthorizationFailed.*the role AzureML Data Scientist"):
        async with opened(azure):
            pass


async def test_a_sign_in_that_has_ended_can_be_repaired(platform: AzureMl, azure: AmlStandIn) -> None:
    azure.faults.signed_out_after = 0
    for call in (platform.list(), platform.submit(order("true")), platform.stop("nni_exp00001_a_0")):
        with pytest.raises(PlatformAwayError, match="ExpiredAuthenticationToken") as caught:
            await call
        assert "az login" in caught.value.can_be_repaired
    azure.faults.signed_out_after = None
    assert await platform.list() == {}


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_is_passing_is_said_to_be(platform: AzureMl, azure: AmlStandIn, status: int) -> None:
    faults = azure.faults
    faults.fail_next, faults.status, faults.retry_after, faults.path = 4, status, 17, "/jobs"
    for call in (platform.list(), platform.submit(order("true")), platform.stop("nni_exp00001_a_0")):
        with pytest.raises(PlatformAwayError, match=f"HTTP {status}") as caught:
            await call
        assert caught.value.retry_after == 17
    faults.fail_next = 0
    await platform.submit(order("true"))


async def test_a_job_that_is_not_taken_is_refused_in_azure_s_words(
    platform: AzureMl, azure: AmlStandIn
) -> None:
    azure.faults.refuse_jobs = "The quota of jobs of this workspace is used up."
    with pytest.raises(
        JobRefusedError, match="job nni_exp00001_abcde_0: The quota of jobs of this workspace"
    ):
        await platform.submit(order("true"))


async def test_the_service_cannot_be_reached(
    platform: AzureMl, azure: AmlStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZUREML_DEV_URL_MFE", "https://127.0.0.1:1")
    with pytest.raises(PlatformAwayError, match="refused"):
        async with opened(azure):
            pass


NO_WAY_TO_SIGN_IN = """\
DefaultAzureCredential failed to retrieve a token from the included credentials.
Attempted credentials:
\tEnvironmentCredential: Authentication failed: HTTPSConnection(host='login.microsoftonline.com', port=443): \
Failed to resolve 'login.microsoftonline.com' ([Errno -2] Name or service not known)
To mitigate this issue, please refer to the troubleshooting guidelines."""

NOBODY = """\
DefaultAzureCredential failed to retrieve a token from the included credentials.
Attempted credentials:
\tEnvironmentCredential: EnvironmentCredential authentication unavailable. Visit the guide.
\tManagedIdentityCredential: HTTPConnectionPool(host='169.254.169.254', port=80): timed out.
\tAzureCliCredential: Azure CLI not found on path
To mitigate this issue, please refer to the troubleshooting guidelines."""


def test_a_sign_in_that_is_not_reached_is_no_refusal() -> None:
    """The network may be away; the texts are those of azure-identity."""
    unreached = refusal_of(ClientAuthenticationError(NO_WAY_TO_SIGN_IN))
    assert (unreached.is_passing, unreached.is_sign_in) == (True, False)
    assert str(unreached) == (
        "login.microsoftonline.com, which signs in, cannot be reached: Failed to resolve "
        "'login.microsoftonline.com' ([Errno -2] Name or service not known)"
    )
    nobody = refusal_of(ClientAuthenticationError(NOBODY))
    assert (nobody.is_passing, nobody.is_sign_in) == (False, True)


@pytest.mark.parametrize("is_away", [True, False])
async def test_a_storage_that_does_not_answer_is_away_and_one_that_refuses_is_not(
    azure: AmlStandIn, monkeypatch: pytest.MonkeyPatch, is_away: bool
) -> None:
    monkeypatch.setattr("azure.storage.blob.ExponentialRetry", lambda **_: ExponentialRetry(retry_total=0))
    good = container(azure)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and does not listen
        nowhere = f"http://127.0.0.1:{unused.getsockname()[1]}/{good.account}"
        wrong = base64.b64encode(b"another key").decode()
        shared = replace(good, name="other", **({"url": nowhere} if is_away else {"key": wrong}))
        platform = AzureMl(PLACE, EXPERIMENT, EXPERIMENT, shared)
        kind: type[Exception] = PlatformAwayError if is_away else TrainingServiceError
        try:
            with pytest.raises(kind, match="what trials share cannot be put there: ") as raised:
                await platform.open()
        finally:
            await platform.close()
    assert good.key not in str(raised.value)


async def test_what_trials_made_stays_in_a_storage_that_was_named(platform: AzureMl) -> None:
    assert platform.storage.keeps_files
    assert not AzureMl(PLACE, EXPERIMENT, EXPERIMENT, None).storage.keeps_files
