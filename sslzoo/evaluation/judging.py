"""Features of whole datasets, and their scores compared with raw pixels and the untrained encoder."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from sslzoo.catalog.checked import checked
from sslzoo.catalog.kinds import KINDS, of_encoder
from sslzoo.data import Dataset, Splits, restrict
from sslzoo.evaluation import baseline, image_text, observations, places, sources
from sslzoo.evaluators import Score, WrongOption
from sslzoo.evaluators.judge import EVALUATORS, TRAINED, Evaluator, Features, check, judge, options_of, title
from sslzoo.evaluators.remember import remembered
from sslzoo.evaluators.report import note
from sslzoo.evaluators.scores import Scores
from sslzoo.exports.inputs import accepted_splits, exported_extent, exported_kind, input_extent
from sslzoo.exports.savedmodel import load_encoder, read_facts
from sslzoo.exports.text import find_text
from sslzoo.views.inputs import encode, images, without_encoder

UNTRAINED, START = "untrained", "start"  # the encoder before its training: with random or with public weights
JUDGED = (10_000, 5_000)  # training and test images that encoders are judged on, at most
CALIBRATED = 2048  # images that give the BatchNorm statistics of encoders with new weights


@dataclasses.dataclass(frozen=True)
class Subject:
    """An encoder to judge, its untrained baseline, and the data to judge them on.

    Attributes:
        columns: name -> encoders: "trained" has one; "untrained" is the start of the run, or, if that is not known,
            "untrained (mean of 3 seeds)" has three with new weights.
        data: at most JUDGED images; with labels and a test part unless `prepare` was called with `unlabelled`.
        size: side of the images in pixels.
        facts: recipe.json of an exported encoder; {} for a model.
    """

    columns: dict[str, list[keras.Model]]
    data: Splits
    size: int
    facts: dict = dataclasses.field(default_factory=dict)


@checked()
def evaluate(
    encoder: keras.Model | str | Path,
    data: Any,
    untrained: keras.Model | None = None,
    image_size: int | None = None,
    classes: int | None = None,
    max_images: int | None = None,
    fractions: tuple[float, ...] = (0.01, 0.1, 1.0),
    seeds: int = 5,
    evaluators: tuple[str, ...] = ("linear", "knn", "clustering"),
    labels: str = "auto",
    splits: str = "auto",
    value_range: str | None = None,
    kind: str | None = None,
    scan: str | None = None,
    captions: str | None = None,
    **options,
) -> Scores:
    """Scores of an encoder, next to those of raw pixels and of the untrained encoder.

    A score that the data do not allow is left out; the notes of the result say why.

    Args:
        encoder: a Keras model or the path of an exported one.
        data: as for `pretrain`, with labels in its training and its test part.
        untrained: the encoder before its training. By default that of the export, or the mean of three encoders with
            new weights.
        image_size: side in pixels; by default that of the export, or of the encoder's input.
        classes: keep only the first `classes` classes; by default as in training if the data are the same.
        max_images: maximum number of training images and of test images, drawn with a fixed seed; by default as in
            training if the data are the same. Never more than 10 000 training and 5000 test images.
        fractions: shares of the training labels that the linear probe is fitted to.
        seeds: draws of the labels at shares below 1.
        evaluators: names of evaluators: anomaly, attentive, calibration, clustering, few_shot, knn, linear, mlp,
            retrieval, softmax, spectrum. In Python also functions: `sslzoo.evaluators.Study` -> iterator of
            `sslzoo.evaluators.Score`.
        labels: "auto", "folders", "none" or a CSV file of rows FILE,CLASS; as for `data.load`.
        splits: "auto", "none" or the folders of each split, "train=a+b,test=c"; as for `data.load`.
        value_range: pixel values of black and white, such as "0,4095"; as for `data.load`.
        kind: kind of the data, "image", "series", "audio", "rows" or "text"; by default that of the encoder.
        scan: "headers" or "full", as for `data.load`; by default as in the training.
        captions: "auto", "txt", "none" or a file, as for `data.load`; by default as in the training. An export with a
            text tower is also judged by retrieval and zero-shot classification.
        options: of the evaluators, such as `k=200` for "knn".

    Returns:
        A list of rows that prints as a table.

    Raises:
        ValueError: no labels, no size, or no score can be computed; one line that says what to do.
    """
    own = {"fractions": fractions, "seeds": seeds} if "linear" in evaluators else {}
    options = {"evaluators": evaluators} | own | options
    check(**options)
    reading = dict(labels=labels, splits=splits, value_range=value_range, kind=kind, scan=scan, captions=captions)
    tower = None if isinstance(encoder, keras.Model) else find_text(encoder)
    unlabelled = tower is not None or observations.are_episodes(data)
    subject = prepare(encoder, data, untrained, image_size, classes, max_images, unlabelled, **reading)
    if observations.has_episodes(subject.data) and subject.data.test.labels is None:
        return observations.observation_scores(subject.columns, subject.data, subject.size)
    if tower is None or not image_text.has_captions(subject.data):
        sources.require_labels(subject.data)
        return _scores(subject.columns, subject.data, subject.size, **options)
    known = all(part.labels is not None for part in subject.data)
    found = _scores(subject.columns, subject.data, subject.size, **options) if known else Scores()
    (trained, *_), (start, *_) = subject.columns.values()
    more = image_text.image_text_scores(trained, start, tower, subject.data, subject.size)
    return Scores([*found, *more], [*found.notes, *more.notes])


def prepare(
    encoder: keras.Model | str | Path,
    data: str,
    untrained: keras.Model | None = None,
    image_size: int | None = None,
    classes: int | None = None,
    max_images: int | None = None,
    unlabelled: bool = False,
    **reading,
) -> Subject:
    """The encoder, its baseline and its data.

    Args:
        encoder, data, untrained, image_size, classes, max_images: as of `evaluate`.
        unlabelled: accept data without labels and without a test part.
        **reading: `labels`, `splits`, `value_range`, `kind` and `scan` of `data.load`.

    Raises:
        ValueError: no labels, no size, or data that the encoder does not accept.
    """
    facts = {} if isinstance(encoder, keras.Model) else read_facts(encoder)
    model = encoder if isinstance(encoder, keras.Model) else load_encoder(encoder)
    if reading.get("kind") is None:
        reading["kind"] = model_kind(model, facts, data)
    splits = judged(sources.read(data, facts, unlabelled, **reading), facts, classes, max_images)
    size = input_extent(model, image_size, exported_extent(facts), splits.train.kind)
    if not isinstance(data, Splits):  # splits were announced when they were loaded
        sources.announce(splits.train)
    splits = accepted_splits(splits, model)
    start = untrained if untrained or not facts else baseline.restore(encoder)
    columns = {TRAINED: [model]} | untrained_column(model, start, splits.train, size, facts)
    return Subject(columns, splits, size, facts)


def model_kind(model: keras.Model, facts: dict, data) -> str | None:
    """The kind of data that an encoder takes: that of its export, or by the number of axes of its input.

    None where the data are of a kind already, or the input of the encoder is not known.
    """
    if facts:
        return exported_kind(facts)
    found, own = of_encoder(model), isinstance(getattr(getattr(data, "train", data), "kind", None), str)
    return found.name if found and not own else None


def before(origin: Any) -> str:
    """The column of the encoder before its training.

    Args:
        origin: the public weights that the training started from, or their ancestry in a card; None for random weights.
    """
    return START if origin else UNTRAINED


def untrained_column(
    model: keras.Model, start: keras.Model | None, train: Dataset, size: int, facts: dict | None = None
) -> dict[str, list[keras.Model]]:
    """The column of the untrained baseline: `start`, or several encoders with new weights if it is None."""
    if start is not None:
        return {before((facts or {}).get("ancestry")): [start]}
    some = train.sample(CALIBRATED)
    made = baseline.several(model, lambda: images(some, size))
    return {f"{UNTRAINED} (mean of {len(made)} seeds)": made}


def judged(splits: Splits, facts: dict, classes: int | None = None, max_images: int | None = None) -> Splits:
    """The part of the data that encoders are judged on: at most JUDGED training and test images.

    Without `classes` and `max_images`, and if the data are those of the training, this is the part that the encoder was
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
    return Splits(*(part and part.labelled().sample(count) for part, count in zip(splits, counts, strict=True)))


