"""Scores of images and captions in one space, compared with chance, an untrained pair and the raw pixels."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from sslzoo.data import Dataset, Splits
from sslzoo.data.captions import normal
from sslzoo.evaluation.baseline import fresh
from sslzoo.evaluators import image_text
from sslzoo.evaluators.bootstrap import paired_difference
from sslzoo.evaluators.report import Row
from sslzoo.evaluators.scores import Scores
from sslzoo.exports.text import TextTower
from sslzoo.utils import plots
from sslzoo.utils.provenance import command
from sslzoo.views.inputs import encode, pixels

TRAINED, UNTRAINED, CHANCE = "trained", "untrained", "chance"
DEPTHS = (1, 5, 10)
PIXELS = 16  # side of the raw pixels of the baselines
MOST = 1000  # test images, as in the smaller protocol of COCO; similarities of all of them with all captions are kept
DECIMALS = 6  # of a cosine: equal texts differ by rounding errors beyond them
DIRECTIONS = {"image_to_text": "image to text", "text_to_image": "text to image"}


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Test images, and their different captions.

    Attributes:
        texts: one spelling of each caption.
        belongs: bool (images, texts), which captions an image has.
    """

    texts: list[str]
    belongs: np.ndarray


def has_captions(data: Splits) -> bool:
    """Whether there are captions to judge on, in a training and a test part."""
    return all(part is not None and part.captions is not None and any(part.captions.texts) for part in data)


def pairs_of(dataset: Dataset) -> Pairs:
    """The captions of a dataset, all of whose images have one."""
    texts: dict[str, str] = {}
    for text in (text for texts_of_one in dataset.captions.texts for text in texts_of_one):
        texts.setdefault(normal(text), text)
    number = {key: place for place, key in enumerate(texts)}
    belongs = np.zeros((len(dataset), len(texts)), bool)
    for row, texts_of_one in enumerate(dataset.captions.texts):
        belongs[row, [number[normal(text)] for text in texts_of_one]] = True
    return Pairs([*texts.values()], belongs)


def image_text_scores(
    encoder: keras.Model, untrained: keras.Model, tower: TextTower, data: Splits, size: int
) -> Scores:
    """Retrieval in both directions, and zero-shot accuracy where there are classes.

    A row is right for an image if it is any of its captions, and for a caption if it is any image that has it.

    Args:
        encoder: the trained image encoder, which `tower` belongs to.
        untrained: the image encoder before training; its text tower has new weights.
        tower: the text tower.
        data: with captions in both parts; at most MOST test images are used.
        size: side of the images in pixels.
    """
    train, test = _captioned(data.train), _captioned(data.test).sample(MOST)
    pairs = pairs_of(test)
    untrained_tower = TextTower(fresh(tower.embed), fresh(tower.project))
    embedded = {TRAINED: (encoder, tower), UNTRAINED: (untrained, untrained_tower)}
    images = {name: pair.of_features(encode(one, test, size)) for name, (one, pair) in embedded.items()}
    found = {name: images[name] @ pair.of_texts(pairs.texts).T for name, (_, pair) in embedded.items()}
    seen = [pixels(part, PIXELS) for part in (train, test)]
    found |= baselines(seen[0], train.captions.texts, seen[1], pairs.texts) | {
        CHANCE: np.zeros_like(pairs.belongs, float)
    }
    rows = retrieval_rows({name: np.round(one, DECIMALS) for name, one in found.items()}, pairs.belongs)
    if test.labels is not None and test.class_names:
        rows += _zero_shot(images, {name: pair for name, (_, pair) in embedded.items()}, train, test)
    return Scores(rows, [_note(test, pairs)])


def baselines(
    train: np.ndarray, captions: Sequence[Sequence[str]], test: np.ndarray, texts: list[str]
) -> dict[str, np.ndarray]:
    """Similarities (images, texts) from raw pixels (images, values) and the words of training captions."""
    known = [" ".join(one) for one in captions]
    return {
        f"raw pixels, {way}": function(train, known, test, texts)
        for way, function in (("5 neighbours", image_text.of_neighbours), ("ridge", image_text.of_ridge))
    }


