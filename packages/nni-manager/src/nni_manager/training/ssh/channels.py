"""Opens channels that run commands, from threads."""

from __future__ import annotations

from typing import Any

import paramiko

CHANNEL_SECONDS = 60.0
"""How long a server may take to open a channel, when it is alive."""


_PIECE = 1 << 17


class RefusedError(Exception):
    """The server opens no further channel on this connection."""


class GoneError(Exception):
    """The connection is lost."""


class NoCommandsError(Exception):
    """The server runs no commands."""


def open_command(transport: paramiko.Transport, line: str) -> paramiko.Channel:
    """Starts a command.

    Args:
        transport: The connection.
        line: The command, for the user's shell.

    Raises:
        RefusedError: The server opens no further channel.
        NoCommandsError: It runs no commands.
        GoneError: The connection is lost.
    """
    try:
        channel = transport.open_session(timeout=CHANNEL_SECONDS)
    except paramiko.ChannelException as error:
        raise RefusedError(error.text or str(error)) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        # Of several refusals at a time the library tells the reason of one.
        if transport.is_active() and "Timeout" not in str(error):
            raise RefusedError(str(error)) from error
        raise GoneError(str(error)) from error
    try:
        channel.exec_command(line)
    except (paramiko.SSHException, EOFError, OSError) as error:
        channel.close()
        if transport.is_active():
            raise NoCommandsError(str(error)) from error
        raise GoneError(str(error)) from error
    return channel


def why_it_ended(transport: paramiko.Transport) -> str:
    """Returns why a connection ended, in words."""
    error = transport.get_exception()
    if error is None or isinstance(error, (EOFError, paramiko.ChannelException)):
        return "the machine ended it"
    return str(error) or type(error).__name__


def send(channel: paramiko.Channel, data: bytes) -> bool:
    """Sends all of some data. Returns whether the other side still takes data."""
    try:
        for start in range(0, len(data), _PIECE):  # the library copies what is left again and again
            channel.sendall(data[start : start + _PIECE])
    except (paramiko.SSHException, EOFError, OSError):
        return False
    return True


def end_input(channel: paramiko.Channel) -> None:
    """Says that nothing more is sent.

    The library lets go of the channel between noting this and sending it. A command that ends just then has
    the channel closed from the library's own thread, the end of input follows behind that, and OpenSSH ends
    the whole connection over a message for a channel that it has forgotten. So both are done in one piece.
    """
    try:
        inner: Any = channel
        if not inner.transport.clear_to_send.is_set():  # keys are changed, for which that thread is needed
            channel.shutdown_write()
            return
        with inner.lock:
            message = inner._send_eof()
            if message is not None:
                inner.transport._send_user_message(message)
    except (paramiko.SSHException, EOFError, OSError):
        return  # it is closed already


def close(channel: paramiko.Channel) -> None:
    """Closes a channel."""
    try:
        channel.close()
    except (paramiko.SSHException, EOFError, OSError):
        return  # the connection is lost, and with it the channel


def ask(transport: paramiko.Transport) -> None:
    """Asks whether the other side lives; whatever it answers, it does."""
    try:
        transport.global_request("keepalive@openssh.com", wait=True)
    except (paramiko.SSHException, EOFError, OSError):
        return  # the connection is lost, which is noticed elsewhere
