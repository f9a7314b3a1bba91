"""Is gone: model compression."""

from nni._gone import gone

raise gone("nni.compression", "model compression: pruning, quantization and distillation")