def _as_trained(splits: Splits, facts: dict, classes: int | None, max_images: int | None) -> tuple:
    try:
        train = restrict(Splits(splits.train), classes, max_images).train
    except ValueError:  # other data, which have no such part
        return None, None
    known = str(facts.get("data", ""))
    same = train.fingerprint() in known or train.sampled_fingerprint() in known  # version 0.1 wrote the latter
    return (classes, max_images) if same else (None, None)


def score(
    columns: Mapping[str, Sequence[keras.Model]], data: Splits, size: int, raw_pixels: bool = True, **options
) -> Scores:
    """Scores of each column of encoders and of the baselines, for the end of a training: no data raise an error.

    Args:
        columns: name -> encoders; the mean of several is taken.
        data: labelled, with a test part.
        size: extent of the inputs, such as the side of images in pixels.
        raw_pixels: judge the baselines of the kind of data too, of images raw pixels.
        options: of `evaluators.judge.judge`.

    Returns:
        Rows; the notes say what was left out and why.
    """
    try:
        return _scores(columns, data, size, raw_pixels, **options)
    except WrongOption:
        raise
    except ValueError as error:
        return Scores(notes=[f"not judged: {error}"])


def _scores(columns, data, size, raw_pixels=True, **options) -> Scores:
    """As `score`, but raises ValueError if nothing can be computed."""
    splits = accepted_splits(data, next(iter(columns.values()))[0])
    features = {
        name: [
            (*(encode(encoder, part, size) for part in splits), places.of_encoder(encoder, splits, size))
            for encoder in encoders
        ]
        for name, encoders in columns.items()
    }
    found = scores_of(features, data, size, raw_pixels, **options)
    return Scores(found, [note(data.train.labels, data.test.labels, KINDS[data.train.kind].noun), *found.notes])


