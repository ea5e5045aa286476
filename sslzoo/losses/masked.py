"""Losses of masked and predictive methods: patches and tokens that a network predicts from others.

Those of patches return one number for each image, so that replicas gather numbers instead of pixels or logits. Their
`weights` choose the patches that count: a mask, 1 where a patch was hidden.
"""

from keras import ops

from sslzoo.catalog.checked import checked
from sslzoo.losses.directions import unit

TINY = 1e-8


@checked("N height width channels")
def patch_targets(images, patch: int, *, normalize: bool = True):
    """The pixels of each patch (MAE, arXiv 2111.06377, section 3), patches row by row.

    Args:
        images: (N, height, width, channels), sides multiples of the patch.
        patch: int, side of a patch in pixels.
        normalize: bool, subtracts the mean of each patch and divides by its standard deviation, with N - 1 as in the
            authors' code and 1e-6 added to the variance.

    Returns:
        float32 (N, patches, patch * patch * channels), in the order row, column, channel.
    """
    _, height, width, channels = images.shape
    rows, columns = height // patch, width // patch
    x = ops.reshape(ops.cast(images, "float32"), (-1, rows, patch, columns, patch, channels))
    x = ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, rows * columns, patch * patch * channels))
    if not normalize:
        return x
    x = x - ops.mean(x, axis=-1, keepdims=True)
    count = patch * patch * channels
    return x / ops.sqrt(ops.sum(x**2, axis=-1, keepdims=True) / max(count - 1, 1) + 1e-6)


@checked("N patches values")
def patch_images(patches, grid: tuple[int, int], patch: int):
    """Images of patches, the inverse of `patch_targets` without normalization.

    Args:
        patches: (N, rows * columns, patch * patch * channels).
        grid: (rows, columns).
        patch: int, side of a patch in pixels.

    Returns:
        (N, rows * patch, columns * patch, channels).
    """
    rows, columns = grid
    x = ops.reshape(patches, (-1, rows, columns, patch, patch, patches.shape[-1] // patch**2))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, rows * patch, columns * patch, x.shape[-1]))


@checked("N patches features", "N patches features")
def patch_mse(predictions, targets, *, weights=None):
    """Mean squared error over features and chosen patches (MAE, arXiv 2111.06377, section 3).

    Args:
        predictions, targets: (N, patches, features).
        weights: (N, patches), weight of each patch in the mean; equal if None.

    Returns:
        float32 (N,); 0 for an image without weight.
    """
    return _mean(ops.mean(_apart(predictions, targets) ** 2, axis=-1), weights)


@checked("N patches features", "N patches features")
def patch_l1(predictions, targets, *, weights=None):
    """Mean absolute error over features and chosen patches (SimMIM, arXiv 2111.09886, section 3.4).

    Args:
        predictions, targets, weights: as of `patch_mse`.

    Returns:
        float32 (N,); 0 for an image without weight.
    """
    return _mean(ops.mean(ops.abs(_apart(predictions, targets)), axis=-1), weights)


@checked("N patches features", "N patches features")
def smooth_l1(predictions, targets, *, beta: float = 1.0, weights=None):
    """Mean over features and chosen patches of r^2 / (2 beta) below beta, and |r| - beta / 2 above.

    I-JEPA's code (arXiv 2301.08243) has beta 1, data2vec (arXiv 2202.03555, equation 2) beta 2 for images.

    Args:
        predictions, targets, weights: as of `patch_mse`.
        beta: float, above 0.

    Returns:
        float32 (N,); 0 for an image without weight.
    """
    apart = ops.abs(_apart(predictions, targets))
    errors = ops.where(apart < beta, apart**2 / (2 * beta), apart - beta / 2)
    return _mean(ops.mean(errors, axis=-1), weights)


@checked("*axes K", "*axes K")
def masked_cross_entropy(logits, targets, *, weights=None):
    """Mean over chosen patches of the cross-entropy of logits with target probabilities (iBOT, 2111.07832, equation 2).

    Args:
        logits: (N, ..., patches, K).
        targets: (N, ..., patches, K), rows of sum 1; no gradient passes.
        weights: (N, ..., patches), weight of each patch in the mean; equal if None.

    Returns:
        float32 (N, ...); log(K) where logits are uniform, 0 for an image without weight.
    """
    logs = ops.log_softmax(ops.cast(logits, "float32"))
    targets = ops.stop_gradient(ops.cast(targets, "float32"))
    return _mean(-ops.sum(targets * logs, axis=-1), weights)


@checked("N pixels K", "N pixels")
def class_cross_entropy(logits, ids, *, weights=None):
    """Mean over chosen pixels of the cross-entropy of logits with classes (image-GPT, section 2), in nats.

    Args:
        logits: (N, pixels, K).
        ids: int (N, pixels), in 0..K - 1.
        weights: (N, pixels), weight of each pixel in the mean; equal if None.

    Returns:
        float32 (N,); log(K) where logits are uniform, 0 for an image without weight.
    """
    logs = ops.log_softmax(ops.cast(logits, "float32"))
    return _mean(-ops.take_along_axis(logs, ids[..., None], axis=-1)[..., 0], weights)


@checked("... dim")
def standardized(tokens, *, epsilon: float = 1e-5):
    """Tokens of mean 0 and variance 1 over their features, a layer norm without scale and offset, float32."""
    x = ops.cast(tokens, "float32")
    x = x - ops.mean(x, axis=-1, keepdims=True)
    return x / ops.sqrt(ops.mean(x**2, axis=-1, keepdims=True) + epsilon)


@checked("N>1 dim")
def koleo(z):
    """KoLeo: minus the mean logarithm of the distance to the nearest neighbour (Sablayrolles et al., arXiv 1806.03198).

    With the constants of DINOv2 (arXiv 2304.07193, appendix). It spreads the rows over the sphere.

    Args:
        z: (N, dim), of any norm, N above 1. Gradients reach a row and its neighbour.

    Returns:
        A float32 scalar, negative for few rows of many dimensions; -log(1e-8 (1 + sqrt(dim))) if all are equal.
    """
    z = unit(z)
    cosines = ops.matmul(z, ops.transpose(z)) - 2 * ops.eye(ops.shape(z)[0])
    nearest = ops.take(z, ops.argmax(ops.stop_gradient(cosines), axis=1), axis=0)
    return -ops.mean(ops.log(ops.norm(z - nearest + TINY, axis=-1) + TINY))


@checked("N patches dim", "N patches other")
def gram(tokens, targets):
    """DINOv3's Gram loss: squared differences of the cosines of all pairs of patches (arXiv 2508.10104, section 4.2).

    Args:
        tokens: (N, patches, dim), of any norm.
        targets: (N, patches, other dim), those of the Gram teacher; no gradient passes.

    Returns:
        float32 (N,), the mean over all pairs of patches of an image, equal ones included.
    """
    similar, wanted = (ops.matmul(x, ops.transpose(x, (0, 2, 1))) for x in (unit(tokens), unit(targets)))
    return ops.mean((similar - ops.stop_gradient(wanted)) ** 2, axis=(1, 2))


def _apart(predictions, targets):
    return ops.cast(predictions, "float32") - ops.cast(targets, "float32")


def _mean(errors, weights):
    """Weighted mean over patches: (N, ..., patches) -> (N, ...)."""
    if weights is None:
        return ops.mean(errors, axis=-1)
    weights = ops.cast(weights, "float32")
    total = ops.sum(weights, axis=-1)
    # An image without weight counts as 0; smaller totals than 1 are possible, since weights need not be a mask.
    return ops.sum(errors * weights, axis=-1) / ops.where(total > 0, total, 1.0)
