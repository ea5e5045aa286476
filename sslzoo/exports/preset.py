"""Encoders of local keras-hub presets, the folders that `save_to_preset` writes; needs keras-hub."""

import math
from pathlib import Path

import keras
from keras import layers

from sslzoo.layers.tokens import Pool
from sslzoo.utils.files import reason
from sslzoo.utils.log import log

CONFIG, METADATA = "config.json", "metadata.json"


def is_preset(path: Path) -> bool:
    """Whether a folder is a keras-hub preset."""
    return all((path / name).is_file() for name in (CONFIG, METADATA))


def preset_encoder(path: Path, image_size: int | None = None) -> tuple[keras.Model, str]:
    """The image encoder of a preset, images in [0, 1] -> features (batch, dim), and a text about it.

    Of models of images and texts, such as CLIP, it is the part for images. Maps are averaged; of tokens the class token
    is taken, or the mean if there is no class token. The image converter of the preset is the first layer.

    Args:
        path: folder of the preset.
        image_size: side of the images in pixels; that of the preset if None.

    Raises:
        ValueError: keras-hub is not installed, or the preset cannot be loaded; one line.
    """
    try:
        import keras_hub
    except ImportError as error:
        raise ValueError(f"{path} is a keras-hub preset: pip install 'sslzoo[keras-hub]' ({error})") from None
    wanted = {"image_shape": (image_size, image_size, 3)} if image_size else {}
    try:
        network = keras_hub.models.Backbone.from_preset(str(path), **wanted)
        network = getattr(network, "vision_encoder", network)
        return _pooled(network, _converter(keras_hub, path)), f"{type(network).__name__} of a keras-hub preset"
    except Exception as error:  # whatever a damaged preset makes of keras-hub
        raise ValueError(f"start_from: the preset {path} cannot be loaded: {reason(error)[:200]}") from None


def _pooled(network: keras.Model, normalize: layers.Layer) -> keras.Model:
    inputs = network.input
    names = list(inputs) if isinstance(inputs, dict) else []
    first = inputs[names[0]] if names else inputs
    if len(names) > 1 or len(first.shape) != 4:
        raise ValueError(f"{type(network).__name__} takes {names or first.shape}, not images alone")
    images = keras.Input(first.shape[1:], name="images")
    x = normalize(images)
    x = network({names[0]: x} if names else x)
    if len(x.shape) == 4:
        x = layers.GlobalAveragePooling2D(name="pool")(x)
    elif len(x.shape) == 3:
        square = math.isqrt(x.shape[1]) ** 2 == x.shape[1]  # as many tokens as patches: no class token
        x = layers.GlobalAveragePooling1D(name="pool")(x) if square else Pool("token", name="pool")(x)
    return keras.Model(images, x, name=network.name)


def _converter(keras_hub, path: Path) -> layers.Layer:
    """The scale and offset of the preset's image converter, for images in [0, 1]."""
    try:
        converter = keras_hub.layers.ImageConverter.from_preset(str(path))
        scale, offset = converter.scale, converter.offset
    except (ValueError, OSError):
        log.warning(f"{path} has no image converter: its encoder gets images in [0, 1]")
        scale, offset = 1 / 255, None
    many = isinstance(scale, list | tuple)
    scale = [255 * value for value in scale] if many else 255.0 * (1.0 if scale is None else scale)
    return layers.Rescaling(scale, 0.0 if offset is None else offset, name="normalize")
