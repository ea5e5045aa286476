"""The architectures of keras.applications, as `keras.applications:NAME`, with random or published weights."""

import difflib
import re
from pathlib import Path

import keras
from keras import layers, ops

from sslzoo.utils.keras_internals import norms

# Architectures that contain their preprocessing and expect 0..255; the others expect -1..1.
PREPROCESSES_ITSELF = ("EfficientNet", "ConvNeXt", "MobileNetV3")
# Architectures whose published weights expect BGR in 0..255 less the mean, or RGB of mean 0 and deviation 1.
BGR, NORMALIZED = re.compile(r"ResNet\d+|VGG\d+"), re.compile(r"DenseNet\d+")
BGR_MEAN = (123.68, 116.779, 103.939)  # in the order RGB
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


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


def pretrained(name: str, weights: str | Path, image_size: int) -> keras.Model:
    """An architecture of keras.applications with published weights and their preprocessing; images RGB in [0, 1].

    Args:
        name: str, such as "MobileNetV2".
        weights: "imagenet" for the weights that Keras downloads; a file of weights (.h5) without the top; or a model
            (.keras) without the top or with a classifier of one dense layer.
        image_size: int, side of the images in pixels.

    Raises:
        ValueError: if there is no such architecture, or the weights do not fit.
    """
    model = application((image_size, image_size, 3), name)
    base, normalize = model.layers[-1], model.get_layer("normalize")
    if weights == "imagenet":
        base.set_weights(getattr(keras.applications, name)(include_top=False, weights=weights).get_weights())
    elif Path(weights).suffix == ".keras":
        _set(base, keras.saving.load_model(weights, compile=False, safe_mode=True).get_weights())
    else:
        base.load_weights(str(weights))
    if BGR.fullmatch(name):
        normalize.scale, normalize.offset = 255.0, [-mean for mean in BGR_MEAN]
        first = next(weight for weight in base.weights if len(weight.shape) == 4)
        first.assign(ops.flip(first, axis=2))
    elif NORMALIZED.fullmatch(name):
        normalize.scale = [1 / std for std in STD]
        normalize.offset = [-mean / std for mean, std in zip(MEAN, STD, strict=True)]
    return model


def _set(base: keras.Model, given: list) -> None:
    """Sets the weights to those of a model that may have a classifier on top."""
    own = [tuple(weight.shape) for weight in base.weights]
    shapes = [value.shape for value in given]
    if shapes[: len(own)] != own or len(shapes) - len(own) not in (0, 2):
        raise ValueError(f"{base.name} has {len(own)} weights of other shapes than the {len(given)} of the file")
    base.set_weights(given[: len(own)])
