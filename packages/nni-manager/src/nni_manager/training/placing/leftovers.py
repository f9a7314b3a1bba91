"""Attempts that an earlier manager launched and nobody has asked for since.

They hold their places, since they may still run. The engine takes up every trial that it knows right after
the start; what is left after that has no owner and is stopped: its end was about to be told when the manager
crashed, or its host had failed and is back.
"""

from __future__ import annotations

from collections.abc import Mapping

from nni_manager.training.placement import Attempt, Placement


class Leftovers:
    """Attempts by trial."""

    def __init__(self, places: Mapping[Attempt, Placement]) -> None:
        """Begins with the places that have no end on record."""
        self._hosts: dict[str, dict[int, str]] = {}
        for (trial_id, attempt), placement in places.items():
            self._hosts.setdefault(trial_id, {})[attempt] = placement.host

    def claim(self, attempt: Attempt) -> dict[Attempt, str]:
        """Takes note that the engine knows an attempt.

        Returns:
            The earlier attempts of that trial, with their hosts: nobody will ask for them. They are not left
            any more.
        """
        trial_id, number = attempt
        hosts = self._hosts.get(trial_id)
        if hosts is None:
            return {}
        hosts.pop(number, None)
        earlier = {(trial_id, one): hosts.pop(one) for one in list(hosts) if one < number}
        if not hosts:
            del self._hosts[trial_id]
        return earlier

    def take_all(self) -> dict[Attempt, str]:
        """Returns all that are left, with their hosts. None is left then."""
        found = {
            (trial_id, one): host for trial_id, hosts in self._hosts.items() for one, host in hosts.items()
        }
        self._hosts.clear()
        return found
