"""Connects to a machine, directly or through others, and makes sure that it is the right one."""

from __future__ import annotations

import contextlib
import itertools
import logging
import socket
import threading
import time
from typing import Any

import paramiko

from nni_manager.training.ssh.errors import Phase, SshError
from nni_manager.training.ssh.host_keys import preferred_kinds, verify_host_key
from nni_manager.training.ssh.proxy_command import ProxyCommand
from nni_manager.training.ssh.sign_in import sign_in
from nni_manager.training.ssh.target import SshTarget

LIBRARY_LOG = "nni_manager.training.ssh.transport"
"""Where the library tells its own story; what matters of it is in our errors."""

WINDOW = 8 << 20
"""How many bytes may be on their way here; the library's own choice is slow over long distances."""

logging.getLogger(LIBRARY_LOG).setLevel(logging.CRITICAL)


class HeardSocket:
    """A socket, or a channel of another connection, that notes when something arrived."""

    def __init__(self, inner: Any) -> None:
        """Wraps it."""
        self._inner = inner
        self.heard = time.monotonic()

    def recv(self, size: int) -> bytes:
        """Receives, as a socket does."""
        data: bytes = self._inner.recv(size)
        self.heard = time.monotonic()
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class Dialer:
    """Makes one connection. It blocks, so it belongs into a thread; `abort` is for others."""

    def __init__(self, target: SshTarget) -> None:
        """Does nothing yet."""
        self._target = target
        self._lock = threading.Lock()
        self._open: list[socket.socket | ProxyCommand | paramiko.Transport] = []
        self._command: ProxyCommand | None = None
        self._aborted = False
        self.heard_socket: HeardSocket | None = None

    def dial(self) -> paramiko.Transport:
        """Connects and signs in.

        Raises:
            SshError: It does not work.
        """
        try:
            return self._dial()
        except SshError as error:
            self.abort()
            if error.machine == self._target.name:
                raise
            reason = f"by way of {error.machine}: {error.reason}"
            raise SshError(self._target.name, error.phase, reason) from error
        except BaseException:
            self.abort()
            raise

    def _dial(self) -> paramiko.Transport:
        way = [*self._target.proxy_jump, self._target]
        transport = self._greet(way[0], self._connect(way[0]))
        for before, target in itertools.pairwise(way):
            transport = self._greet(target, _through(transport, before, target))
        return transport

    def abort(self) -> None:
        """Closes all that is open; a `dial` that is under way fails."""
        with self._lock:
            self._aborted = True
            still_open, self._open = self._open[::-1], []
        for each in still_open:
            with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                if isinstance(each, socket.socket):
                    _shut_down(each)
                each.close()

    def _keep(self, each: socket.socket | ProxyCommand | paramiko.Transport) -> None:
        with self._lock:
            self._open.append(each)
            aborted = self._aborted
        if aborted:
            self.abort()

    def _connect(self, target: SshTarget) -> socket.socket:
        """Returns a connection to the machine's SSH port."""
        if target.proxy_command:
            return self._by_command(target)
        try:
            addresses = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise _unreachable(target, f"its address cannot be found: {_words(error)}") from error
        deadline = time.monotonic() + target.connect_timeout
        problems: list[str] = []
        for place, (family, kind, protocol, _, address) in enumerate(addresses):
            left = (deadline - time.monotonic()) / (len(addresses) - place)
            plain = socket.socket(family, kind, protocol)
            self._keep(plain)
            try:
                plain.settimeout(max(left, 0.1))
                plain.connect(address)
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return plain
            except TimeoutError:
                problems.append(f"no answer within {target.connect_timeout:g} s")
            except OSError as error:
                problems.append(_words(error))
            plain.close()
        raise _unreachable(target, "; ".join(dict.fromkeys(problems)))

    def _by_command(self, target: SshTarget) -> socket.socket:
        try:
            self._command = ProxyCommand(target.proxy_command)
        except OSError as error:
            raise _unreachable(target, f"ProxyCommand cannot be started: {_words(error)}") from error
        self._keep(self._command)
        return self._command.socket

    def _greet(self, target: SshTarget, inner: Any) -> paramiko.Transport:
        self.heard_socket = HeardSocket(inner)
        # The library takes whatever behaves as a socket.
        transport = paramiko.Transport(self.heard_socket, default_window_size=WINDOW)  # type: ignore[arg-type]
        self._keep(transport)
        transport.set_log_channel(LIBRARY_LOG)
        transport.banner_timeout = transport.handshake_timeout = target.connect_timeout
        options = transport.get_security_options()
        options.key_types = preferred_kinds(target, tuple(options.key_types))
        began = time.monotonic()
        try:
            transport.start_client()
        except (paramiko.SSHException, EOFError, OSError) as error:
            reason = _no_greeting(target, error, time.monotonic() - began)
            if self._command is not None and target.proxy_command:
                # The rest of it may have secrets.
                program = target.proxy_command.split(maxsplit=1)[0]
                reason = f"{reason}; ProxyCommand {program}: {self._command.last_words()}"
            message = f"no SSH connection to {target.address}: {reason}"
            raise SshError(target.name, Phase.CONNECT, message) from error
        verify_host_key(target, transport.get_remote_server_key())
        sign_in(transport, target)
        return transport


def _through(transport: paramiko.Transport, before: SshTarget, target: SshTarget) -> paramiko.Channel:
    """Returns a connection to the machine's SSH port, made by the machine before it."""
    try:
        return transport.open_channel(
            "direct-tcpip", (target.host, target.port), ("127.0.0.1", 0), timeout=target.connect_timeout
        )
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise SshError(
            target.name,
            Phase.CONNECT,
            f"unreachable at {target.address} from {before.name}: {_words(error)}",
        ) from error


def _shut_down(plain: socket.socket) -> None:
    """Ends an attempt to connect, which closing does not."""
    with contextlib.suppress(OSError):  # it is not connected, or not any more
        plain.shutdown(socket.SHUT_RDWR)


def _unreachable(target: SshTarget, reason: str) -> SshError:
    return SshError(target.name, Phase.CONNECT, f"unreachable at {target.address}: {reason}")


def _no_greeting(target: SshTarget, error: Exception, took: float) -> str:
    text = str(error)
    too_slow = took >= target.connect_timeout * 0.9
    seconds = f"within {target.connect_timeout:g} s; a longer connect_timeout may help"
    if isinstance(error, paramiko.SSHException) and "banner" in text:
        if too_slow:
            return f"it accepts connections, but its SSH server said nothing {seconds}"
        return (
            "what answers there ended the connection; it may be no SSH server, or have too many connections"
        )
    if "protocol version" in text or "Incompatible version" in text:
        return "what answers there is no SSH server of version 2"
    if too_slow:
        return f"its SSH server did not go on {seconds}"
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return f"it offers no method that can be used here: {text}"
    return f"its SSH server ended the connection: {_words(error)}"


def _words(error: Exception) -> str:
    """Returns what an error says, for people."""
    if isinstance(error, paramiko.ChannelException):
        return error.text.lower() or "it refuses the connection"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[0].lower() + error.strerror[1:]
    return str(error) or type(error).__name__
