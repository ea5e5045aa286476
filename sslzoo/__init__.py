"""Self-supervised learning for TensorFlow and Keras 3.

Functions and packages are imported when they are first used: `import sslzoo` loads neither TensorFlow nor Keras.
"""

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from sslzoo.utils import moved

if TYPE_CHECKING:  # what type checkers and editors see; a test compares it with _OBJECTS
    from sslzoo.catalog.recipe import Recipe as Recipe
    from sslzoo.data.packing import pack as pack
    from sslzoo.data.recording import record as record
    from sslzoo.data.service import serve_data as serve_data
    from sslzoo.evaluation.comparison import compare as compare
    from sslzoo.evaluation.embedding import embed as embed
    from sslzoo.evaluation.indexing import build_index as build_index
    from sslzoo.evaluation.indexing import open_index as open_index
    from sslzoo.evaluation.judging import evaluate as evaluate
    from sslzoo.exports.formats import export as export
    from sslzoo.exports.savedmodel import load_encoder as load_encoder
    from sslzoo.exports.sklearn import EncoderTransformer as EncoderTransformer
    from sslzoo.exports.text import load_text as load_text
    from sslzoo.exports.weights import import_weights as import_weights
    from sslzoo.model import SSLModel as SSLModel
    from sslzoo.reports import report as report
    from sslzoo.reports.benefit import benefit as benefit
    from sslzoo.testing.doctor import doctor as doctor
    from sslzoo.training.pretraining import draw_views as draw_views
    from sslzoo.training.pretraining import pretrain as pretrain
    from sslzoo.tuning.search import tune as tune

# Hides the messages and warnings of TensorFlow's C++ code, also in notebooks, unless the user has chosen a level.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# oneDNN's kernels, which TensorFlow itself takes only on newer processors of Intel, take half of the time of a
# convolution on others. It reads this when it is imported; later, only child processes would, and differ from theirs.
if "tensorflow" not in sys.modules:
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__version__ = "0.2.0"

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
    "record": "data.recording",
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
