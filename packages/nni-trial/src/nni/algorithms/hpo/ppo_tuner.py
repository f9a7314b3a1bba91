"""Is gone: PPO, a tuner of neural architecture search."""

from nni._gone import gone

raise gone("nni.algorithms.hpo.ppo_tuner", "neural architecture search (the tuner PPO)")
