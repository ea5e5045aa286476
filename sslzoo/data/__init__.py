"""Data by name, folder or array, as one small Dataset object that deals out reproducible batches."""

from sslzoo.data.cache import cached
from sslzoo.data.dataset import DataError, Dataset, Splits, describe, restrict
from sslzoo.data.named import from_array, load
from sslzoo.data.packing import pack

__all__ = ["DataError", "Dataset", "Splits", "cached", "describe", "from_array", "load", "pack", "restrict"]
