"""Encoders side by side on the same images: accuracies, intervals of their differences, and what they share."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm

from sslzoo.data import Splits
from sslzoo.evaluation import baseline, judging
from sslzoo.evaluators.bootstrap import Difference, paired_difference
from sslzoo.evaluators.judge import Scored, judge
from sslzoo.evaluators.overlap import neighbour_overlap
from sslzoo.evaluators.report import grid, note
from sslzoo.evaluators.spectrum import effective_rank
from sslzoo.exports.savedmodel import load_encoder, read_facts
from sslzoo.views import inputs

NEIGHBOURS = 10
SPECTRUM_IMAGES = 1000
METRICS = {"knn": "k-NN", "linear_1": "linear probe"}


class Compared(NamedTuple):
    """What is compared of an encoder.

    Attributes:
        size: side of its images in pixels.
        features: of the test images, (images, dim).
        rank: effective rank of some of them.
        scores: by key of METRICS.
        untrained: the same of its untrained baseline: a list, with one entry for each encoder in it.
    """

    size: int
    features: np.ndarray
    rank: float
    scores: dict[str, Scored]
    untrained: list[dict[str, Scored]]


def compare(
    encoders: Sequence[str],
    data: str,
    classes: int | None = None,
    max_images: int | None = None,
    image_size: int | None = None,
) -> str:
    """Judges exported encoders on the same images, each next to its untrained baseline, with intervals.

    Args:
        encoders: paths of exported encoders, two or more.
        data: as for `pretrain`, with labels.
        classes: keep only the first `classes` classes; as in training of the first encoder if not given and the data
            are the same.
        max_images: most training images and most test images, drawn with a fixed seed; as in training of the
            first encoder if not given and the data are the same. Never more than 10 000 and 5000.
        image_size: side in pixels for all; by default each encoder gets that of its export.

    Returns:
        Markdown: a table of accuracies with raw pixels as the last line, and one of mutual k-NN overlap.

    Raises:
        ValueError: fewer than two encoders, no labels, other channels, or no exported encoder.
    """
    if len(encoders) < 2:
        raise ValueError("name two encoders or more to compare")
    names, facts = _names(encoders), [read_facts(path) for path in encoders]
    splits = judging.judged(judging.labelled(data), facts[0], classes, max_images)
    if min(map(len, splits)) < 10:
        raise ValueError("fewer than 10 images are too few to compare encoders on: take more")
    sizes = [image_size or told["encoder"]["image_shape"][0] for told in facts]
    bar = tqdm(list(zip(names, encoders, sizes, strict=True)), "compare", unit="encoder", leave=False, disable=None)
    found = {name: _judged(path, splits, size) for name, path, size in bar}
    found[judging.RAW] = _raw(splits, min(judging.RAW_SIZE, *sizes))
    head = f"{splits.train.name}: {note(splits.train.labels, splits.test.labels)}."
    return "\n\n".join([head, _scores(found), _overlaps(found)])


def _names(paths):
    """The last part of each path, or the whole path where last parts are equal."""
    short = [Path(path).name for path in paths]
    return short if len(set(short)) == len(short) else [str(path) for path in paths]


def _judged(path, splits: Splits, size: int) -> Compared:
    model = load_encoder(path)
    judging.same_channels(model, splits.train)
    (untrained,) = judging.untrained_column(model, baseline.restore(path), splits.train, size).values()
    features, *others = ([inputs.encode(encoder, part, size) for part in splits] for encoder in (model, *untrained))
    rank = effective_rank(features[1][:SPECTRUM_IMAGES])
    return Compared(size, features[1], rank, _scored(features, splits), [_scored(x, splits) for x in others])


def _raw(splits: Splits, size: int) -> Compared:
    parts = [inputs.pixels(part, size) for part in splits]
    rank = effective_rank(parts[1][:SPECTRUM_IMAGES])
    return Compared(size, parts[1], rank, _scored(parts, splits), [])


def _scored(features, splits: Splits) -> dict[str, Scored]:
    labels = splits.train.labels, splits.test.labels
    scores = judge({"it": [features]}, *labels, metrics=("knn", "linear"), fractions=(1.0,))[1]["it"][0]
    return {score.key: score for score in scores}


def _scores(found: dict[str, Compared]) -> str:
    head = ["encoder", "side (px)", "features", "RankMe"]
    for title in METRICS.values():
        head += [title, "over its untrained", "over the first"]
    lines = [_line(name, one, next(iter(found.values()))) for name, one in found.items()]
    text = (
        "Differences with their 95 % interval, a paired bootstrap over the test images; `*` marks those whose interval "
        "excludes zero. They do not cover the spread over training seeds."
    )
    return f"{grid(head, lines)}\n\n{text}"


def _line(name: str, one: Compared, first: Compared) -> list[str]:
    cells = [name, str(one.size), str(one.features.shape[1]), f"{one.rank:.0f}"]
    for key in METRICS:
        own = one.scores[key]
        untrained = [scores[key].answers for scores in one.untrained]
        cells.append(f"{100 * own.mean:.1f} %")
        cells.append(_difference(own, np.mean(untrained, axis=0)) if untrained else "")
        cells.append("" if one is first else _difference(own, first.scores[key].answers))
    return cells


def _difference(own: Scored, other: np.ndarray) -> str:
    difference: Difference = paired_difference(own.answers, other)
    return f"{difference}{' *' if difference.clear else ''}"


def _overlaps(found: dict[str, Compared]) -> str:
    k = min(NEIGHBOURS, len(next(iter(found.values())).features) - 1)
    names = list(found)
    lines = [
        [one, *(f"{100 * neighbour_overlap(found[one].features, found[other].features, k):.0f} %" for other in names)]
        for one in names
    ]
    chance = 100 * k / (len(next(iter(found.values())).features) - 1)
    text = f"Share of the {k} nearest test images that two encoders have in common; chance is {chance:.1f} %."
    return f"{text}\n\n{grid(['', *names], lines)}"
