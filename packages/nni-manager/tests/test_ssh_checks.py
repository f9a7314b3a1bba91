"""Whether a machine has what trials need; all that is wrong is told at once."""

from __future__ import annotations

import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.ssh import finding_python
from nni_manager.training.ssh.checks import MachineFacts, check_machine
from nni_manager.training.ssh.connection import SshConnection
from nni_manager.training.ssh.finding_python import Interpreter
from nni_manager.training.ssh.target import ssh_target

pytestmark = pytest.mark.usefixtures("own_home", "no_connection_is_left")

FOLDER = "~/nni-experiments/x y"

NO_PYTHON = """
for python in /usr/bin/python* /usr/local/bin/python* /bin/python*; do
  [ -x "$python" ] && mount --bind /dev/null "$python" || :
done
"""

FULL_DISK = """
mkdir home/worker/small
mount -t tmpfs -o size=4k,mode=777 none home/worker/small
head -c 4096 /dev/zero >home/worker/small/all
mount --bind home/worker/small /home/worker/small
"""

OLD_PYTHON = """#!/bin/sh
printf 'python\\t3.6.15\\t\\t%s\\n' "$0"
exit 1
"""


async def checked(server: Any, folder: str = FOLDER, **settings: Any) -> MachineFacts:
    connection = await SshConnection.open(
        ssh_target("127.0.0.1", "worker", port=server.port, key_file=server.key)
    )
    try:
        return await check_machine(connection, folder, **settings)
    finally:
        await connection.close()


async def problems(server: Any, folder: str = FOLDER, **settings: Any) -> list[str]:
    with pytest.raises(TrainingServiceError) as caught:
        await checked(server, folder, **settings)
    name = f"127.0.0.1:{server.port}: "
    lines = str(caught.value).split("\n")
    assert all(line.startswith(name) for line in lines)
    return [line.removeprefix(name) for line in lines]


async def test_machine_that_has_all(ssh_server: Any) -> None:
    facts = await checked(ssh_server)
    assert (facts.home, facts.directory) == ("/home/worker", "/home/worker/nni-experiments/x y")
    assert tuple(map(int, facts.python_version.split("."))) >= (3, 8)
    assert facts.python.startswith("/")
    assert abs(facts.clock_offset) < 1
    assert facts.free_bytes is not None
    assert facts.hostname
    folder = ssh_server.home / "nni-experiments" / "x y"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(folder.iterdir()) == []
    assert await checked(ssh_server) is not None


@pytest.fixture
def clock_library() -> Path:
    library = next(Path("/usr/lib").rglob("libfaketime.so.1"), None)
    if library is None:
        pytest.skip("needs faketime, for a clock that is wrong")
    return library


async def test_all_problems_at_once(start_ssh_server: Any, clock_library: Path) -> None:
    server = start_ssh_server(f"SetEnv LD_PRELOAD={clock_library} FAKETIME=-301s", prepare=NO_PYTHON)
    python, folder, clock = await problems(server, "/etc/nni")
    assert python.startswith("no Python in the usual places; 3.8 or later is needed")
    assert folder == "its folder /etc/nni cannot be used: permission denied"
    assert re.fullmatch(
        r"its clock is 30[012] s behind this machine's; set it right, for instance by NTP", clock
    )


async def test_clock_that_is_ahead(start_ssh_server: Any, clock_library: Path) -> None:
    server = start_ssh_server(f"SetEnv LD_PRELOAD={clock_library} FAKETIME=+120s")
    (clock,) = await problems(server)
    assert re.fullmatch(r"its clock is 1(19|20|21) s ahead of this machine's; .*", clock)
    facts = await checked(server, clock_tolerance=1000)
    assert abs(facts.clock_offset - 120) < 1


async def test_full_disk(start_ssh_server: Any) -> None:
    server = start_ssh_server(prepare=FULL_DISK)
    assert await problems(server, "~/small/x") == ["the disk that ~/small/x is on is full"]
    assert await problems(server, "~/small") == ["the disk that ~/small is on is full"]


async def test_too_little_room(ssh_server: Any) -> None:
    (room,) = await problems(ssh_server, needed_bytes=1 << 60)
    assert re.fullmatch(
        r"only \d+ MiB are free on the disk that .* is on; 1099511627776 MiB are needed", room
    )


async def test_file_in_the_place_of_the_folder(ssh_server: Any) -> None:
    (ssh_server.home / "file").write_text("x")
    assert await problems(ssh_server, "~/file") == ["its folder ~/file cannot be used: file exists"]


async def test_folder_of_another_user(ssh_server: Any) -> None:
    assert await problems(ssh_server, "/root/x") == ["its folder /root/x cannot be used: permission denied"]
    assert await problems(ssh_server, "/usr") == ["its folder /usr cannot be used: permission denied"]


async def test_old_python(ssh_server: Any) -> None:
    folder = ssh_server.home / "old python"
    folder.mkdir(exist_ok=True)
    (folder / "python3").write_text(OLD_PYTHON)
    (folder / "python3").chmod(0o755)
    for python_path in ("~/old python", "/home/worker/old python/", "~/old python/python3"):
        assert await problems(ssh_server, python_path=python_path) == [
            "Python is too old: 3.6.15 (/home/worker/old python/python3); 3.8 or later is needed; "
            "install it or set python_path"
        ]


async def test_no_python_where_it_is_said_to_be(ssh_server: Any) -> None:
    assert await problems(ssh_server, python_path="/opt/none") == [
        "no Python at python_path, /opt/none; 3.8 or later is needed; install it or set python_path"
    ]


async def test_python_that_only_a_login_shell_finds(start_ssh_server: Any) -> None:
    server = start_ssh_server(prepare=NO_PYTHON)
    folder = server.home / "own" / "bin"
    folder.mkdir(parents=True)
    (folder / "python3").write_text(
        "#!/bin/sh\n[ $1 = -c ] && exec printf 'python\\t3.9.1\\t\\t%s\\n' /home/worker/own/bin/python3\n"
        "while read -r line; do date +%s; done\n"
    )
    (folder / "python3").chmod(0o755)
    (server.home / ".profile").write_text("echo noise; PATH=$HOME/own/bin:$PATH\n")
    facts = await checked(server)
    assert (facts.python, facts.python_version) == ("/home/worker/own/bin/python3", "3.9.1")


async def test_python_path_is_used(ssh_server: Any, start_ssh_server: Any) -> None:
    facts = await checked(ssh_server)
    again = await checked(ssh_server, python_path=str(Path(facts.python).parent))
    assert again.python_version == facts.python_version
    assert (await checked(ssh_server, python_path=facts.python)).python == facts.python


GOOD = Interpreter("/a", "3.8.0", ())
OLD = Interpreter("/b", "2.7.18", ())
BARE = Interpreter("/c", "3.12.1", ("tarfile", "zlib"))


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([GOOD], ""),
        ([OLD, BARE, GOOD], ""),
        ([OLD, OLD], "Python is too old: 2.7.18 (/b); 3.8 or later is needed; install it or set python_path"),
        ([OLD, BARE], "Python 3.12.1 (/c) lacks tarfile, zlib of the standard library"),
    ],
)
def test_what_is_said_of_interpreters(found: list[Interpreter], said: str) -> None:
    assert finding_python.problem(found, None) == said


def test_interpreters_tell_of_themselves(tmp_path: Path) -> None:
    script = finding_python.script(None)
    told = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=False)
    found = finding_python.interpreters(["noise", *told.stdout.splitlines()])
    assert finding_python.problem(found, None) == ""
