"""Launch, watch and read experiments."""
