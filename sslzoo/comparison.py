"""Encoders side by side on the same images: accuracies, intervals of their differences, and what they share."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sslzoo import evaluation
from sslzoo.data import Splits
from sslzoo.evaluators import linear
from sslzoo.evaluators.bootstrap import Difference, paired_difference
from sslzoo.evaluators.knn import vote
from sslzoo.evaluators.overlap import neighbour_overlap
from sslzoo.evaluators.report import grid
from sslzoo.evaluators.spectrum import effective_rank
from sslzoo.export import load_encoder, read_facts

RAW = "raw pixels"
NEIGHBOURS = 10
SPECTRUM_IMAGES = 1000


class Compared(NamedTuple):
    """An encoder: side of its images in pixels, features, effective rank, and right or not for each test image."""

    size: int
    features: np.ndarray  # (test images, dim)
    rank: float
    knn: np.ndarray  # (test images,) bool
    probe: np.ndarray  # (test images,) bool


def compare(
    encoders: Sequence[str],
    data: str,
    max_images: int = 5000,
    test_images: int = 2000,
    image_size: int | None = None,
) -> str:
    """Judges exported encoders on the same images and tells how sure the differences to the first one are.

    Args:
        encoders: paths of exported encoders, two or more.
        data: as for `pretrain`, with labels.
        max_images: training images that the probes see, drawn with a fixed seed.
        test_images: test images at most, drawn alike.
        image_size: side in pixels for all; by default each encoder gets that of its export.

    Returns:
        Markdown: a table of accuracies with raw pixels as a last line, and one of mutual k-NN overlap.

    Raises:
        ValueError: fewer than two encoders, no labels, other channels, or no exported encoder.
    """
    if len(encoders) < 2:
        raise ValueError("name two encoders or more to compare")
    names = _names(encoders)
    splits = evaluation.labelled(data)
    if min(max_images, test_images) < 10:
        raise ValueError("fewer than 10 images are too few to compare encoders on: take more")
    splits = Splits(splits.train.sample(max_images), splits.test.sample(test_images))
    found = {n: _judged(path, splits, image_size) for n, path in zip(names, encoders, strict=True)}
    size = min(evaluation.RAW_SIZE, min(one.size for one in found.values()))
    found[RAW] = _answers(size, *(evaluation.pixels(part, size) for part in splits), splits)
    head = f"{splits.train.name}: {len(splits.train)} images to train probes, {len(splits.test)} to test them."
    return "\n\n".join([head, _scores(found), _overlaps(found)])


def _names(paths):
    """The last part of each path, or as much of it as tells them apart."""
    short = [Path(path).name for path in paths]
    return short if len(set(short)) == len(short) else [str(path) for path in paths]


def _judged(path, splits, image_size):
    size = image_size or read_facts(path)["encoder"]["image_shape"][0]
    encoder = load_encoder(path)
    evaluation.same_channels(encoder, splits.train)
    return _answers(size, *(evaluation.encode(encoder, part, size) for part in splits), splits)


def _answers(size, train_x, test_x, splits):
    train_y, test_y = splits.train.labels, splits.test.labels
    x, z = linear.standardize(train_x, test_x)
    probe = linear.fit(x, train_y).predict(z) == test_y
    rank = effective_rank(test_x[:SPECTRUM_IMAGES])
    return Compared(size, test_x, rank, vote(train_x, train_y, test_x) == test_y, probe)


def _scores(found):
    first = next(iter(found.values()))
    head = ["encoder", "side (px)", "features", "RankMe", "k-NN", "difference", "linear probe", "difference"]
    lines = []
    for name, one in found.items():
        cells = [name, str(one.size), str(one.features.shape[1]), f"{one.rank:.1f}"]
        for own, other in ((one.knn, first.knn), (one.probe, first.probe)):
            difference = "" if one is first else _difference(paired_difference(own, other))
            cells += [f"{100 * own.mean():.1f} %", difference]
        lines.append(cells)
    note = (
        "Differences to the first encoder with their 95 % interval, a paired bootstrap over the test images; `*` marks "
        "those whose interval leaves out zero. They tell nothing of other training seeds."
    )
    return f"{grid(head, lines)}\n\n{note}"


def _difference(difference: Difference) -> str:
    return f"{difference}{' *' if difference.clear else ''}"


def _overlaps(found):
    k = min(NEIGHBOURS, len(next(iter(found.values())).features) - 1)
    names = list(found)
    lines = [
        [one, *(f"{100 * neighbour_overlap(found[one].features, found[other].features, k):.0f} %" for other in names)]
        for one in names
    ]
    chance = 100 * k / (len(next(iter(found.values())).features) - 1)
    note = f"Share of the {k} nearest test images that two encoders have in common; chance is {chance:.1f} %."
    return f"{note}\n\n{grid(['', *names], lines)}"
