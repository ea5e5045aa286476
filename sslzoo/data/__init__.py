"""Data by name, folder or array, as one small Dataset object that deals out reproducible batches."""

from sslzoo.data.arrays import from_array
from sslzoo.data.cache import cached
from sslzoo.data.dataset import DataError, Dataset, Splits, describe
from sslzoo.data.episode_files import load_episodes
from sslzoo.data.named import load, load_parts
from sslzoo.data.packing import pack
from sslzoo.data.selection import restrict

__all__ = [
    "DataError",
    "Dataset",
    "Splits",
    "cached",
    "describe",
    "from_array",
    "load",
    "load_episodes",
    "load_parts",
    "pack",
    "restrict",
]
