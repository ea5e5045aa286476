"""Hyperparameter search with KerasTuner. Trials are compared by their features, not by their loss."""

from sslzoo.tuning.hypermodel import HyperModel
from sslzoo.tuning.search import Search, tune

__all__ = ["HyperModel", "Search", "tune"]
