"""Hosts to log in to: network and other namespaces of this machine, each with an SSH server.

    with Laboratory(folder) as lab:
        host = lab.hosts["gpu-a"]
        subprocess.run(["ssh", "-i", lab.credentials.key, f"ann@{host.address}", "hostname"])

Needs root. Everything ends with the process that made it. Several may exist at a time.
"""

from workspace.lab.host import Host
from workspace.lab.laboratory import THREE_HOSTS, HostSpec, Laboratory, find_python
from workspace.lab.namespaces import LabError

__all__ = ["THREE_HOSTS", "Host", "HostSpec", "LabError", "Laboratory", "find_python"]
