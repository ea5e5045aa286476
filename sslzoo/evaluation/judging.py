"""Features of whole datasets, and how good they are compared with raw pixels and the untrained encoder."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from sslzoo.data import Dataset, Splits, describe, load, restrict
from sslzoo.evaluation import baseline
from sslzoo.evaluators.judge import TRAINED, Scored, judge
from sslzoo.evaluators.remember import remembered
from sslzoo.evaluators.report import Row, note, table
from sslzoo.exports.savedmodel import load_encoder, read_facts
from sslzoo.views.inputs import encode, images, pixels

UNTRAINED, RAW = "untrained", "raw pixels"
JUDGED = (10_000, 5_000)  # training and test images that encoders are judged on, at most
CALIBRATED = 2048  # images that give the BatchNorm statistics of encoders with new weights
RAW_SIZE = 32  # raw pixels are judged at most at this side: a linear probe on 224 px would have 150 000 inputs


@dataclasses.dataclass(frozen=True)
class Subject:
    """An encoder to judge, its untrained baseline, and the data to judge them on.

    Attributes:
        columns: name -> encoders: "trained" has one; "untrained" is the run's own start, or, where that is not known,
            "untrained (mean of 3 seeds)" has three with new weights.
        data: at most JUDGED images; labelled and with a test part unless `prepare` was told otherwise.
        size: side of the images in pixels.
        facts: recipe.json of an exported encoder; {} for a model.
    """

    columns: dict[str, list[keras.Model]]
    data: Splits
    size: int
    facts: dict = dataclasses.field(default_factory=dict)


def evaluate(
    encoder: keras.Model | str | Path,
    data: str,
    untrained: keras.Model | None = None,
    image_size: int | None = None,
    classes: int | None = None,
    max_images: int | None = None,
    fractions: tuple[float, ...] = (0.01, 0.1, 1.0),
    seeds: int = 5,
) -> list[Row]:
    """Linear probe, k-NN and clustering of an encoder, next to raw pixels and the untrained encoder.

    Args:
        encoder: a Keras model or the path of an exported one.
        data: as for `pretrain`, with labels in its training and its test part.
        untrained: the encoder before its training. If not given, that of the export, or the mean of three encoders with
            new weights.
        image_size: side in pixels; that of the export, or of the encoder's input, if not given.
        classes: keep only the first `classes` classes; as in training if not given and the data are the same.
        max_images: most training images and most test images, drawn with a fixed seed; as in training if not
            given and the data are the same. Never more than 10 000 training and 5000 test images.
        fractions: of the training labels that the linear probe learns from.
        seeds: subsets of labels at fractions below 1.

    Returns:
        Rows of the table.

    Raises:
        ValueError: no labels, or no size; the text is one line that says what to do.
    """
    subject = prepare(encoder, data, untrained, image_size, classes, max_images)
    return score(subject.columns, subject.data, subject.size, fractions=fractions, seeds=seeds)


def prepare(
    encoder: keras.Model | str | Path,
    data: str,
    untrained: keras.Model | None = None,
    image_size: int | None = None,
    classes: int | None = None,
    max_images: int | None = None,
    unlabelled: bool = False,
) -> Subject:
    """The encoder, its baseline and its data.

    Args:
        encoder, data, untrained, image_size, classes, max_images: as of `evaluate`.
        unlabelled: accept data without labels and without a test part.
    """
    facts = {} if isinstance(encoder, keras.Model) else read_facts(encoder)
    model = encoder if isinstance(encoder, keras.Model) else load_encoder(encoder)
    splits = judged(load(data) if unlabelled else labelled(data), facts, classes, max_images)
    if not isinstance(data, Splits):  # splits were announced when they were loaded
        announce(splits.train)
    size = image_size or (facts["encoder"]["image_shape"][0] if facts else model.input_shape[1])
    if not size:
        raise ValueError("this encoder takes images of any size: say which with image_size")
    same_channels(model, splits.train)
    start = [untrained] if untrained else [baseline.restore(encoder)] if facts else [None]
    columns = {TRAINED: [model]} | untrained_column(model, start[0], splits.train, size)
    return Subject(columns, splits, size, facts)


def untrained_column(
    model: keras.Model, start: keras.Model | None, train: Dataset, size: int
) -> dict[str, list[keras.Model]]:
    """The column of the untrained baseline: the start itself, or several encoders with new weights if it is None."""
    if start is not None:
        return {UNTRAINED: [start]}
    some = train.sample(CALIBRATED)
    made = baseline.several(model, lambda: images(some, size))
    return {f"{UNTRAINED} (mean of {len(made)} seeds)": made}


def judged(splits: Splits, facts: dict, classes: int | None = None, max_images: int | None = None) -> Splits:
    """The part of the data that encoders are judged on: at most JUDGED training and test images.

    Without `classes` and `max_images`, and if the data are those of the training, it is the part that the encoder was
    trained on; the scores are then those of its card.

    Args:
        splits: the training part, and the test part if there is one.
        facts: recipe.json of the encoder, or {}.
        classes, max_images: as of `evaluate`.
    """
    if classes is None and max_images is None:
        knobs = facts.get("knobs", {})
        classes, max_images = _as_trained(splits, facts, knobs.get("classes"), knobs.get("max_images"))
    splits = restrict(splits, classes, max_images)
    counts = [min(most, max_images or most) for most in JUDGED]
    return Splits(*(part and part.sample(count) for part, count in zip(splits, counts, strict=True)))


def _as_trained(splits: Splits, facts: dict, classes: int | None, max_images: int | None) -> tuple:
    try:
        train = restrict(Splits(splits.train), classes, max_images).train
    except ValueError:  # other data, which have no such part
        return None, None
    same = train.fingerprint() in str(facts.get("data", ""))
    return (classes, max_images) if same else (None, None)


def score(
    columns: Mapping[str, Sequence[keras.Model]], data: Splits, size: int, raw_pixels: bool = True, **options
) -> list[Row]:
    """Every score of each column of encoders and of raw pixels; prints them as a table.

    Args:
        columns: name -> encoders over images (n, size, size, channels); of several the mean is taken.
        data: labelled, with a test part.
        size: side in pixels.
        raw_pixels: judge the pixels too.
        options: of `evaluators.judge.judge`.
    """
    features = {
        name: [tuple(encode(encoder, part, size) for part in data) for encoder in encoders]
        for name, encoders in columns.items()
    }
    rows = scores_of(features, data, size, raw_pixels, **options)
    print(table(rows), note(data.train.labels, data.test.labels), sep="\n")
    return rows


def scores_of(
    features: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]],
    data: Splits,
    size: int,
    raw_pixels: bool = True,
    **options,
) -> list[Row]:
    """As `score`, from features (train, test) that were computed before; prints nothing."""
    known = {RAW: [raw_scores(data, size, **options)]} if raw_pixels else {}
    return judge(features, data.train.labels, data.test.labels, known=known, **options)[0]


def raw_scores(data: Splits, size: int, **options) -> list[Scored]:
    """Scores of raw pixels, at most at RAW_SIZE; kept in the cache folder, since they are the same for all encoders."""
    parts = tuple(pixels(part, min(size, RAW_SIZE)) for part in data)
    labels = data.train.labels, data.test.labels
    return remembered((*parts, *labels, options), lambda: judge({RAW: [parts]}, *labels, **options)[1][RAW][0])


def announce(dataset: Dataset) -> None:
    """Prints what was found and skipped, and what the dataset is."""
    print(*dataset.notes, describe(dataset), sep="\n")


def labelled(data) -> Splits:
    """The data to train a probe on and to test it on; raises ValueError if it has no labels."""
    splits = load(data)
    if splits.test is None or splits.train.labels is None:
        name = splits.train.name
        raise ValueError(f"{name} has no labels: an evaluation needs them (one folder a class, for images)")
    return splits


def same_channels(encoder: keras.Model, dataset: Dataset) -> None:
    """Raises ValueError if the images have other channels than the encoder takes."""
    wanted, found = encoder.input_shape[-1], dataset.shape[-1]
    if wanted != found:
        raise ValueError(f"the encoder takes images of {wanted} channels, {dataset.name} has {found}")
