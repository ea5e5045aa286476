"""KerasTuner over a recipe's knobs: trials are judged by their features, never by their loss; the best is exported."""

from sslzoo.tuning.hypermodel import HyperModel
from sslzoo.tuning.search import Search, tune

__all__ = ["HyperModel", "Search", "tune"]
