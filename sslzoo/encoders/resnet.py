"""ResNet (He et al., arXiv 1512.03385) with the stride in the 3x3 convolution, and stems for large and small images.

Selective kernels and squeeze-and-excitation are those of SimCLR v2 (arXiv 2006.10029).
"""

import functools

import keras
from keras import layers, ops

from sslzoo.catalog.checked import checked
from sslzoo.layers.stems import choose_stem


def resnet18(input_shape, **knobs) -> keras.Model:
    """ResNet-18: 512 features, times `width`.

    Args:
        input_shape: (height, width, channels).
        **knobs: `width`, `stem` and `se_ratio` of `resnet`.
    """
    return resnet(input_shape, (2, 2, 2, 2), False, name="resnet18", **knobs)


def resnet34(input_shape, **knobs) -> keras.Model:
    """ResNet-34: 512 features, times `width`.

    Args:
        input_shape: (height, width, channels).
        **knobs: `width`, `stem` and `se_ratio` of `resnet`.
    """
    return resnet(input_shape, (3, 4, 6, 3), False, name="resnet34", **knobs)


def resnet50(input_shape, **knobs) -> keras.Model:
    """ResNet-50: 2048 features, times `width`.

    Args:
        input_shape: (height, width, channels).
        **knobs: `width`, `stem`, `sk_ratio` and `se_ratio` of `resnet`.
    """
    return resnet(input_shape, (3, 4, 6, 3), True, name="resnet50", **knobs)


def resnet101(input_shape, **knobs) -> keras.Model:
    """ResNet-101: 2048 features, times `width`.

    Args:
        input_shape: (height, width, channels).
        **knobs: `width`, `stem`, `sk_ratio` and `se_ratio` of `resnet`.
    """
    return resnet(input_shape, (3, 4, 23, 3), True, name="resnet101", **knobs)


def resnet152(input_shape, **knobs) -> keras.Model:
    """ResNet-152: 2048 features, times `width`.

    Args:
        input_shape: (height, width, channels).
        **knobs: `width`, `stem`, `sk_ratio` and `se_ratio` of `resnet`.
    """
    return resnet(input_shape, (3, 8, 36, 3), True, name="resnet152", **knobs)


@checked()
def resnet(
    input_shape: tuple[int | None, int | None, int],
    depths: tuple[int, ...],
    bottleneck: bool,
    width: float = 1.0,
    stem: str = "auto",
    sk_ratio: float = 0.0,
    se_ratio: float = 0.0,
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
        sk_ratio: float in 0..1, 0.0625 in SimCLR v2; above 0, a 3x3 convolution chooses between two kernels (Li et al.,
            arXiv 1903.06586), whose weights come from this share of its channels, at least 32, and stem and shortcuts
            are those of ResNet-D (arXiv 1812.01187). For bottlenecks.
        se_ratio: float in 0..1; above 0, channels are weighted by squeeze-and-excitation (Hu et al., arXiv 1709.01507)
            through this share of the channels of the 3x3 convolution.
        name: str, of the model.

    Raises:
        ValueError: if `stem` is unknown, or "auto" without an image size, or `sk_ratio` is given without bottlenecks.
    """
    stem = choose_stem(input_shape, stem)
    if sk_ratio and not bottleneck:
        raise ValueError(f"sk_ratio={sk_ratio}: {name} has no bottlenecks: take resnet50, resnet101 or resnet152")
    build = functools.partial(_bottleneck, sk_ratio=sk_ratio) if bottleneck else _basic
    images = keras.Input((None, None, input_shape[-1]), name="images")
    x = layers.Rescaling(2.0, offset=-1.0, name="normalize")(images)
    x = _stem(x, round(64 * width), stem, deep=sk_ratio > 0)
    for stage, depth in enumerate(depths):
        for block in range(depth):
            stride = 2 if stage > 0 and block == 0 else 1
            channels, block_name = round(64 * 2**stage * width), f"stage{stage + 1}_block{block + 1}"
            branch = build(x, channels, stride, block_name)
            if se_ratio:
                branch = _excited(branch, max(1, int(channels * se_ratio)), f"{block_name}_excited")
            x = _join(x, branch, stride, block_name, averaged=sk_ratio > 0)
    return keras.Model(images, layers.GlobalAveragePooling2D(name="features")(x), name=f"{name}_{stem}_stem")


def _stem(x, channels: int, stem: str, deep: bool):
    if stem == "small":
        return _active(_convolution(x, channels, 3, 1, "stem"), "stem")
    if deep:
        x = _active(_convolution(x, channels // 2, 3, 2, "stem1"), "stem1")
        x = _active(_convolution(x, channels // 2, 3, 1, "stem2"), "stem2")
    kernel, stride = (3, 1) if deep else (7, 2)
    x = _active(_convolution(x, channels, kernel, stride, "stem"), "stem")
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


def _active(x, name: str):
    return layers.ReLU(name=f"{name}_relu")(_norm(x, name))


def _shortcut(x, channels: int, stride: int, name: str, averaged: bool):
    if stride == 1 and x.shape[-1] == channels:
        return x
    if averaged:
        if stride > 1:
            x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"{name}_pad")(x)
        padding = "same" if stride == 1 else "valid"
        x, stride = layers.AveragePooling2D(2, stride, padding, name=f"{name}_mean")(x), 1
    return _norm(_convolution(x, channels, 1, stride, name), name)


def _join(x, branch, stride: int, name: str, averaged: bool):
    shortcut = _shortcut(x, branch.shape[-1], stride, f"{name}_shortcut", averaged)
    return layers.ReLU(name=name)(layers.Add(name=f"{name}_add")([shortcut, branch]))


def _last(x, name: str):
    # The last gamma starts at zero, so that a block starts as the identity (Goyal et al., arXiv 1706.02677, 5.1).
    return _norm(x, f"{name}_last", gamma="zeros")


def _basic(x, channels: int, stride: int, name: str):
    branch = _active(_convolution(x, channels, 3, stride, f"{name}_1"), f"{name}_1")
    return _last(_convolution(branch, channels, 3, 1, f"{name}_2"), name)


def _bottleneck(x, channels: int, stride: int, name: str, sk_ratio: float):
    branch = _active(_convolution(x, channels, 1, 1, f"{name}_1"), f"{name}_1")
    if sk_ratio:
        branch = _selected(branch, channels, stride, max(32, int(channels * sk_ratio)), f"{name}_2")
    else:
        branch = _active(_convolution(branch, channels, 3, stride, f"{name}_2"), f"{name}_2")
    return _last(_convolution(branch, 4 * channels, 1, 1, f"{name}_3"), name)


def _selected(x, channels: int, stride: int, hidden: int, name: str):
    """Two convolutions, mixed for each image and channel by softmax weights of the mean of their sum."""
    one, other = ops.split(_active(_convolution(x, 2 * channels, 3, stride, name), name), 2, axis=-1)
    mean = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(one + other)
    seen = _active(_convolution(mean, hidden, 1, 1, f"{name}_squeeze"), f"{name}_squeeze")
    weights = ops.split(_convolution(seen, 2 * channels, 1, 1, f"{name}_select"), 2, axis=-1)
    return other + ops.sigmoid(weights[0] - weights[1]) * (one - other)


def _excited(x, hidden: int, name: str):
    """Each channel times a sigmoid of the means of all channels."""
    mean = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(x)
    seen = layers.Dense(hidden, "relu", name=f"{name}_squeeze")(mean)
    return layers.Multiply(name=name)([x, layers.Dense(x.shape[-1], "sigmoid", name=f"{name}_weights")(seen)])
