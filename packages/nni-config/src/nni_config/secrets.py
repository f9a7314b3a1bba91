"""Text that is used but never shown: passwords, tokens, keys."""

from __future__ import annotations

HIDDEN = "******"
"""What is shown in place of a secret."""

_SECRET_NAMES = ("password", "passwd", "passphrase", "token", "secret", "accountkey")


class Secret(str):
    """Text that `repr` does not show. In every other way it is the text itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(HIDDEN)


def has_secret_name(key: object) -> bool:
    """Returns whether what stands under a key is probably a secret."""
    text = key.replace("_", "").lower() if isinstance(key, str) else ""
    return any(name in text for name in _SECRET_NAMES)


def without_secrets(value: object) -> object:
    """Returns a value for a message: what stands under the name of a secret is hidden, however deep."""
    if isinstance(value, dict):
        return {
            key: HIDDEN if has_secret_name(key) else without_secrets(element)
            for key, element in value.items()
        }
    if isinstance(value, (list, tuple)):
        return type(value)(map(without_secrets, value)) if type(value) in (list, tuple) else value
    return value
