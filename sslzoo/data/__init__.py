"""Data by name, folder or array, as one small Dataset object that deals out reproducible batches."""

from sslzoo.data.dataset import DataError, Dataset, Splits, describe, restrict
from sslzoo.data.named import from_array, load

__all__ = ["DataError", "Dataset", "Splits", "describe", "from_array", "load", "restrict"]
