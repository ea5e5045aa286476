"""Files of sound: read, mixed to one channel and resampled to one rate."""

import math
import os
import warnings
from pathlib import Path

import numpy as np

SUFFIXES = (".wav", ".flac", ".ogg", ".aiff", ".aif")
INSTALL = "pip install 'sslzoo[audio]'"


class Unreadable(ValueError):
    """A file that cannot be read; the text says why."""


class NeedsPackage(ValueError):
    """A file of a format that needs the package soundfile."""


def sound(path: str | Path, rate: int) -> tuple[np.ndarray, int]:
    """A file as float32 (samples,) at a rate, and the rate of the file. Several channels are averaged.

    Args:
        path: of a file that ends in one of SUFFIXES.
        rate: samples per second of the result.

    Raises:
        Unreadable: it is no such file, or holds no sound.
        NeedsPackage: it is no .wav, and the package soundfile is not installed.
    """
    own, values = _wav(path) if str(path).lower().endswith(".wav") else _with_package(path)
    if not len(values):
        raise Unreadable("it holds no sound")
    mono = scaled(values.mean(1, dtype=np.float64) if values.ndim == 2 else values, values.dtype)
    if not np.isfinite(mono).all():
        raise Unreadable("it holds values that are not finite")
    return resampled(mono, own, rate), own


def scaled(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Values float32 where 1 is full scale; integers of a type are divided by its range, unsigned ones centred."""
    if dtype.kind == "u":
        half = (int(np.iinfo(dtype).max) + 1) // 2
        return ((values.astype(np.float64) - half) / half).astype(np.float32)
    scale = int(np.iinfo(dtype).max) + 1 if dtype.kind == "i" else 1
    return (values / scale).astype(np.float32)


def resampled(values: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Values (samples,) at another rate, by a polyphase low-pass filter."""
    if rate == wanted:
        return values
    from scipy.signal import resample_poly  # slow to import

    common = math.gcd(rate, wanted)
    return resample_poly(values, wanted // common, rate // common).astype(np.float32)


def _wav(path: str | Path) -> tuple[int, np.ndarray]:
    from scipy.io import wavfile  # slow to import

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks that it does not know
            return wavfile.read(path)
    except Exception as error:  # of a damaged file, scipy raises many kinds of errors
        try:
            return _with_package(path)  # which reads compressed .wav files, and others of that name
        except NeedsPackage:
            raise Unreadable(str(error).strip().split("\n")[0] or type(error).__name__) from None


def _with_package(path: str | Path) -> tuple[int, np.ndarray]:
    try:
        import soundfile
    except (ImportError, OSError) as error:
        suffix = os.path.splitext(path)[1].lower()
        raise NeedsPackage(f"{suffix} files need the package soundfile: {INSTALL}") from error
    try:
        values, rate = soundfile.read(path, dtype="float32")
    except (RuntimeError, OSError, ValueError) as error:
        raise Unreadable(str(error).strip().split("\n")[0]) from error
    return rate, values
