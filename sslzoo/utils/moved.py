"""Import paths of version 0.1, which still work and warn."""

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType

from sslzoo.utils.deprecation import warn

# Module of version 0.1 -> module of now, both within sslzoo.
MOVED = {
    "banks": "layers.memory",
    "baseline": "evaluation.baseline",
    "checkpoints": "training.checkpoints",
    "comparison": "evaluation.comparison",
    "decoders": "layers.decoders",
    "embedding": "evaluation.embedding",
    "export": "exports.savedmodel",
    "finetuning": "evaluators.finetuning",
    "formats": "exports.formats",
    "heads": "layers.heads",
    "knobs": "catalog.knobs",
    "layerwise": "training.layerwise",
    "monitors": "training.monitors",
    "norms": "layers.norms",
    "plots": "utils.plots",
    "pretraining": "training.pretraining",
    "queues": "layers.memory",
    "replicas": "utils.replicas",
    "report": "reports",
    "schedules": "optimizers.schedules",
    "sklearn": "exports.sklearn",
    "sweep": "tuning.sweep",
    "taps": "layers.taps",
    "targets": "layers.targets",
    "tracking": "training.tracking",
    "tune": "tuning",
    "weights": "exports.weights",
}


class Moved(ModuleType):
    """Proxy of a module that has moved. It can be called like the function that has its name now."""

    def __getattr__(self, name: str):
        return getattr(importlib.import_module(_now(self.__name__)), name)

    def __call__(self, *args, **kwargs):
        function = importlib.import_module("sslzoo").public(self.__name__.rpartition(".")[2])
        return function(*args, **kwargs)


class Finder(MetaPathFinder, Loader):
    """Finds modules at their paths of version 0.1."""

    def find_spec(self, name: str, path=None, target=None) -> ModuleSpec | None:
        known = name.startswith("sslzoo.") and name.removeprefix("sslzoo.") in MOVED
        return spec_from_loader(name, self) if known else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        change = f"has moved to {_now(spec.name)}"
        warn(spec.name, change, "0.3", stacklevel=6)
        return Moved(spec.name, f"{spec.name} {change}.")

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing to execute."""


def install() -> None:
    """Makes the old paths importable."""
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.append(Finder())


def _now(name: str) -> str:
    return f"sslzoo.{MOVED[name.removeprefix('sslzoo.')]}"
