"""Ranges of the numbers of an experiment."""

import math

# Name -> minimum and maximum.
RANGES = {
    "freeze_blocks": (0, math.inf),
    "layer_decay": (1e-6, 1),
    "lora_rank": (0, math.inf),
    "stay": (0, 1e6),
    "epochs": (1, 1_000_000),
    "batch_size": (2, math.inf),
    "examples_per_class": (0, math.inf),
    "learning_rate": (0, 1e38),
    "weight_decay": (0, 1e6),
    "weight_decay_end": (0, 1e6),
    "clip_norm": (1e-12, 1e12),
    "warmup": (0, 1),
    "image_size": (1, 8192),
    "max_size": (1, 65536),
    "classes": (2, math.inf),
    "max_images": (2, math.inf),
    "micro_batch": (1, math.inf),
    "sample_rate": (4000, 384_000),
    "seed": (0, 2**31 - 1),
}
