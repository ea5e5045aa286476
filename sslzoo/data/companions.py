"""Companion columns of batches: labels, tokens of captions, and the partners that a relation draws."""

from typing import Any

import tensorflow as tf

from sslzoo.data.episodes import uniform_of


def companions(
    dataset: Any, index: tf.Tensor, row: tf.Tensor, step: tf.Tensor, batch_size: int, seed: int | None
) -> dict[str, tf.Tensor]:
    """The columns of examples that are not read.

    Args:
        dataset: a Dataset.
        index: int64 (n,), of the examples.
        row: int32 (n,), their rows in the global batch.
        step: of the batch, a scalar.
        batch_size: of the global batch.
        seed: of the order of the examples, or None.

    Returns:
        `label` where there are labels, `text` where there are tokens of captions, and the columns of
        `Episodes.columns` where there is a relation.
    """
    found = {}
    if dataset.labels is not None:
        found["label"] = tf.gather(tf.constant(dataset.labels, tf.int32), index)
    if dataset.captions and dataset.captions.tokens is not None:
        found["text"] = tf.gather(tf.constant(dataset.captions.tokens), index)
    if dataset.episodes and dataset.episodes.relation:
        found |= dataset.episodes.columns(index, tf.gather(uniform_of(step, batch_size, seed), row))
    return found


def with_partners(dataset: Any, columns: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """The columns with those that are read, and with `partners` and `partner_size` (n, partners, ...) if there are any.

    Args:
        dataset: a Dataset.
        columns: with `index` (n,), and `partner` (n, partners) of a relation.
    """
    rows = columns["index"].shape
    read = zip(dataset.spec.items(), dataset.read_columns(columns["index"]), strict=True)
    columns = columns | {name: tf.ensure_shape(column, (*rows, *spec.shape)) for (name, spec), column in read}
    if "partner" not in columns:
        return columns
    partner = columns["partner"]
    found = dict(zip(dataset.spec, dataset.read_columns(tf.reshape(partner, [-1])), strict=True))
    for name, column in (("partners", dataset.kind), ("partner_size", "size")):
        shape = (*partner.shape[1:], *dataset.spec[column].shape)
        columns[name] = tf.ensure_shape(tf.reshape(found[column], (-1, *shape)), (*rows, *shape))
    return columns


def content_of(dataset: Any) -> bytes:
    """Bytes that change with the captions, and with the episodes, actions and rewards of frames."""
    captions = repr(dataset.captions.texts).encode("utf-8", "surrogatepass") if dataset.captions else b""
    return captions + (dataset.episodes.content() if dataset.episodes else b"")
