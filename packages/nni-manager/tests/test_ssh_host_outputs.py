"""What trials on a machine behind SSH leave, here and there."""

import asyncio
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from nni_manager.engine.events import TrialEnded, TrialReported, TrialStarted
from nni_manager.testing.ssh_place import MIRROR_SECONDS, SshPlace
from nni_manager.testing.ssh_server import SshServer, ssh_server
from nni_manager.testing.training_service import PATIENCE, PYTHON, REPORTER, Listener, started, trial
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.ssh.endings import OutputRules


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_server(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def place(tmp_path: Path, server: SshServer) -> Iterator[SshPlace]:
    place = SshPlace(tmp_path, server)
    yield place
    assert place.left() == []
    shutil.rmtree(server.home() / "nni-experiments", ignore_errors=True)


@pytest.fixture
async def listener() -> Listener:
    return Listener()


def rules(**settings: object) -> OutputRules:
    return OutputRules(**{"mirror_seconds": MIRROR_SECONDS, **settings})  # type: ignore[arg-type]


async def run_one(place: SshPlace, listener: Listener, command: str, **settings: object) -> TrialEnded:
    async with started(place.service(command, listener.emit, **settings)) as service:
        service.submit(trial())
        return await listener.next("abcde", TrialEnded)


MAKES_FILES = r"""
cd $NNI_OUTPUT_DIR
echo log
mkdir -p checkpoints/deep .hidden
head -c 3000000 /dev/zero | tr '\0' x > checkpoints/large
printf small > checkpoints/deep/small
printf '#!/bin/sh\n' > run.sh; chmod 755 run.sh
: > empty
printf h > .hidden/file
printf n > "$(printf 'new\nline \377')"
ln -s deep/small checkpoints/latest
"""


async def test_output_files_are_here_before_the_end_is_told(place: SshPlace, listener: Listener) -> None:
    there: list[list[str]] = []
    trials = place.experiment / "trials" / "abcde"
    emit = listener.emit

    def look(event: object) -> None:
        if isinstance(event, TrialEnded):
            there.append(
                sorted(str(path.relative_to(trials)) for path in trials.rglob("*") if path.is_file())
            )
        emit(event)  # type: ignore[arg-type]

    listener.emit = look  # type: ignore[method-assign,assignment]
    await run_one(place, listener, MAKES_FILES)
    files = [name for name in there[0] if not name.startswith(".nni/")]
    assert files == sorted(
        [
            ".hidden/file",
            "checkpoints/deep/small",
            "checkpoints/large",
            "checkpoints/latest",
            "empty",
            "new\nline \udcff",
            "run.sh",
            "stderr",
            "stdout",
        ]
    )
    assert place.read("abcde", "checkpoints/large") == b"x" * 3_000_000
    assert place.read("abcde", "checkpoints/latest") == b"small"
    assert (trials / "checkpoints" / "latest").readlink() == Path("deep/small")
    modes = {
        name: stat.S_IMODE((trials / name).stat().st_mode) for name in ("run.sh", "empty", "checkpoints")
    }
    assert modes == {"run.sh": 0o700, "empty": 0o600, "checkpoints": 0o700}
    assert not place.remote.parent.exists()


async def test_only_the_wanted_files_are_fetched(place: SshPlace, listener: Listener) -> None:
    await run_one(place, listener, MAKES_FILES, outputs=rules(patterns=["*.sh", "checkpoints/deep/*"]))
    trials = place.experiment / "trials" / "abcde"
    assert (trials / "run.sh").exists() and (trials / "checkpoints" / "deep" / "small").exists()
    assert not (trials / "checkpoints" / "large").exists() and not (trials / "empty").exists()
    assert not place.remote.parent.exists()


async def test_what_is_too_large_stays_there_and_is_told(
    place: SshPlace, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    await run_one(place, listener, MAKES_FILES, outputs=rules(max_bytes=1_000_000))
    assert place.read("abcde", "checkpoints/deep/small") == b"small"
    assert not (place.experiment / "trials/abcde/checkpoints/large").exists()
    told = place.read("abcde", "not_fetched.txt").decode()
    assert "/home/worker/nni-experiments/exp00001/trials/abcde" in told
    assert "checkpoints/large: with its 3000000 bytes" in told
    assert "checkpoints/large" in caplog.text and "max_output_size" in caplog.text
    assert (place.remote / "trials/abcde/checkpoints/large").stat().st_size == 3_000_000
    assert [path.name for path in place.remote.iterdir()] == ["trials"]


async def test_no_link_is_followed(place: SshPlace, listener: Listener, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    command = f"""cd $NNI_OUTPUT_DIR
ln -s {secret} outside; ln -s ../../../.. up; ln -s sub loop; mkdir sub; ln -s .. sub/parent
ln -s {tmp_path} folder; mkfifo pipe; ln -s {secret} trial.log; rm stdout; ln -s {secret} stdout"""
    await run_one(place, listener, command)
    trials = place.experiment / "trials" / "abcde"
    found = {path.name for path in trials.rglob("*") if ".nni" not in path.parts}
    assert found <= {"stderr", "loop", "not_fetched.txt", "sub", "stdout"}
    assert all(path.read_bytes() != b"secret" for path in trials.rglob("*") if path.is_file())
    told = place.read("abcde", "not_fetched.txt").decode()
    assert "outside: a link" in told and "sub/parent: a link" in told and "pipe: neither" in told
    assert not place.remote.parent.exists()


async def test_a_failed_trial_has_its_logs_here(place: SshPlace, listener: Listener) -> None:
    """Its folder is gone there only when its host is let go: another attempt may need it (row 154)."""
    command = (
        "cd $NNI_OUTPUT_DIR; echo out$NNI_TRIAL_ATTEMPT; cat state; echo $NNI_TRIAL_ATTEMPT > state; exit 7"
    )
    async with started(place.service(command, listener.emit)) as service:
        service.submit(trial())
        ended = await listener.next("abcde", TrialEnded)
        assert (ended.exit_code, "state: No such file" in ended.stderr_tail) == (7, True)
        assert place.read("abcde", "stdout") == b"out0\n"
        service.submit(trial(attempt=1))
        await listener.next("abcde", TrialEnded, count=2)
    assert (place.experiment / "trials/abcde/stdout").read_text() == "out0\nout1\n0\n"
    assert b"No such file" in (place.experiment / "trials/abcde/stderr").read_bytes()
    assert not place.remote.parent.exists()


async def test_logs_of_attempts_on_two_machines_follow_each_other(
    place: SshPlace, listener: Listener, server: SshServer
) -> None:
    for number, name in enumerate(("one", "two")):
        async with started(
            place.service("echo $NNI_TRIAL_ATTEMPT; false", listener.emit, target=server.target(name=name))
        ) as service:
            service.submit(trial(attempt=number))
            await listener.next("abcde", TrialEnded, count=number + 1)
    assert (place.experiment / "trials/abcde/stdout").read_text() == "0\n1\n"


async def test_logs_are_here_while_a_trial_runs(place: SshPlace, listener: Listener) -> None:
    """Also when it begins a file anew."""
    here = place.experiment / "trials/abcde/stdout"
    command = (
        "echo first line; while [ ! -e go ]; do sleep 0.01; done; "
        "echo x > $NNI_OUTPUT_DIR/stdout; while [ ! -e end ]; do sleep 0.01; done"
    )
    async with started(place.service(command, listener.emit)) as service:
        service.submit(trial())
        for text, then in (("first line\n", "go"), ("x\n", "end")):
            await until(lambda text=text: here.exists() and here.read_text() == text)
            place.write_code(then, "")
        await listener.next("abcde", TrialEnded)
    assert here.read_text() == "x\n"


async def until(condition: object) -> None:
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not condition():  # type: ignore[operator]
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)


async def test_the_story_of_a_fetched_trial_is_told_again(place: SshPlace, listener: Listener) -> None:
    """A manager may die after its end was told and before it was stored; the machine has nothing any more."""
    place.write_code("report.py", REPORTER + "for n in range(3000): report(n)\nsys.exit(4)")
    async with started(place.service(f"{PYTHON} report.py", listener.emit)) as service:
        service.submit(trial())
        ended = await listener.drain(service, "abcde")
    assert not place.remote.parent.exists()
    (middle, *_) = [event.end_offset or 0 for event in listener.of("abcde", TrialReported)]
    for position in (0, middle):
        again = Listener()
        async with started(place.service("false", again.emit)) as service:
            service.adopt("abcde", 0, position)
            assert await again.drain(service, "abcde") == ended
            assert len(again.of("abcde", TrialStarted)) == 1
        first = next(n for n in listener.values("abcde") if position == 0 or n >= 1000)
        assert again.values("abcde")[:1] == [first]
        assert again.values("abcde") == list(range(first, 3000))


async def test_remote_files_are_kept_if_that_is_wanted(place: SshPlace, listener: Listener) -> None:
    await run_one(place, listener, "echo out; echo x > $NNI_OUTPUT_DIR/x", outputs=rules(keep_remote=True))
    assert (place.remote / "trials/abcde/x").read_text() == "x\n"
    assert place.read("abcde", "x") == b"x\n"
    assert place.processes() == []


async def test_nothing_is_fetched_from_a_folder_that_is_seen_from_here(
    place: SshPlace, listener: Listener
) -> None:
    await run_one(place, listener, "echo out; echo x > $NNI_OUTPUT_DIR/x", outputs=None)
    assert (place.remote / "trials/abcde/x").exists()
    assert not (place.experiment / "trials").exists()


async def test_two_users_and_two_experiments_at_once(
    tmp_path: Path, server: SshServer, listener: Listener
) -> None:
    """Each has folders of their own, which no one else can read (row 150)."""
    places = []
    for number, (user, experiment) in enumerate([("worker", "same"), ("other", "same"), ("worker", "more")]):
        folder = tmp_path / str(number)
        folder.mkdir()
        places.append(SshPlace(folder, server, user=user, experiment_id=experiment))
    listeners = [Listener() for _ in places]
    services = [
        place.service("id -un; umask; while [ ! -e go ]; do sleep 0.01; done", each.emit)
        for place, each in zip(places, listeners, strict=True)
    ]
    for service in services:
        await service.start()
    for service, each in zip(services, listeners, strict=True):
        service.submit(trial())
        await each.next("abcde", TrialStarted)
    for place in places:
        modes = {stat.S_IMODE(path.stat().st_mode) for path in (place.remote, place.remote / "trials")}
        assert modes == {0o700}
        assert place.remote.stat().st_uid == (64321 if place.user == "other" else 0)
        place.write_code("go", "")
    for service, each, place in zip(services, listeners, places, strict=True):
        assert (await each.next("abcde", TrialEnded)).exit_code == 0
        assert place.read("abcde", "stdout").decode().split()[0] in (place.user, "root")
        await service.close()
        assert not place.remote.exists()
    assert [path for user in ("worker", "other") for path in server.home(user).glob("*")] == []


async def test_an_early_end_of_one_manager_harms_no_trial_of_it(place: SshPlace, listener: Listener) -> None:
    """A manager that closes before it adopted its trials removes nothing of theirs."""
    async with started(place.service("while [ ! -e go ]; do sleep 0.01; done", listener.emit)) as service:
        service.submit(trial())
        await listener.next("abcde", TrialStarted)
    async with started(place.service("false", listener.emit)):
        pass
    async with started(place.service("false", listener.emit)) as service:
        service.adopt("abcde", 0, 0)
        place.write_code("go", "")
        assert (await listener.next("abcde", TrialEnded)).exit_code == 0
    assert not place.remote.parent.exists()


@pytest.mark.parametrize("trial_id", ["../x", "a/b", ".", "", "a\n"])
async def test_no_path_comes_from_a_trial_id(place: SshPlace, listener: Listener, trial_id: str) -> None:
    async with started(place.service("true", listener.emit)) as service:
        with pytest.raises(ValueError, match="trial id"):
            service.submit(trial(trial_id))
        with pytest.raises(ValueError, match="trial id"):
            service.adopt(trial_id, 0, 0)
    assert not place.remote.parent.exists()


async def test_the_environment_is_that_of_a_login_shell(
    place: SshPlace, listener: Listener, server: SshServer
) -> None:
    """What its start-up files print or read harms nothing, and python_path comes first on PATH."""
    home = server.home()
    (home / ".bash_profile").write_text(
        "echo noise; echo more >&2; cat; export FROM_PROFILE=yes PATH=$PATH:/from\n"
    )
    (home / ".bashrc").write_text("echo noise; export FROM_RC=yes\n")
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin") or "/usr/bin/python3"
    folder = str(Path(python).parent)
    try:
        ended = await run_one(
            place,
            listener,
            "echo $FROM_PROFILE; echo $PATH; python3 -c 'import nni; print(nni.__file__)'",
            python_path=python,
        )
    finally:
        for name in (".bash_profile", ".bashrc"):
            (home / name).unlink()
    assert ended.exit_code == 0
    said = place.read("abcde", "stdout").decode().splitlines()
    assert said[0] == "yes"
    assert said[1].startswith(folder) and said[1].endswith(":/from")
    assert said[2].startswith("/home/worker/nni-experiments/exp00001/sdk/")


async def test_gpus_are_reported(place: SshPlace, listener: Listener) -> None:
    async with started(place.service("true", listener.emit)) as service:
        report = await service.report()
        assert report.at > 0
    with pytest.raises(TrainingServiceError, match="unreachable"):
        await service.report()
