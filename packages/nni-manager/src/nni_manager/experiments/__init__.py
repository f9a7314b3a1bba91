"""Application services: they drive the engine and carry out what it wants."""
