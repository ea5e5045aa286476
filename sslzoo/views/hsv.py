"""The hue of HSV, which is not linear in the pixels, in TensorFlow."""

import tensorflow as tf


def turned(pixels: tf.Tensor, turn: tf.Tensor) -> tf.Tensor:
    """Adds to the hue of RGB images, as torchvision's `adjust_hue` does; saturation and value are unchanged.

    Args:
        pixels: (n, height, width, 3) in [0, 1].
        turn: (n,) in full turns; 0 changes nothing.

    Returns:
        float32 pixels of the same shape.
    """
    red, green, blue = tf.unstack(pixels, axis=-1)
    value = tf.maximum(tf.maximum(red, green), blue)
    chroma = value - tf.minimum(tf.minimum(red, green), blue)
    sixth = 1 / tf.maximum(chroma, 1e-12)  # of gray, whose hue has no effect
    hue = tf.where(
        value == red,
        (green - blue) * sixth,
        tf.where(value == green, 2 + (blue - red) * sixth, 4 + (red - green) * sixth),
    )
    hue += 6 * turn[:, None, None]
    return tf.stack([value - chroma * _share(hue + offset) for offset in (5.0, 3.0, 1.0)], axis=-1)


def _share(place: tf.Tensor) -> tf.Tensor:
    """The share of the chroma by which a channel is below the value; `place` in sixths of a turn."""
    place -= 6 * tf.floor(place / 6)
    return tf.clip_by_value(tf.minimum(place, 4 - place), 0.0, 1.0)
