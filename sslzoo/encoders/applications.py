"""The architectures of keras.applications with random weights, as `keras.applications:NAME`."""

import difflib

import keras
from keras import layers

from sslzoo.utils.keras_internals import norms

# Architectures that contain their preprocessing and expect 0..255; the others expect -1..1.
PREPROCESSES_ITSELF = ("EfficientNet", "ConvNeXt", "MobileNetV3")


def application(input_shape: tuple[int, int, int], name: str) -> keras.Model:
    """An architecture of keras.applications without its top, averaged over space: features (batch, dim).

    BatchNorm gets the momentum 0.9 of self-supervised training instead of Keras' 0.99.

    Args:
        input_shape: (height, width, channels).
        name: str, such as "MobileNetV2".

    Raises:
        ValueError: if there is no such architecture; the message has the nearest names.
    """
    build = getattr(keras.applications, name, None)
    if not callable(build):
        known = [n for n in dir(keras.applications) if n[0].isupper()]
        near = difflib.get_close_matches(name, known, 3, 0.4) or known
        raise ValueError(f"keras.applications has no {name!r}: did you mean {', '.join(near)}?")
    scale, offset = (255.0, 0.0) if name.startswith(PREPROCESSES_ITSELF) else (2.0, -1.0)
    images = keras.Input(input_shape, name="images")
    base = build(include_top=False, weights=None, input_shape=input_shape, pooling="avg")
    for norm in norms(base):
        norm.momentum = 0.9
    return keras.Model(images, base(layers.Rescaling(scale, offset, name="normalize")(images)), name=name.lower())
