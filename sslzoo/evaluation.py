"""Encoders over whole datasets: their features, and how good those are beside raw pixels and an untrained encoder."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from sslzoo.data import Dataset, Splits, describe, load
from sslzoo.evaluators.report import Row, judge, table
from sslzoo.export import load_encoder, read_facts
from sslzoo.views import presets

RAW_SIZE = 32  # raw pixels are judged at most at this side: a linear probe on 224 px would have 150 000 inputs


def images(dataset: Dataset, size: int, batch_size: int = 256) -> Iterator[np.ndarray]:
    """All images in order as encoders take them: batches (n, size, size, channels), float32 in [0, 1]."""
    view = presets.evaluation(size)
    for batch in dataset.batches(batch_size, drop_remainder=False):
        yield view(batch["image"], batch["size"]).numpy()


def encode(encoder: keras.Model, dataset: Dataset, size: int, batch_size: int = 256) -> np.ndarray:
    """Features (n, dim), float32, of all images in order."""
    return np.concatenate(list(feature_batches(encoder, dataset, size, batch_size)))


def feature_batches(encoder: keras.Model, dataset: Dataset, size: int, batch_size: int = 256) -> Iterator[np.ndarray]:
    """Features of all images in order, a batch (n, dim) at a time."""
    batches, total = images(dataset, size, batch_size), -(-len(dataset) // batch_size)
    for batch in tqdm(batches, f"features of {dataset.name}", total, leave=False, disable=None):
        yield encoder.predict_on_batch(batch).astype("float32")


def evaluate(
    encoder: keras.Model | str | Path,
    data: str,
    untrained: keras.Model | None = None,
    image_size: int | None = None,
    fractions: tuple[float, ...] = (0.01, 0.1, 1.0),
    seeds: int = 5,
) -> list[Row]:
    """Linear probe, k-NN and clustering of an encoder, each beside raw pixels and the untrained encoder.

    Args:
        encoder: a Keras model or the path of an exported one.
        data: as for `pretrain`; labels are needed in its training and its test part.
        untrained: the encoder before its training; of a given encoder's architecture with new weights if not given.
        image_size: side in pixels; that of the export, or of the encoder's input, if not given.
        fractions: of the training labels that the linear probe learns from.
        seeds: subsets of labels at fractions below 1.

    Returns:
        Rows of the table.

    Raises:
        ValueError: no labels, or no size; the text is one line that says what to do.
    """
    encoders, splits, size = prepare(encoder, data, untrained, image_size)
    return score(encoders, splits, size, fractions=fractions, seeds=seeds)


def prepare(
    encoder: keras.Model | str | Path, data: str, untrained: keras.Model | None = None, image_size: int | None = None
) -> tuple[dict[str, keras.Model], Splits, int]:
    """The encoders "trained" and "untrained", labelled data and the side of the images: arguments as of `evaluate`."""
    if not isinstance(encoder, keras.Model):
        image_size = image_size or read_facts(encoder)["encoder"]["image_shape"][0]
        encoder = load_encoder(encoder)
    splits = labelled(data)
    if not isinstance(data, Splits):  # who hands over splits has seen them announced
        announce(splits.train)
    size = image_size or encoder.input_shape[1]
    if not size:
        raise ValueError("this encoder takes images of any size: say which with image_size")
    same_channels(encoder, splits.train)
    return {"trained": encoder, "untrained": untrained or fresh(encoder)}, splits, size


def score(
    encoders: Mapping[str, keras.Model], data: Splits, size: int, raw_pixels: bool = True, **options
) -> list[Row]:
    """Every score of each encoder, by its name, and of raw pixels; prints them as a table.

    Args:
        encoders: over images (n, size, size, channels).
        data: labelled, with a test part.
        size: side in pixels.
        raw_pixels: judge the pixels too.
        options: of `evaluators.report.judge`.
    """
    features = {name: tuple(encode(encoder, part, size) for part in data) for name, encoder in encoders.items()}
    if raw_pixels:
        features["raw pixels"] = tuple(pixels(part, min(size, RAW_SIZE)) for part in data)
    found = judge(features, data.train.labels, data.test.labels, **options)
    rows = list(tqdm(found, desc="scores", unit="score", leave=False, disable=None))
    print(table(rows))
    return rows


def announce(dataset: Dataset) -> None:
    """Tells what was found and skipped, and what the dataset is."""
    print(*dataset.notes, describe(dataset), sep="\n")


def labelled(data) -> Splits:
    """The data to train a probe on and to test it on; ValueError where it has no labels."""
    splits = load(data)
    if splits.test is None or splits.train.labels is None:
        name = splits.train.name
        raise ValueError(f"{name} has no labels: an evaluation needs them (one folder a class, for images)")
    return splits


def fresh(encoder: keras.Model) -> keras.Model:
    """The same architecture with new weights, always the same ones."""
    keras.utils.set_random_seed(0)
    return type(encoder).from_config(encoder.get_config())


def same_channels(encoder: keras.Model, dataset: Dataset) -> None:
    """ValueError where the images have other channels than the encoder takes."""
    wanted, found = encoder.input_shape[-1], dataset.shape[-1]
    if wanted != found:
        raise ValueError(f"the encoder takes images of {wanted} channels, {dataset.name} has {found}")


def pixels(dataset: Dataset, size: int) -> np.ndarray:
    """Raw pixels (n, size x size x channels) of all images in order, in [0, 1]: the baseline of every encoder."""
    return np.concatenate([batch.reshape(len(batch), -1) for batch in images(dataset, size)])