def retrieval_rows(
    found: Mapping[str, np.ndarray], belongs: np.ndarray, directions: Mapping[str, str] = DIRECTIONS
) -> list[Row]:
    """Recall at 1, 5 and 10 and the median rank of each set of similarities (images, texts), in both directions."""
    rows = []
    for (key, title), back in zip(directions.items(), (False, True), strict=True):
        turned = [(name, similarity.T if back else similarity) for name, similarity in found.items()]
        right = belongs.T if back else belongs
        places = {name: image_text.ranks(similarity, right) for name, similarity in turned}
        for k in DEPTHS:
            hits = {name: image_text.recall(one, k) for name, one in places.items()}
            rows += _rows(f"{key}_r{k}", f"{title}, R@{k}", hits)
        for name, one in places.items():
            median = float(np.median(image_text.mean_rank(one)))
            rows.append(Row(f"{title}, median rank (lower is better)", name, median, key=f"{key}_median_rank"))
    return rows


def _rows(key: str, title: str, hits: Mapping[str, np.ndarray]) -> list[Row]:
    """A share of each set of features; the gains of the trained one over the others."""
    others = [name for name in hits if name not in (TRAINED, CHANCE)]
    gains = {name: paired_difference(hits[TRAINED], hits[name]) for name in others}
    return [
        Row(title, name, float(np.mean(one)), percent=True, key=key, gains=gains if name == TRAINED else {})
        for name, one in hits.items()
    ]


def _zero_shot(images: dict, towers: dict[str, TextTower], train: Dataset, test: Dataset) -> list[Row]:
    """Accuracy of the names of the classes; chance is 1 / classes."""
    known = test.labels >= 0
    classes = np.unique(np.concatenate([part.labels[part.labels >= 0] for part in (train, test)]))
    texts = image_text.named([test.class_names[label] for label in classes])
    flat = [text for one in texts for text in one]
    hits = {}
    for name, tower in towers.items():
        embedded = tower.of_texts(flat).reshape(len(classes), len(texts[0]), -1)
        answers = classes[image_text.zero_shot(images[name], embedded)]
        hits[name] = (answers == test.labels)[known].astype(float)
    hits[CHANCE] = np.full(int(known.sum()), 1 / len(classes))
    return _rows("zero_shot", f"zero-shot accuracy, {len(classes)} classes", hits)


def draw_retrieved(
    encoder: keras.Model, tower: TextTower, test: Dataset, size: int, path: Path, count: int = 8
) -> None:
    """Draws the nearest images of some captions as a PNG, a row for each caption.

    Args:
        encoder, tower, size: as of `image_text_scores`.
        test: images with captions.
        path: of the PNG.
        count: number of captions, evenly spaced.
    """
    test = _captioned(test)
    pairs = pairs_of(test)
    some = np.unique(np.linspace(0, len(pairs.texts) - 1, count).astype(int))
    similarity = tower.of_features(encode(encoder, test, size)) @ tower.of_texts([pairs.texts[k] for k in some]).T
    nearest = np.argsort(-similarity, axis=0, kind="stable")[:6].T
    right = pairs.belongs[nearest, some[:, None]]
    plots.retrieved([pairs.texts[k] for k in some], _pictures(test, nearest), right, path, command())


def _pictures(test: Dataset, rows: np.ndarray) -> list[list[np.ndarray]]:
    """The images at indices (captions, places), cut to their extent."""
    found, sizes = test.examples(rows.ravel())
    cut = [image[:height, :width] for image, (height, width) in zip(found, sizes, strict=True)]
    return [cut[k : k + rows.shape[1]] for k in range(0, len(cut), rows.shape[1])]


def _captioned(dataset: Dataset) -> Dataset:
    known = np.array([bool(texts) for texts in dataset.captions.texts])
    return dataset if known.all() else dataset.take(known)


def _note(test: Dataset, pairs: Pairs) -> str:
    return (
        f"retrieval: {len(test)} test images, {len(pairs.texts)} different captions; "
        "any caption of an image, and any image of a caption, is a hit; ties count as chance; ranks from 1"
    )
