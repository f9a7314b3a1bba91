"""Signs in at an SSH server."""

from __future__ import annotations

import logging

import paramiko

from nni_manager.training.ssh.errors import Phase, SshError
from nni_manager.training.ssh.keys import KeyFileError, load_key, public_blob
from nni_manager.training.ssh.target import SshTarget

logger = logging.getLogger(__name__)


def sign_in(transport: paramiko.Transport, target: SshTarget) -> None:
    """Signs in, by the password if there is one and by the keys if not.

    Raises:
        SshError: Nothing was accepted; with all that was tried.
    """
    transport.auth_timeout = target.connect_timeout
    if target.password is not None:
        _by_password(transport, target, target.password)
    else:
        _by_keys(transport, target)


def _by_password(transport: paramiko.Transport, target: SshTarget, password: str) -> None:
    try:
        missing = transport.auth_password(target.user, password)
    except paramiko.BadAuthenticationType as error:
        if "keyboard-interactive" in error.allowed_types:  # to which the password was the answer
            raise _refused(target, "the password is refused") from error
        reason = f"the server takes no passwords, only {_listed(error.allowed_types)}"
        raise _refused(target, reason) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        if _timed_out(error):
            raise _too_slow(target) from error
        reason = "the password is refused"
        if not transport.is_active():
            reason += ", or the server ended the connection"
        raise _refused(target, reason) from error
    if missing:
        raise _needs_more(target, missing)


def _by_keys(transport: paramiko.Transport, target: SshTarget) -> None:
    agent = paramiko.Agent()
    tried: list[str] = []
    try:
        for name, key in _keys(agent, target, tried):
            outcome = _try_key(transport, target, name, key)
            if outcome is None:
                if tried:
                    logger.info("%s: signed in with %s, though %s", target.name, name, "; ".join(tried))
                return
            tried.append(outcome)
            if not transport.is_active():
                tried.append("the server ended the connection, perhaps after too many keys; set ssh_key_file")
                break
    finally:
        agent.close()
    raise _refused(
        target, "; ".join(tried) or "there is no key and no password; set ssh_key_file or password"
    )


def _keys(agent: paramiko.Agent, target: SshTarget, problems: list[str]) -> list[tuple[str, paramiko.PKey]]:
    """Returns the keys to try: those asked for first, from the agent if it holds them unlocked."""
    held = {key.asbytes(): key for key in agent.get_keys()}
    keys: list[tuple[str, paramiko.PKey]] = []
    for path in target.key_files:
        blob = public_blob(path)
        if blob is not None and blob in held:
            keys.append((f"the key {path}", held.pop(blob)))
            continue
        try:
            passphrase = target.passphrase if path == target.locked_key else None
            keys.append((f"the key {path}", load_key(path, passphrase)))
        except KeyFileError as error:
            problems.append(str(error))
    if not target.only_these_keys:
        keys += [(f"the agent's key {key.fingerprint}", key) for key in held.values()]
    return keys


def _try_key(transport: paramiko.Transport, target: SshTarget, name: str, key: paramiko.PKey) -> str | None:
    """Returns None if the server takes a key, and what is wrong if not."""
    try:
        missing = transport.auth_publickey(target.user, key)
    except paramiko.BadAuthenticationType as error:
        raise _refused(target, f"the server takes no keys, only {_listed(error.allowed_types)}") from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        if _timed_out(error):
            raise _too_slow(target) from error
        return f"{name} is refused"
    if missing:
        raise _needs_more(target, missing)
    return None


def _timed_out(error: BaseException) -> bool:
    return "timeout" in str(error).lower()


def _listed(kinds: list[str]) -> str:
    return " or ".join(kinds) or "nothing"


def _refused(target: SshTarget, reason: str) -> SshError:
    return SshError(target.name, Phase.SIGN_IN, f"cannot sign in as {target.user}: {reason}")


def _too_slow(target: SshTarget) -> SshError:
    return _refused(
        target, f"no answer within {target.connect_timeout:g} s; a longer connect_timeout may help"
    )


def _needs_more(target: SshTarget, missing: list[str]) -> SshError:
    return _refused(target, f"the server asks for {_listed(missing)} besides, which cannot be given")
