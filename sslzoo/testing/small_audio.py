"""Small sounds and an encoder of them, on which checks train methods."""

import keras
import numpy as np

from sslzoo.catalog import options
from sslzoo.encoders.audio import byol_a_encoder
from sslzoo.views import chosen
from sslzoo.views.audio import Bank

COUNT, SAMPLES = 32, 1200  # clips of a batch, samples of a view
SCHEMA = {"rate": 4000, "mean": -4.0, "deviation": 4.0}


def audio(seed: int = 0) -> np.ndarray:
    """Tones that differ in pitch, rhythm and loudness, with noise: (COUNT, 2 * SAMPLES, 1)."""
    rng = np.random.default_rng(seed)
    time = np.arange(2 * SAMPLES)[None, :, None] / SCHEMA["rate"]
    pitch, beat, gain = (rng.uniform(low, high, (COUNT, 1, 1)) for low, high in ((100, 1500), (2, 20), (0.05, 0.5)))
    tones = gain * np.sin(2 * np.pi * pitch * time) * (1 + np.sin(2 * np.pi * beat * time)) / 2
    return (tones + rng.normal(scale=0.002, size=tones.shape)).astype("float32")


def views_of_audio(model: keras.Model, seed: int) -> tuple[np.ndarray, ...]:
    """The views of COUNT clips by the preset of a method."""
    waves = audio(seed)
    sizes = np.full((COUNT, 1), waves.shape[1], "int32")
    bank = Bank(waves, sizes, **SCHEMA)
    chain = chosen.make(options.views_of(type(model), "audio"), SAMPLES, 1, "audio", bank)
    return tuple(view(waves, sizes, (seed, k)).numpy() for k, view in enumerate(chain))


def auditory() -> keras.Model:
    """A small encoder of audio."""
    return byol_a_encoder((SAMPLES, 1), dim=32, width=0.125, dropout=0.0, schema=SCHEMA)
