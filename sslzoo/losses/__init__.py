"""Pure functions of the global batch, float32, from unnormalized embeddings (batch, dim) to a scalar."""

from sslzoo.losses.contrastive import nt_xent, nt_xent_baseline
from sslzoo.losses.similarity import align, uniformity

__all__ = ["align", "nt_xent", "nt_xent_baseline", "uniformity"]
