"""Is gone: RegularizedEvolution, a tuner of neural architecture search."""

from nni._gone import gone

raise gone(__name__, "neural architecture search (the tuner RegularizedEvolution)")
