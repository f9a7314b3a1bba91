"""Is gone: neural architecture search."""

from nni._gone import gone

raise gone("nni.nas", "neural architecture search")
