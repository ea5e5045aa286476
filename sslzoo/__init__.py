"""Self-supervised learning for TensorFlow and Keras 3.

Functions and packages are imported when they are first used: `import sslzoo` loads neither TensorFlow nor Keras.
"""

import os
from importlib import import_module

from sslzoo.utils import moved

# Hides the messages and warnings of TensorFlow's C++ code, also in notebooks, unless the user has chosen a level.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

__version__ = "0.1.0"

_OBJECTS = {
    "EncoderTransformer": "exports.sklearn",
    "Recipe": "catalog.recipe",
    "SSLModel": "model",
    "benefit": "reports.benefit",
    "build_index": "evaluation.indexing",
    "compare": "evaluation.comparison",
    "doctor": "testing.doctor",
    "draw_views": "training.pretraining",
    "embed": "evaluation.embedding",
    "evaluate": "evaluation.judging",
    "export": "exports.formats",
    "import_weights": "exports.weights",
    "load_encoder": "exports.savedmodel",
    "load_text": "exports.text",
    "open_index": "evaluation.indexing",
    "pack": "data.packing",
    "pretrain": "training.pretraining",
    "report": "reports",
    "serve_data": "data.service",
    "tune": "tuning.search",
}
_PACKAGES = (
    "catalog",
    "data",
    "encoders",
    "evaluation",
    "evaluators",
    "exports",
    "layers",
    "losses",
    "methods",
    "optimizers",
    "reports",
    "testing",
    "training",
    "tuning",
    "views",
)
__all__ = sorted([*_OBJECTS, *_PACKAGES])


def public(name: str):
    """The object of that name, such as `pretrain`."""
    return getattr(import_module(f"sslzoo.{_OBJECTS[name]}"), name)


def __getattr__(name: str):
    if name in _OBJECTS:
        return public(name)
    if name in _PACKAGES:
        return import_module(f"sslzoo.{name}")
    raise AttributeError(f"module 'sslzoo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


moved.install()
