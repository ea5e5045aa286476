"""Directions of embeddings: every loss that compares angles takes embeddings of any norm and normalizes them here."""

from keras import ops


def unit(z):
    """Embeddings of norm one, float32: (..., dim) of any norm and type -> (..., dim). Zero vectors stay zero."""
    return ops.normalize(ops.cast(z, "float32"))
