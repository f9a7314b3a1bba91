from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko
import pytest
from workspace.environments import ROOT
from workspace.lab import Host, HostSpec, LabError, Laboratory, find_python

SSH_OPTIONS = [
    *("-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR"),
    *("-o", "BatchMode=yes", "-F", "/dev/null"),
]


@contextmanager
def logged_in(host: Host, way: str = "key", user: str = "ann") -> Iterator[paramiko.SSHClient]:
    machine = host.machine(way, user)
    with paramiko.SSHClient() as client:
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect(
            str(machine["host"]),
            username=user,
            password=machine.get("password"),
            key_filename=machine.get("ssh_key_file"),
            passphrase=machine.get("ssh_passphrase"),
            allow_agent=False,
            look_for_keys=False,
            timeout=60,
            banner_timeout=60,
            auth_timeout=60,
        )
        yield client


def say(client: paramiko.SSHClient, command: str) -> str:
    _, output, errors = client.exec_command(command, timeout=30)
    return (output.read() + errors.read()).decode().strip()


@pytest.mark.parametrize("way", ["key", "passphrase", "password"])
@pytest.mark.parametrize("user", ["ann", "bob"])
def test_every_user_logs_in_in_every_way(way: str, user: str, lab: Laboratory) -> None:
    for host in lab.hosts.values():
        with logged_in(host, way, user) as client:
            assert say(client, "id -un; hostname; pwd").split() == [user, host.name, f"/home/{user}"]
        assert host.logins() == 1


def test_a_wrong_password_is_refused(lab: Laboratory) -> None:
    with paramiko.SSHClient() as client, pytest.raises(paramiko.AuthenticationException):
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect(
            lab.hosts["old"].address, username="ann", password="no", allow_agent=False, look_for_keys=False
        )


def test_hosts_share_nothing_but_the_system(lab: Laboratory) -> None:
    first, second, _ = lab.hosts.values()
    with logged_in(first) as one, logged_in(second) as other:
        say(
            one,
            "touch ~/mine /tmp/mine /var/tmp/mine /dev/shm/mine; (exec -a only-here sleep 60) &>/dev/null &",
        )
        assert say(other, "ls -A ~ /tmp /var/tmp /dev/shm; pgrep -f only-here").split() == [
            *("/dev/shm:", "/home/ann:", "/tmp:", "/var/tmp:")
        ]
        assert (first.home() / "mine").exists()
        assert "only-here 60" in first.processes("ann").values()
        assert say(one, f"ls {ROOT} /root 2>&1 | grep -c -e 'No such file' -e 'Permission denied'") == "2"


def test_no_package_of_ours_is_there(lab: Laboratory) -> None:
    for host in lab.hosts.values():
        code = (
            "import importlib.util as u; print([n for n in ('nni', 'nni_manager', 'grpc') if u.find_spec(n)])"
        )
        assert host.run(f'python3 -c "{code}"', user="ann").strip() == "[]"


def test_one_host_has_python_3_8_alone(lab: Laboratory) -> None:
    code = "import sys, ssl, sqlite3, ctypes; print(*sys.version_info[:2])"
    with logged_in(lab.hosts["old"]) as client:
        assert say(client, f"python3 -c '{code}'") == "3 8"
        assert say(client, "ls /usr/bin/python3* /usr/local/bin 2>/dev/null") == "/usr/local/bin:\npython3"


def test_a_host_without_python(running_lab: Laboratory, tmp_path: Path) -> None:
    with Laboratory(tmp_path, (HostSpec("bare", python="none"),)) as lab:
        with logged_in(lab.hosts["bare"]) as client:
            assert say(client, "command -v python3 python; echo none") == "none"
        assert lab.hosts["bare"].address not in {host.address for host in running_lab.hosts.values()}


