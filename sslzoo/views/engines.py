"""The engines that crop, resize and blur: XLA on any device, OpenCV on the host; which one is used."""

import functools

import tensorflow as tf

from sslzoo.catalog.knobs import nearest
from sslzoo.utils.log import log
from sslzoo.views import opencv

ENGINES = ("auto", "xla", "opencv")
# Smaller views are faster with XLA, since each call from Python takes a microsecond; benchmarks/presets.py.
LARGE = 56
FAST_CHANNELS = (1, 3)
FAST_TYPES = (tf.uint8, tf.uint16, tf.float32)


def check_engine(engine: str) -> None:
    """Raises ValueError if there is no such engine, or OpenCV is asked for and not installed."""
    if engine not in ENGINES:
        raise ValueError(nearest("engine", engine, ENGINES))
    if engine == "opencv" and not _has_opencv():
        raise ValueError("engine='opencv' needs the package opencv-python-headless: install it, or use engine='xla'")


def chosen_engine(engine: str, size: int, channels: int, dtype: tf.DType) -> str:
    """Returns "xla" or "opencv" for views of `size` pixels; "auto" is the one that is measured to be faster."""
    if engine != "auto":
        return engine
    fast = size >= LARGE and channels in FAST_CHANNELS and dtype in FAST_TYPES
    return "opencv" if fast and _has_opencv() else "xla"


@functools.cache
def _has_opencv() -> bool:
    try:
        opencv.module()
    except ImportError as error:
        log.info(f"OpenCV cannot be imported ({error}): XLA computes all views, which is slower for large ones")
        return False
    return True
