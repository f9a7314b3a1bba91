"""A command that runs on a machine, with its standard streams."""

from __future__ import annotations


class SshProcess:
    """A running command, such as a courier (CourierProcess of courier_connection.py)."""

    @property
    def process_id(self) -> int:
        """Its process id there; it leads a process group of its own."""
        raise NotImplementedError

    async def read(self) -> bytes:
        """Returns what it wrote since, b"" when it has ended or the connection was lost."""
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        """Sends to it and returns at once; what a dead one would get is lost."""
        raise NotImplementedError

    def close_input(self) -> None:
        """Says that nothing more is sent, once all that was written is sent."""
        raise NotImplementedError

    @property
    def lost(self) -> bool:
        """Whether the connection was lost while it ran: nothing is known of its end then."""
        raise NotImplementedError

    async def stop(self, patience: float) -> str:
        """Waits until it has ended, kills it after so many seconds, and returns how it ended, in words.

        They begin with "exit code 0" if it ended by itself as it should, and with "connection lost" if
        nothing is known; the last lines of its stderr follow.
        """
        raise NotImplementedError
