"""The network of a laboratory: a switch with a cable to this machine and one to each host."""

from __future__ import annotations

import json
import os
import socket
from typing import IO

from workspace.lab.namespaces import LabError, Namespace, run, start

_SUBNETS = 512
"""198.18.0.0/15, which is set aside for measuring networks, holds so many of 256 addresses."""

_RATE_BURST = "32kbit"


class Network:
    """A subnet of its own, which hosts are plugged into.

    Attributes:
        subnet: The first three parts of its addresses.
    """

    def __init__(self, log: IO[str]) -> None:
        """Makes the switch and connects this machine to it.

        Raises:
            LabError: There is no free subnet, or the kernel refused.
        """
        self._lock, number = _reserve()
        self.subnet = f"198.{18 + number // 256}.{number % 256}"
        self._switch: Namespace | None = None
        try:
            switch = start(["/bin/sh", "-c", "echo ready; exec sleep infinity"], ["--net"], log)
            self._switch = switch
            self._in_switch(["ip", "link", "add", "br0", "up", "type", "bridge"])
            uplink = f"nnilab{number}"
            run(
                ["ip", "link", "add", uplink, "type", "veth", "peer", "name", "up0", "netns", str(switch.pid)]
            )
            self._in_switch(["ip", "link", "set", "up0", "master", "br0", "up"])
            run(["ip", "address", "add", f"{self.subnet}.254/24", "dev", uplink])
            run(["ip", "link", "set", uplink, "up"])
        except BaseException:
            self.close()
            raise

    def plug_in(self, host: Namespace, number: int) -> str:
        """Connects a host to the switch; returns its address."""
        assert self._switch is not None
        cable = ["ip", "link", "add", f"h{number}", "netns", str(self._switch.pid), "type", "veth"]
        run([*cable, "peer", "name", "eth0", "netns", str(host.pid)])
        self._in_switch(["ip", "link", "set", f"h{number}", "master", "br0", "up"])
        address = f"{self.subnet}.{number}"
        _configure(host, "eth0", address)
        return address

    def cut(self, number: int) -> None:
        """Pulls a host's cable: what is sent gets lost, and nobody is told."""
        self._in_switch(["ip", "link", "set", f"h{number}", "down"])

    def restore(self, number: int) -> None:
        """Puts a host's cable back."""
        self._in_switch(["ip", "link", "set", f"h{number}", "up"])

    def slow_down(self, number: int, rate: str) -> None:
        """Lets no more than so much through to a host, as `10mbit`."""
        limit = ["tbf", "rate", rate, "burst", _RATE_BURST, "latency", "400ms"]
        self._in_switch(["tc", "qdisc", "replace", "dev", f"h{number}", "root", *limit])

    def bytes_to(self, number: int) -> int:
        """Returns how many bytes went to a host over its cable, headers of Ethernet included."""
        return self._counters(number)["tx"]

    def bytes_from(self, number: int) -> int:
        """Returns how many bytes came from a host over its cable, headers of Ethernet included."""
        return self._counters(number)["rx"]

    def close(self) -> None:
        """Takes it away; the cables go with the switch."""
        if self._switch is not None:
            self._switch.end()
        self._lock.close()

    def _counters(self, number: int) -> dict[str, int]:
        shown = self._in_switch(["ip", "-json", "-stats", "link", "show", f"h{number}"])
        statistics = json.loads(shown)[0]["stats64"]
        return {direction: int(statistics[direction]["bytes"]) for direction in ("rx", "tx")}

    def _in_switch(self, command: list[str]) -> str:
        assert self._switch is not None
        return _in_network(self._switch, command)


def connect(first: Namespace, second: Namespace, number: int) -> str:
    """Lays a cable between two hosts that nobody else reaches; returns the address of the second."""
    cable = ["ip", "link", "add", f"in{number}", "netns", str(first.pid), "type", "veth"]
    run([*cable, "peer", "name", "eth0", "netns", str(second.pid)])
    _configure(first, f"in{number}", f"192.168.{number}.1")
    _configure(second, "eth0", f"192.168.{number}.2")
    return f"192.168.{number}.2"


def _configure(host: Namespace, device: str, address: str) -> None:
    _in_network(host, ["ip", "address", "add", f"{address}/24", "dev", device])
    _in_network(host, ["ip", "link", "set", device, "up"])


def _in_network(namespace: Namespace, command: list[str]) -> str:
    """Runs a program of this machine in the network of another namespace."""
    return run(["nsenter", "--target", str(namespace.pid), "--net", "--", *command])


def _reserve() -> tuple[socket.socket, int]:
    """Takes a free subnet, from every process of this machine, for as long as the socket is open."""
    routes = {route["dst"] for route in json.loads(run(["ip", "-json", "route", "show", "table", "all"]))}
    links = {link["ifname"] for link in json.loads(run(["ip", "-json", "link"]))}
    for attempt in range(_SUBNETS):
        number = (os.getpid() + attempt) % _SUBNETS
        if f"198.{18 + number // 256}.{number % 256}.0/24" in routes or f"nnilab{number}" in links:
            continue
        lock = socket.socket(socket.AF_UNIX)
        try:
            lock.bind(f"\0nni-lab-{number}")
        except OSError:
            lock.close()
            continue
        return lock, number
    raise LabError("all subnets of 198.18.0.0/15 are taken")
