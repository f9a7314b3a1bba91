"""Is gone: NetworkMorphism, a tuner of neural architecture search."""

from nni._gone import gone

raise gone("nni.algorithms.hpo.networkmorphism_tuner", "neural architecture search (the tuner NetworkMorphism)")