def scores_of(
    features: Mapping[str, Sequence[Features]],
    data: Splits,
    size: int,
    raw_pixels: bool = True,
    **options,
) -> Scores:
    """As `score`, from features that were computed before, as `evaluators.judge.judge` takes them.

    Raises:
        ValueError: nothing can be computed.
    """
    known = raw_scores(data, size, **options) if raw_pixels else {}
    return judge(features, data.train.labels, data.test.labels, known=known, **options)[0]


def raw_scores(
    data: Splits, size: int, evaluators: Sequence[Evaluator] = EVALUATORS, **options
) -> dict[str, list[list[Score]]]:
    """Scores of the baselines of the kind of data; cached on disk, since they are the same for all encoders."""
    labels, kind, found = (data.train.labels, data.test.labels), KINDS[data.train.kind], {}
    named = all(isinstance(evaluator, str) for evaluator in evaluators)
    for name, one in kind.functions.baselines(size, data.train).items():
        parts = tuple(without_encoder(part, one) for part in data)
        tokens = (places.of_pixels(parts, one.size),) if kind.pixels else ()
        some = evaluators if one.instead is None else [one.instead[e] for e in evaluators if e in one.instead]
        if not some:
            continue

        def make(name=name, parts=(*parts, *tokens), some=some) -> list[Score]:
            own = {option: value for option, value in options.items() if option in options_of(some)}
            return judge({name: [parts]}, *labels, evaluators=some, **own)[1][name][0]

        kept = (*parts, *labels, tuple(map(title, some)), options)
        found[name] = [remembered(kept, make) if named else make()]
    return found