def test_a_host_is_cut_off_and_comes_back(lab: Laboratory) -> None:
    host = lab.hosts["gpu-b"]
    with logged_in(host) as client, logged_in(lab.hosts["gpu-a"]) as other:
        _, output, _ = client.exec_command("while sleep 0.1; do date; done")
        assert output.read(1)
        with host.cut_off():
            output.channel.settimeout(0.5)
            with pytest.raises(TimeoutError):
                while True:
                    output.channel.recv(1000)
            transport = client.get_transport()
            assert transport is not None and transport.is_active()
            assert say(other, "hostname") == "gpu-a"
            with pytest.raises(OSError), socket.socket() as fresh:
                fresh.settimeout(0.5)
                fresh.connect((host.address, 22))
        output.channel.settimeout(30)
        assert output.channel.recv(1000)


def test_sessions_are_killed_and_what_left_them_goes_on(lab: Laboratory) -> None:
    host = lab.hosts["gpu-a"]
    with logged_in(host) as client:
        say(client, "setsid sleep 77 < /dev/null > /dev/null 2>&1 &")
        _, output, _ = client.exec_command("sleep 60")
        host.end_sessions()
        assert output.channel.recv_exit_status() == -1
    assert "sleep 77" in host.processes("ann").values()
    with logged_in(host) as client:
        assert say(client, "hostname") == "gpu-a"


def test_a_server_is_stopped_and_started(lab: Laboratory) -> None:
    host = lab.hosts["gpu-a"]
    host.stop_server()
    with pytest.raises(OSError), logged_in(host):
        pass
    host.start_server()
    with logged_in(host):
        pass


def test_the_clock_of_one_host_differs(lab: Laboratory) -> None:
    lab.hosts["gpu-a"].set_clock(-7200)
    with logged_in(lab.hosts["gpu-a"]) as client, logged_in(lab.hosts["gpu-b"]) as other:
        there = float(say(client, "python3 -c 'import time; print(time.time())'"))
        assert abs(time.time() - there - 7200) < 60
        assert abs(time.time() - int(say(client, "date +%s")) - 7200) < 60
        assert abs(time.time() - int(say(other, "date +%s"))) < 60
    lab.hosts["gpu-a"].set_clock(0)
    with logged_in(lab.hosts["gpu-a"]) as client:
        assert abs(time.time() - int(say(client, "date +%s"))) < 60


def test_a_disk_is_full_and_is_freed(lab: Laboratory) -> None:
    host = lab.hosts["gpu-a"]
    host.fill_disk()
    with logged_in(host) as client:
        assert "No space left on device" in say(client, "echo something > file")
        assert say(client, "echo something > /tmp/file; cat /tmp/file") == "something"
        host.free_disk()
        assert say(client, "echo something > file; cat file") == "something"


def test_a_host_key_changes(lab: Laboratory) -> None:
    host = lab.hosts["gpu-a"]
    before = host.host_key()
    host.change_host_key()
    with logged_in(host) as client:
        transport = client.get_transport()
        assert transport is not None
        assert transport.get_remote_server_key().get_base64() == host.host_key().split()[2]
    assert host.host_key() != before


def test_a_host_tells_of_gpus_that_are_not_there(lab: Laboratory) -> None:
    query = "nvidia-smi --query-gpu=index,name --format=csv,noheader,nounits"
    for host in lab.hosts.values():
        host.set_gpus({"gpus": [{"name": "One"}, {"name": "Two"}]})
        with logged_in(host) as client:
            assert say(client, query) == "0, One\n1, Two"


def test_a_host_is_put_in_order(lab: Laboratory) -> None:
    host = lab.hosts["old"]
    host.install("nvidia-smi", "#!/bin/sh\necho tool\n")
    host.set_clock(3600)
    with logged_in(host) as client:
        assert say(client, "mkdir -p a/b; touch a/b/c /tmp/d; ln -s /usr e; nvidia-smi") == "tool"
        say(client, "setsid sleep 99 < /dev/null > /dev/null 2>&1 &")
        host.fill_disk()
        host.cut()
        host.put_in_order()
    assert host.processes() == {}
    assert host.logins() == 0
    with logged_in(host) as client:
        assert say(client, "ls -A ~ /tmp; command -v nvidia-smi").split() == ["/home/ann:", "/tmp:"]
        assert say(client, "python3 -V | cut -d. -f 1,2; echo x > x; cat x") == "Python 3.8\nx"
        assert abs(time.time() - int(say(client, "date +%s"))) < 60


