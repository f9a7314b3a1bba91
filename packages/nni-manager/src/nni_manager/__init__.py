"""The manager: the service that runs experiments."""
