"""Pure functions of the global batch, float32, from unnormalized embeddings (batch, dim) to a scalar.

Those of `reconstruction` give one number for each row instead: their mean is the loss.
"""

from sslzoo.losses.contrastive import nt_xent, nt_xent_baseline
from sslzoo.losses.reconstruction import cosine, l1, mse
from sslzoo.losses.redundancy import barlow_twins
from sslzoo.losses.similarity import align, negative_cosine, uniformity

__all__ = [
    "align",
    "barlow_twins",
    "cosine",
    "l1",
    "mse",
    "negative_cosine",
    "nt_xent",
    "nt_xent_baseline",
    "uniformity",
]