def test_bytes_are_counted_and_a_cable_can_be_slow(tmp_path: Path) -> None:
    with Laboratory(tmp_path, (HostSpec("slow"),)) as lab, logged_in(lab.hosts["slow"]) as client:
        host = lab.hosts["slow"]
        host.slow_down("4mbit")
        before, started = host.bytes_received(), time.monotonic()
        client.open_sftp().putfo(io.BytesIO(bytes(1_000_000)), "file")
        assert time.monotonic() - started > 1.5
        assert 1_000_000 < host.bytes_received() - before < 1_300_000


def test_a_host_behind_another_is_reached_through_it_alone(tmp_path: Path) -> None:
    with Laboratory(tmp_path, (HostSpec("gate"), HostSpec("inner", behind="gate"))) as lab:
        gate, inner = lab.hosts["gate"], lab.hosts["inner"]
        key = str(lab.credentials.key)
        through = f"ProxyCommand=ssh -i {key} {' '.join(SSH_OPTIONS)} -W %h:%p ann@{gate.address}"
        ssh = ["ssh", "-i", key, *SSH_OPTIONS, "-o", "ConnectTimeout=2"]
        command = [*ssh, "-o", through, f"ann@{inner.address}", "hostname"]
        assert subprocess.run(command, capture_output=True, text=True).stdout == "inner\n"
        config = tmp_path / "config"
        config.write_text(lab.ssh_config())
        named = ["ssh", *SSH_OPTIONS[:-2], "-F", str(config), "gate", "hostname"]
        assert subprocess.run(named, capture_output=True, text=True).stdout == "gate\n"
        assert "ProxyJump gate" in config.read_text()
        direct = subprocess.run([*ssh, f"ann@{inner.address}", "hostname"], capture_output=True)
        assert direct.returncode == 255


def test_all_ends_with_the_process_that_made_it_however_it_ends(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from workspace.lab import Laboratory\n"
        f"lab = Laboratory(Path({str(tmp_path)!r}))\n"
        "for host in lab.hosts.values():\n"
        "    host.run('setsid sleep 500 < /dev/null > /dev/null 2>&1 &', user='ann')\n"
        "print(*(n.pid for n in lab._namespaces), lab._network.subnet, flush=True)\n"
        "sys.stdin.read()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tools")}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        *pids, subnet = process.stdout.readline().split()
        assert len(pids) == 3
        namespaces = {str(Path(f"/proc/{pid}/ns/pid").readlink()) for pid in pids}
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while left := {*_in_namespaces(namespaces), *_addresses(subnet)}:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def _in_namespaces(namespaces: set[str]) -> list[str]:
    found = []
    for link in Path("/proc").glob("[0-9]*/ns/pid"):
        try:
            # One that has ended may wait for ever for a first process that reaps nothing.
            ended = (link.parents[1] / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
            if str(link.readlink()) in namespaces and not ended:
                found.append(str(link))
        except OSError:
            continue
    return found


def _addresses(subnet: str) -> list[str]:
    shown = subprocess.run(["ip", "-brief", "address"], capture_output=True, text=True, check=True).stdout
    return [line for line in shown.splitlines() if f" {subnet}." in line]


def test_who_is_not_root_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="only root can make them"):
        Laboratory(tmp_path)


def test_a_host_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"did not start: mount: .*/odd/root/home"):
        Laboratory(tmp_path, (HostSpec("odd", disk="strange"),))


def test_a_python_that_is_not_there_is_named() -> None:
    with pytest.raises(LabError, match=r"there is no Python 3\.99"):
        find_python("3.99")
