"""Regions of images: the objects at the places of a feature map, and the mean feature of an object."""

import keras
from keras import ops


def grid(cells: int):
    """Objects that are the cells of a grid, row by row: int32 (1, cells, cells)."""
    return ops.reshape(ops.arange(cells * cells, dtype="int32"), (1, cells, cells))


def objects(regions, positions):
    """The object at each position.

    Args:
        regions: int (n, rows, columns), or (1, rows, columns) for all images; covers the square of the image's longer
            side from its top left corner.
        positions: (n, places, 2), row and column in units of the longer side, as `layers.maps.positions` gives them.

    Returns:
        int32 (n, places).
    """
    rows, columns = regions.shape[1:]
    down, right = (
        ops.clip(ops.cast(ops.floor(positions[..., axis] * size), "int32"), 0, size - 1)
        for axis, size in enumerate((rows, columns))
    )
    flat = ops.broadcast_to(ops.reshape(regions, (-1, rows * columns)), (ops.shape(positions)[0], rows * columns))
    return ops.cast(ops.take_along_axis(flat, down * columns + right, axis=1), "int32")


def sample(ids, uniform):
    """Objects drawn with replacement, each object of an image with the same probability.

    Args:
        ids: int (n, places).
        uniform: (n, count), in [0, 1).

    Returns:
        int (n, count).
    """
    area = ops.sum(ops.cast(ids[:, :, None] == ids[:, None], "float32"), axis=2)
    upto = ops.cumsum(1 / area, axis=1)  # the places of an object share one unit
    threshold = uniform[:, :, None] * upto[:, None, -1:]
    drawn = ops.argmax(upto[:, None] > threshold, axis=2)
    return ops.take_along_axis(ids, drawn, axis=1)


def pool(feature_map, ids, sampled):
    """The mean feature of the places of each sampled object.

    Args:
        feature_map: (n, height, width, channels).
        ids: int (n, height * width), the objects of the places.
        sampled: int (n, count), objects.

    Returns:
        (n, count, channels), zeros for an object that no place shows.
    """
    masks = ops.cast(sampled[:, :, None] == ids[:, None], feature_map.dtype)
    places = ops.reshape(feature_map, (-1, ids.shape[1], feature_map.shape[-1]))
    return ops.matmul(masks, places) / ops.maximum(ops.sum(masks, axis=2, keepdims=True), 1)


def each(network: keras.Model, vectors):
    """Applies a network to every vector: (n, count, dim) -> (n, count, output), BatchNorm over all of them."""
    outputs = network(ops.reshape(vectors, (-1, vectors.shape[-1])))
    return ops.reshape(outputs, (-1, vectors.shape[1], outputs.shape[-1]))
