"""Feature maps: the output of an encoder at each place of an image, before it is pooled."""

import keras
from keras import ops

from sslzoo.layers.tokens import Attention, GridPool, Pool
from sslzoo.utils.keras_internals import source


def with_map(encoder: keras.Model) -> keras.Model:
    """The encoder with its last feature map as an additional output, computed in one pass.

    The map is the last tensor (batch, h, w, channels) before the features: in conv6 the input of Flatten, in a ResNet
    the input of the spatial average. Layers and weights are those of the encoder, so that the model can be an attribute
    next to the encoder without further weights.

    Args:
        encoder: functional model, images -> features (batch, dim).

    Returns:
        Model images -> (map (batch, h, w, channels), features (batch, dim)), in the types of the encoder.

    Raises:
        ValueError: if the encoder has no such map before its features.
    """
    tensor, after = encoder.output, []
    while len(tensor.shape) == 2:
        operation, sources = source(tensor)
        if not sources:
            break
        if isinstance(operation, keras.Model):  # a model within the model, as in keras.applications
            feature_map, features = with_map(operation)(sources[0])
            for layer in reversed(after):
                features = layer(features)
            return _joined(encoder, feature_map, features)
        after.append(operation)
        tensor = sources[0]
    # Without a weight before it, it is the image, not a feature map.
    if len(tensor.shape) != 4 or not keras.Model(encoder.input, tensor).weights:
        raise ValueError(
            f"{encoder.name} has no feature map (batch, h, w, channels) before its features: take an encoder of "
            "convolutions, such as conv6 or resnet18"
        )
    return _joined(encoder, tensor, encoder.output)


def _joined(encoder: keras.Model, feature_map, features) -> keras.Model:
    return keras.Model(encoder.input, [feature_map, features], name=f"{encoder.name}_with_map")


def place_map(encoder: keras.Model) -> keras.Model:
    """The encoder up to its features at places of the image, before they are pooled, sharing its layers.

    Args:
        encoder: functional model, images -> features (batch, dim), with a feature map as of `with_map`, or a vision
            transformer, whose patch tokens before the pooling are the features at places.

    Returns:
        Model images -> (batch, rows, columns, channels).

    Raises:
        ValueError: if the encoder has neither.
    """
    encoder = _functional(encoder)
    operation, sources = source(encoder.output)
    if isinstance(operation, GridPool | Pool) and "patches" in {layer.name for layer in encoder.layers}:
        patches, extra = encoder.get_layer("patches").output, encoder.get_layer("tokens").extra
        grid = Grid(extra, name="grid")([sources[0], patches])
        return keras.Model(encoder.input, grid, name=f"{encoder.name}_places")
    if isinstance(operation, keras.Model):  # a model within the model, behind layers that change the images
        return keras.Model(encoder.input, place_map(operation)(sources[0]), name=f"{encoder.name}_places")
    return keras.Model(encoder.input, with_map(encoder).outputs[0], name=f"{encoder.name}_places")


def _functional(encoder: keras.Model) -> keras.Model:
    """The model itself, or the functional model of a sequential one, which has no `input` and `output`."""
    if isinstance(encoder, keras.Sequential):
        return keras.Model(encoder.inputs[0], encoder.outputs[0], name=encoder.name)
    return encoder


def attention_map(encoder: keras.Model) -> keras.Model:
    """The attention to the patches of an image in the last block of a vision transformer, by head.

    Of the class tokens where they are the features, else of the patches; the mean over them.

    Args:
        encoder: functional model with layers "patches", "tokens" and "norm", such as vit_tiny.

    Returns:
        Model images -> (batch, rows, columns, heads), nonnegative; with the share of other tokens, the sum is 1.

    Raises:
        ValueError: if the encoder is no such model.
    """
    encoder = _functional(encoder)
    found = [layer for layer in encoder.layers if isinstance(layer, Attention)]
    names = {layer.name: layer for layer in encoder.layers}
    if found and {"patches", "tokens", "features"} <= names.keys():
        tokens, asking = names["tokens"], getattr(names["features"], "pool", "token")
        queries = (0, tokens.count) if asking == "token" else (tokens.extra, None)
        read = AttentionMap(found[-1].heads, queries, tokens.extra, name="attention_map")
        return keras.Model(encoder.input, read([found[-1].input, names["patches"].output]), name=encoder.name)
    operation, sources = source(encoder.output)
    if isinstance(operation, keras.Model):
        return keras.Model(encoder.input, attention_map(operation)(sources[0]), name=encoder.name)
    raise ValueError(f"{encoder.name} has no attention: take a vision transformer such as vit_tiny")


@keras.saving.register_keras_serializable("sslzoo")
class AttentionMap(keras.layers.Layer):
    """Mean attention of some tokens to the patches, in their grid, float32.

    [Queries, keys and values (batch, tokens, 3 * dim), patches (batch, rows, columns, dim)] -> (batch, rows, columns,
    heads).

    Args:
        heads: int, number of heads.
        queries: (first, end) of the tokens that attend.
        extra: int, tokens before those of the patches.
    """

    def __init__(self, heads: int, queries: tuple[int, int | None], extra: int, **kwargs):
        super().__init__(**kwargs)
        self.heads, self.queries, self.extra = heads, tuple(queries), extra

    def call(self, inputs):
        qkv, patches = inputs
        weights, _ = Attention(self.heads).weights_and_values(qkv)
        rows, columns = ops.shape(patches)[1:3]
        means = ops.mean(ops.cast(weights[:, :, slice(*self.queries), self.extra :], "float32"), axis=2)
        return ops.reshape(ops.transpose(means, (0, 2, 1)), (-1, rows, columns, self.heads))

    def compute_output_shape(self, input_shape):
        return (*input_shape[1][:3], self.heads)

    def get_config(self):
        return super().get_config() | {"heads": self.heads, "queries": self.queries, "extra": self.extra}


@keras.saving.register_keras_serializable("sslzoo")
class Grid(keras.layers.Layer):
    """Patch tokens in their grid: [(batch, extra + rows * columns, dim), (batch, rows, columns, dim)] -> the latter.

    Args:
        extra: int, tokens before those of the patches.
    """

    def __init__(self, extra: int, **kwargs):
        super().__init__(**kwargs)
        self.extra = extra

    def call(self, inputs):
        tokens, patches = inputs
        return ops.reshape(tokens[:, self.extra :], ops.shape(patches))

    def compute_output_shape(self, input_shape):
        return input_shape[1]

    def get_config(self):
        return super().get_config() | {"extra": self.extra}


def positions(boxes, height: int, width: int):
    """The positions in the image of the places of a view's feature map: their centres.

    Args:
        boxes: (n, 5), regions of the views, as in a batch: top, left, height, width, mirrored.
        height, width: int, of the feature map.

    Returns:
        float32 (n, height * width, 2), row and column in the units of the boxes. In a mirrored view the first column of
        the map is the rightmost of the image.
    """
    top, left, tall, wide, mirrored = ops.split(ops.cast(boxes, "float32"), 5, axis=1)
    across = (ops.arange(width, dtype="float32") + 0.5) / width
    down = top + tall * (ops.arange(height, dtype="float32") + 0.5) / height
    right = left + wide * ops.where(mirrored > 0, 1 - across, across)
    return ops.stack([ops.repeat(down, width, axis=1), ops.tile(right, (1, height))], axis=-1)
