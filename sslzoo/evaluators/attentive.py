"""Attentive probe: accuracy of a trained query that attends to the frozen tokens of an image, and a linear layer."""

from collections.abc import Iterator

import keras
import numpy as np
from keras import layers, ops

from sslzoo.catalog.checked import checked
from sslzoo.evaluators import Score, Study, as_labels, check_classes
from sslzoo.optimizers.schedules import WarmupCosine
from sslzoo.utils.bars import progress

WIDTH = 64  # features of a head
IMAGES = 5000  # training images at most
BYTES = 2**30  # of their tokens at most


def evaluate(study: Study, *, epochs: int = 20, learning_rate: float = 3e-3) -> Iterator[Score]:
    """Accuracy of `attentive_answers`, fitted to at most 5000 training images, fewer if their tokens exceed 1 GB."""
    if study.tokens is None:
        raise ValueError("tokens are required: patches of a vision transformer, or places of a feature map")
    labels, test_labels = study.labels
    one = next(study.tokens("train", np.arange(1)))
    count = max(1, min(IMAGES, BYTES // (4 * one.size)))
    rows = np.sort(np.random.default_rng(0).permutation(len(labels))[:count])
    train = np.concatenate(list(study.tokens("train", rows)))
    test = study.tokens("test", np.arange(len(test_labels)))
    right = attentive_answers(train, labels[rows], test, test_labels, epochs, learning_rate)
    yield Score("attentive", float(np.mean(right)), f"attentive probe, {epochs} epochs", percent=True, answers=right)


@checked("N L dim", "")
def attentive_answers(
    train_x,
    train_y,
    test_x,
    test_y,
    epochs: int = 20,
    learning_rate: float = 3e-3,
    batch_size: int = 64,
    seed: int = 0,
) -> np.ndarray:
    """Whether an attentive probe is right on each test image: bool (test images,).

    AIM's probe (arXiv 2401.08541): tokens are standardized for each feature over images and places, a trained query
    attends to them, and a linear layer reads its output. AdamW with a cosine, as in V-JEPA (arXiv 2404.08471).

    Args:
        train_x: tokens of the training images, (images, tokens, dim).
        train_y, test_y: labels (images,).
        test_x: iterable of arrays of tokens (n, tokens, dim), all test images in order.
        epochs: passes over the train part.
        learning_rate: at the start; falls to 0 along a cosine.
        batch_size: images of a step.
        seed: of weights and order.

    Raises:
        ValueError: for NaN or infinity, a single class, or labels of a wrong shape.
    """
    train_x = np.asarray(train_x, "float32")
    classes, numbers = np.unique(as_labels(train_y, train_x), return_inverse=True)
    check_classes(classes)
    if not np.isfinite(train_x).all():
        raise ValueError("the tokens hold NaN or infinity; look at the encoder that made them")
    keras.utils.set_random_seed(seed)
    model = _probe(train_x, len(classes))
    steps = max(1, epochs * -(-len(train_x) // batch_size))
    rate = WarmupCosine(learning_rate, steps, 0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(rate, weight_decay=1e-3), loss, jit_compile=False)
    with progress(None, "attentive probe", steps) as bar:
        shown = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: bar.update())
        model.fit(train_x, numbers, batch_size, epochs, verbose=0, callbacks=[shown])
    found = [classes[model.predict_on_batch(np.asarray(some, "float32")).argmax(1)] for some in test_x]
    return np.concatenate(found) == as_labels(test_y, np.concatenate(found))


def _probe(tokens: np.ndarray, classes: int) -> keras.Model:
    """Tokens -> logits, standardized as the given ones (n, tokens, dim) are."""
    mean, variance = tokens.mean((0, 1), dtype="float64"), tokens.var((0, 1), dtype="float64")
    dim = tokens.shape[-1]
    heads = next(count for count in range(max(1, dim // WIDTH), 0, -1) if dim % count == 0)
    seen = keras.Input(tokens.shape[1:])
    x = AttentivePool(heads, mean, (variance + 1e-6) ** -0.5)(seen)
    return keras.Model(seen, layers.Dense(classes, kernel_initializer="zeros")(x))


class AttentivePool(layers.Layer):
    """The mean of the tokens' values, weighted by a trained query: (batch, tokens, dim) -> (batch, dim).

    Args:
        heads: int, divides the features of a token.
        mean, scale: (dim,), subtracted from the tokens, and multiplied afterwards.
    """

    def __init__(self, heads: int, mean: np.ndarray, scale: np.ndarray, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads
        self.mean, self.scale = mean.astype("float32"), scale.astype("float32")

    def build(self, input_shape):
        dim = input_shape[-1]
        self.query = self.add_weight((dim,), keras.initializers.TruncatedNormal(stddev=0.02), name="query")
        self.key, self.value = (self.add_weight((dim, dim), name=name) for name in ("key", "value"))

    def call(self, tokens):
        return attend((tokens - self.mean) * self.scale, self.query, self.key, self.value, self.heads)


def attend(tokens, query, key, value, heads: int):
    """Attention of one query to the keys and values of tokens, by heads.

    With a single query the products can be reordered, so that tokens are multiplied by vectors alone: q' (K x) is
    (K' q)' x, and the weighted mean of the values is the value of the weighted mean.

    Args:
        tokens: (n, tokens, dim).
        query: (dim,).
        key, value: (dim, dim), which tokens are multiplied by from the right.
        heads: int, number of equal parts of query, keys and values.

    Returns:
        (n, dim).
    """
    dim = query.shape[0]
    width = dim // heads
    keys, values = (ops.reshape(weight, (dim, heads, width)) for weight in (key, value))
    asked = ops.einsum("dhw,hw->dh", keys, ops.reshape(query, (heads, width)))
    scores = ops.matmul(tokens, asked) * width**-0.5
    weights = ops.exp(scores - ops.logsumexp(scores, axis=1, keepdims=True))  # Keras warns of a softmax of one token
    means = ops.einsum("nlh,nld->nhd", weights, tokens)
    return ops.reshape(ops.einsum("nhd,dhw->nhw", means, values), (-1, dim))
