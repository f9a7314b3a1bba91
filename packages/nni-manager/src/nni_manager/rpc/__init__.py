"""The protocol's side of the manager: calls, messages, errors, and who may call what."""
