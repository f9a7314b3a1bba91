"""The rules of an experiment as a deterministic state machine: events in, effects out.

Nothing here reads a clock, a file or a socket, and nothing here imports another package of ours.
Times are seconds since the epoch, as floats, and come in with the events.
"""
