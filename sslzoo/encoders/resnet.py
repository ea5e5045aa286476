"""ResNet (He et al., arXiv 1512.03385) with the stride in the 3x3 convolution, and stems for large and small images."""

import keras
from keras import layers

from sslzoo.catalog.checked import checked
from sslzoo.layers.stems import choose_stem


def resnet18(input_shape, **knobs) -> keras.Model:
    """ResNet-18: 512 features, times `width`.

    Args:
        input_shape: (height, width, channels).
        **knobs: `width` and `stem` of `resnet`.
    """
    return resnet(input_shape, (2, 2, 2, 2), False, name="resnet18", **knobs)


def resnet34(input_shape, **knobs) -> keras.Model:
    """ResNet-34: 512 features, times `width`.

    Args:
        input_shape: (height, width, channels).
        **knobs: `width` and `stem` of `resnet`.
    """
    return resnet(input_shape, (3, 4, 6, 3), False, name="resnet34", **knobs)


def resnet50(input_shape, **knobs) -> keras.Model:
    """ResNet-50: 2048 features, times `width`.

    Args:
        input_shape: (height, width, channels).
        **knobs: `width` and `stem` of `resnet`.
    """
    return resnet(input_shape, (3, 4, 6, 3), True, name="resnet50", **knobs)


def resnet101(input_shape, **knobs) -> keras.Model:
    """ResNet-101: 2048 features, times `width`.

    Args:
        input_shape: (height, width, channels).
        **knobs: `width` and `stem` of `resnet`.
    """
    return resnet(input_shape, (3, 4, 23, 3), True, name="resnet101", **knobs)


@checked()
def resnet(
    input_shape: tuple[int | None, int | None, int],
    depths: tuple[int, ...],
    bottleneck: bool,
    width: float = 1.0,
    stem: str = "auto",
    name: str = "resnet",
) -> keras.Model:
    """Stages of residual blocks after a stem, averaged over space: features (batch, dim). Accepts images of any size.

    Args:
        input_shape: (height, width, channels). Height and width select the stem; they may be None if `stem` is given.
        depths: blocks of each stage.
        bottleneck: bool, blocks of three convolutions instead of two.
        width: float, multiplies the channels.
        stem: "imagenet" (7x7 convolution of stride 2, max-pooling), "small" (3x3 of stride 1) or "auto": small up to 64
            px.
        name: str, of the model.

    Raises:
        ValueError: if `stem` is unknown, or "auto" without an image size.
    """
    stem = choose_stem(input_shape, stem)
    images = keras.Input((None, None, input_shape[-1]), name="images")
    x = layers.Rescaling(2.0, offset=-1.0, name="normalize")(images)
    x = _stem(x, round(64 * width), stem)
    for stage, depth in enumerate(depths):
        for block in range(depth):
            stride = 2 if stage > 0 and block == 0 else 1
            build = _bottleneck if bottleneck else _basic
            x = build(x, round(64 * 2**stage * width), stride, f"stage{stage + 1}_block{block + 1}")
    return keras.Model(images, layers.GlobalAveragePooling2D(name="features")(x), name=f"{name}_{stem}_stem")


def _stem(x, channels: int, stem: str):
    if stem == "small":
        return layers.ReLU(name="stem_relu")(_norm(_convolution(x, channels, 3, 1, "stem"), "stem"))
    x = layers.ReLU(name="stem_relu")(_norm(_convolution(x, channels, 7, 2, "stem"), "stem"))
    return layers.MaxPooling2D(3, 2, name="stem_pool")(layers.ZeroPadding2D(1, name="stem_pool_pad")(x))


def _convolution(x, channels: int, kernel: int, stride: int, name: str):
    # Symmetric padding, as in the reference implementations: "same" pads a strided convolution on one side only.
    padding = "same" if stride == 1 else "valid"
    if padding == "valid" and kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    elif stride > 1:
        # A layer of its own selects every second pixel: oneDNN's gradient of a strided 1x1 convolution leaves its
        # memory if the input has fewer channels than a vector of the processor, 8 or 16 (TensorFlow 2.21).
        x, stride = layers.AveragePooling2D(1, stride, name=f"{name}_sparse")(x), 1
    fan_out = keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")
    options = dict(padding=padding, use_bias=False, kernel_initializer=fan_out)
    return layers.Conv2D(channels, kernel, stride, name=f"{name}_conv", **options)(x)


def _norm(x, name: str, gamma: str = "ones"):
    norm = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, gamma_initializer=gamma, name=f"{name}_norm")
    return norm(x)


def _shortcut(x, channels: int, stride: int, name: str):
    if stride == 1 and x.shape[-1] == channels:
        return x
    return _norm(_convolution(x, channels, 1, stride, f"{name}_shortcut"), f"{name}_shortcut")


def _join(x, branch, stride: int, name: str):
    # The last gamma starts at zero, so that a block starts as the identity (Goyal et al., arXiv 1706.02677, 5.1).
    branch = _norm(branch, f"{name}_last", gamma="zeros")
    return layers.ReLU(name=name)(
        layers.Add(name=f"{name}_add")([_shortcut(x, branch.shape[-1], stride, name), branch])
    )


def _basic(x, channels: int, stride: int, name: str):
    branch = _norm(_convolution(x, channels, 3, stride, f"{name}_1"), f"{name}_1")
    branch = _convolution(layers.ReLU(name=f"{name}_1_relu")(branch), channels, 3, 1, f"{name}_2")
    return _join(x, branch, stride, name)


def _bottleneck(x, channels: int, stride: int, name: str):
    branch = _norm(_convolution(x, channels, 1, 1, f"{name}_1"), f"{name}_1")
    branch = _convolution(layers.ReLU(name=f"{name}_1_relu")(branch), channels, 3, stride, f"{name}_2")
    branch = layers.ReLU(name=f"{name}_2_relu")(_norm(branch, f"{name}_2"))
    return _join(x, _convolution(branch, 4 * channels, 1, 1, f"{name}_3"), stride, name)
