"""KerasTuner over a recipe's knobs: trials are judged by their features, never by their loss; the best is exported."""

from sslzoo.tune.hypermodel import HyperModel
from sslzoo.tune.search import Search, tune

__all__ = ["HyperModel", "Search", "tune"]
