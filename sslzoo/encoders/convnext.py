"""ConvNeXt (Liu et al., arXiv 2201.03545) and V2 (arXiv 2301.00808), with stems for large and small images."""

import keras
from keras import layers, ops

from sslzoo.catalog.checked import checked
from sslzoo.layers.drop_path import growing, with_drop_path
from sslzoo.layers.stems import choose_stem
from sslzoo.layers.tokens import LayerScale


def convnext_atto(input_shape, **knobs) -> keras.Model:
    """ConvNeXt-Atto: 320 features, times `width`; 3.7 million parameters.

    Args:
        input_shape: (height, width, channels).
        **knobs: `width`, `stem`, `grn`, `layer_scale` and `drop_path` of `convnext`.
    """
    return convnext(input_shape, (2, 2, 6, 2), 40, name="convnext_atto", **knobs)


def convnext_tiny(input_shape, **knobs) -> keras.Model:
    """ConvNeXt-Tiny: 768 features, times `width`; 28 million parameters.

    Args:
        input_shape: (height, width, channels).
        **knobs: `width`, `stem`, `grn`, `layer_scale` and `drop_path` of `convnext`.
    """
    return convnext(input_shape, (3, 3, 9, 3), 96, name="convnext_tiny", **knobs)


@checked()
def convnext(
    input_shape: tuple[int | None, int | None, int],
    depths: tuple[int, ...],
    channels: int,
    width: float = 1.0,
    stem: str = "auto",
    grn: bool = False,
    layer_scale: float = 1e-6,
    drop_path: float = 0.0,
    name: str = "convnext",
) -> keras.Model:
    """Stages of blocks with 7x7 depthwise convolutions, averaged over space, and a norm: features (batch, dim).

    Accepts images of any size. Odd maps are padded before their size is halved, where the authors cut a row off.

    Args:
        input_shape: (height, width, channels). Height and width select the stem; they may be None if `stem` is given.
        depths: blocks of each stage.
        channels: int, of the first stage; each further stage has twice as many.
        width: float, multiplies the channels.
        stem: "imagenet" (patches of 4 px), "small" (patches of 2 px) or "auto": small up to 64 px.
        grn: bool, normalizes the responses of a block's hidden layer (`ResponseNorm`) instead of a layer scale: V2.
        layer_scale: float, initial factor of the branches of V1; 0 for none.
        drop_path: float, rate at which images skip the branch of the last block in training; it grows linearly from 0
            in the first block. 0.1 in the papers' supervised training of these sizes.
        name: str, of the model.

    Raises:
        ValueError: if `stem` is unknown, or "auto" without an image size.
    """
    patch = 2 if choose_stem(input_shape, stem) == "small" else 4
    images = keras.Input((None, None, input_shape[-1]), name="images")
    x = layers.Rescaling(2.0, offset=-1.0, name="normalize")(images)
    rates = iter(growing(drop_path, sum(depths)))
    scale = 0.0 if grn else layer_scale
    for stage, depth in enumerate(depths, 1):
        dim = round(channels * 2 ** (stage - 1) * width)
        if stage == 1:
            x = _norm(_convolution(dim, patch, "stem_conv")(x), "stem_norm")
        else:
            x = _convolution(dim, 2, f"stage{stage}_conv")(_norm(x, f"stage{stage}_norm"))
        for number in range(1, depth + 1):
            x = _block(x, dim, f"stage{stage}_block{number}", grn, scale, next(rates))
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(images, _norm(x, "features"), name=f"{name}_patch{patch}")


def _norm(x, name: str):
    return layers.LayerNormalization(epsilon=1e-6, name=name)(x)


def _narrow():
    return keras.initializers.TruncatedNormal(stddev=0.02)


def _convolution(dim: int, patch: int, name: str) -> layers.Conv2D:
    return layers.Conv2D(dim, patch, patch, padding="same", kernel_initializer=_narrow(), name=name)


def _block(x, dim: int, name: str, grn: bool, layer_scale: float, rate: float):
    depthwise = layers.DepthwiseConv2D(7, padding="same", depthwise_initializer=_narrow(), name=f"{name}_depthwise")
    branch = _norm(depthwise(x), f"{name}_norm")
    branch = layers.Dense(4 * dim, kernel_initializer=_narrow(), name=f"{name}_hidden")(branch)
    branch = layers.Activation("gelu", name=f"{name}_gelu")(branch)
    branch = ResponseNorm(name=f"{name}_grn")(branch) if grn else branch
    branch = layers.Dense(dim, kernel_initializer=_narrow(), name=f"{name}_output")(branch)
    branch = LayerScale(layer_scale, name=f"{name}_scale")(branch) if layer_scale else branch
    return layers.Add(name=name)([x, with_drop_path(branch, rate, f"{name}_drop")])


@keras.saving.register_keras_serializable("sslzoo")
class ResponseNorm(layers.Layer):
    """Global response normalization (arXiv 2301.00808, section 3.2): (batch, height, width, channels), same shape.

    Each channel is multiplied by its norm over the map, divided by the mean norm of all channels, with a trained factor
    and offset that start at 0, and added to the input.
    """

    def build(self, input_shape):
        self.gamma = self.add_weight((input_shape[-1],), initializer="zeros", name="gamma")
        self.beta = self.add_weight((input_shape[-1],), initializer="zeros", name="beta")

    def call(self, x):
        wide, gamma, beta = (ops.cast(value, "float32") for value in (x, self.gamma, self.beta))
        norms = ops.sqrt(
            ops.sum(wide**2, axis=(1, 2), keepdims=True) + 1e-12
        )  # the gradient of a root of 0 is no number
        shares = norms / (ops.mean(norms, axis=-1, keepdims=True) + 1e-6)
        return ops.cast(gamma * (wide * shares) + beta, x.dtype) + x
