"""sslzoo: self-supervised learning for TensorFlow and Keras 3. Images without labels in, a judged encoder out.

`pretrain`, `evaluate`, `load_encoder` and the rooms `losses`, `views`, `methods`, `encoders`, `data`, ... are imported
when they are first used: this module alone loads neither TensorFlow nor Keras.
"""

from importlib import import_module

__version__ = "0.1.0"

_FUNCTIONS = {
    "pretrain": "sslzoo.pretraining",
    "evaluate": "sslzoo.evaluation",
    "embed": "sslzoo.embedding",
    "load_encoder": "sslzoo.export",
}
_ROOMS = (
    "data",
    "encoders",
    "evaluators",
    "export",
    "formats",
    "heads",
    "losses",
    "methods",
    "monitors",
    "optimizers",
    "sklearn",
    "tune",
    "views",
    "weights",
)
__all__ = [*_FUNCTIONS, *_ROOMS]


def __getattr__(name: str):
    if name in _FUNCTIONS:
        return getattr(import_module(_FUNCTIONS[name]), name)
    if name in _ROOMS:
        return import_module(f"sslzoo.{name}")
    raise AttributeError(f"module 'sslzoo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
