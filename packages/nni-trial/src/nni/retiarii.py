"""Is gone: neural architecture search."""

from nni._gone import gone

raise gone("nni.retiarii", "neural architecture search (later nni.nas)")
