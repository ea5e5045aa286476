"""Decoders from a latent vector to an image, float32 in [0, 1]: a simple one, and the mirror image of the encoder."""

import math

import keras
from keras import layers

DECODERS = ("simple", "symmetric")
GLOROT = dict(kernel_initializer="glorot_normal")


def make(name: str, encoder: keras.Model, latent_dim: int, image_shape: tuple | None = None) -> keras.Model:
    """A decoder by name, (batch, latent_dim) -> (batch, *image_shape), for the images of an encoder.

    Args:
        name: "simple" or "symmetric".
        encoder: functional model, images -> features (batch, dim).
        latent_dim: int, width of the latent vector.
        image_shape: (height, width, channels), needed if the encoder accepts images of any size.

    Raises:
        ValueError: if the name or the image size is unknown, or the encoder cannot be mirrored.
    """
    if name not in DECODERS:
        raise ValueError(f"no decoder {name!r}: choose one of {', '.join(DECODERS)}")
    if name == "symmetric":
        return symmetric(encoder, latent_dim)
    image_shape = tuple(image_shape or encoder.input_shape[1:])
    if None in image_shape:
        raise ValueError(f"{encoder.name} takes images of any size: give input_shape=(height, width, channels)")
    return simple(latent_dim, image_shape)


def simple(latent_dim: int, image_shape: tuple[int, int, int], channels: int = 512, hidden: int = 32) -> keras.Model:
    """The decoder of the founding notebook: Dense, three transposed 3x3 convolutions of stride 2, hard tanh between.

    It starts at an eighth of the image size, rounded up; the excess at the bottom and right is cropped.

    Args:
        latent_dim: int, width of the latent vector.
        image_shape: (height, width, channels).
        channels: int, of the first feature map.
        hidden: int, channels of the two feature maps after it.
    """
    start = (*(math.ceil(side / 8) for side in image_shape[:2]), channels)
    z = keras.Input((latent_dim,), name="z")
    x = layers.Reshape(start, name="unflatten")(layers.Dense(math.prod(start), name="unbottleneck", **GLOROT)(z))
    for index, width in enumerate((hidden, hidden, image_shape[-1]), start=1):
        x = layers.Conv2DTranspose(width, 3, 2, "same", name=f"deconv{index}", **GLOROT)(x)
        x = layers.Activation("hard_tanh", name=f"detanh{index}")(x) if index < 3 else _fit(x, image_shape, "fit")
    return keras.Model(z, _image(x), name="simple_decoder")


def symmetric(encoder: keras.Model, latent_dim: int) -> keras.Model:
    """The mirror image of an encoder, which layer-wise training needs; layer `mirror_NAME` mirrors layer NAME.

    Layers are mirrored in reverse order. A convolution becomes a transposed convolution, pooling becomes upsampling by
    repetition, flattening is reversed; activations and norms are kept. Rows and columns that a pooling dropped become
    zeros.

    Args:
        encoder: a chain of layers for images of a fixed size, such as conv6.
        latent_dim: int, width of the latent vector.

    Raises:
        ValueError: if the encoder has branches or a layer without a mirror.
    """
    links = chain(encoder)
    z = keras.Input((latent_dim,), name="z")
    x = layers.Dense(encoder.output_shape[-1], name="unbottleneck", **GLOROT)(z)
    for layer in reversed(links):
        x = _mirror(layer, x)
    return keras.Model(z, _image(x), name="symmetric_decoder")


def chain(encoder: keras.Model) -> list[layers.Layer]:
    """The layers of an encoder, each of which takes the output of the one before.

    Raises:
        ValueError: if the encoder has branches, as residual ones do.
    """
    links = [layer for layer in encoder.layers if not isinstance(layer, layers.InputLayer)]
    for before, layer in zip(links, links[1:], strict=False):
        if layer.input is not before.output:
            raise ValueError(
                f"{encoder.name} branches at {layer.name}: a symmetric decoder and layer-wise training need a chain of "
                "layers such as conv6; decoder 'simple' fits any encoder"
            )
    return links


def _mirror(layer: layers.Layer, x):
    """A layer from the output shape of `layer` to its input shape."""
    shape, name = layer.input.shape[1:], f"mirror_{layer.name}"
    match layer:
        case layers.Rescaling() | layers.Identity():
            return x
        case layers.Flatten() | layers.Reshape():
            return layers.Reshape(shape, name=name)(x)
        case layers.Activation() | layers.ReLU() | layers.BatchNormalization():
            return type(layer).from_config(layer.get_config() | {"name": name})(x)
        case layers.MaxPooling2D() | layers.AveragePooling2D():
            return _fit(layers.UpSampling2D(layer.strides, name=name)(x), shape, f"{name}_fit")
        case layers.Dense():
            return layers.Dense(shape[-1], name=name, **GLOROT)(_activated(layer, x))
        case layers.Conv2D(groups=1, dilation_rate=(1, 1)):
            arguments = dict(padding=layer.padding, name=name, **GLOROT)
            deconvolution = layers.Conv2DTranspose(shape[-1], layer.kernel_size, layer.strides, **arguments)
            return _fit(deconvolution(_activated(layer, x)), shape, f"{name}_fit")
    raise ValueError(f"{layer.name}, a {type(layer).__name__}, has no mirror: decoder 'simple' fits any encoder")


def _activated(layer: layers.Layer, x):
    """x after the activation within a convolution or dense layer."""
    if layer.activation is keras.activations.linear:
        return x
    return layers.Activation(layer.activation, name=f"mirror_{layer.name}_activation")(x)


def _fit(x, shape: tuple, name: str):
    """x cropped or padded with zeros at the bottom and right to the height and width of `shape`."""
    missing = [wanted - side for wanted, side in zip(shape[:2], x.shape[1:3], strict=True)]
    if max(missing) > 0:
        x = layers.ZeroPadding2D([(0, max(0, side)) for side in missing], name=f"{name}_pad")(x)
    if min(missing) < 0:
        x = layers.Cropping2D([(0, max(0, -side)) for side in missing], name=f"{name}_cut")(x)
    return x


def _image(x):
    return layers.Activation("sigmoid", dtype="float32", name="image")(x)
