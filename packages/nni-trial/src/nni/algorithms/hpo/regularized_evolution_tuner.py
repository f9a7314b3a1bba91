"""Is gone: RegularizedEvolution, a tuner of neural architecture search."""

from nni._gone import gone

raise gone("nni.algorithms.hpo.regularized_evolution_tuner", "neural architecture search (the tuner RegularizedEvolution)")
