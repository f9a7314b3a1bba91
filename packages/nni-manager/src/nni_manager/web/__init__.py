"""The HTTP side of the port: the page, and the protocol's calls with JSON bodies."""
