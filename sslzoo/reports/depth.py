"""Chapter: linear probes after every stage of the encoder, and fine-tuning of all its weights."""

import itertools

import numpy as np

from sslzoo.catalog.kinds import KINDS
from sslzoo.evaluation.judging import TRAINED
from sslzoo.evaluators import linear
from sslzoo.evaluators.finetuning import tuned_answers
from sslzoo.evaluators.report import note
from sslzoo.layers.taps import tapped, with_projector
from sslzoo.reports import charts
from sslzoo.reports.study import Chapter, Picture, Study

TITLE, LABELS = "By depth", True
IMAGES = 2000  # to fit a probe to, half as many to test it
EPOCHS = 5
DECAY = 0.75
TEXT = (
    "Guillotine (arXiv 2206.13378): a linear probe after every stage, fitted to {train} examples and tested on {test}; "
    "`features_after` of a training exports the output of an earlier stage. If the projector was exported, its layers "
    "come last. Feature maps are averaged to at most 1024 numbers. Fine-tuning trains all weights for {epochs} epochs "
    "on {tuned} examples; with layer-wise decay the learning rate of each stage is {decay} times that of the next; "
    "from the projector's first layer is the protocol of SimCLR v2 (arXiv 2006.10029). For the untrained encoder, "
    "fine-tuning is supervised training from scratch on the same examples."
)


def chapter(study: Study) -> Chapter:
    """Guillotine curve and fine-tuning."""
    train, test = study.train.sample(IMAGES), study.test.sample(IMAGES // 2)
    answers = {n: guillotine(m, study, train, test, study.projectors.get(n)) for n, m in study.encoders.items()}
    sides = (np.concatenate([study.functions[study.raw](b) for b in study.batches(p)]) for p in (train, test))
    pixels = _probe(*sides, train, test)
    data = study.few(study.train, IMAGES), study.few(study.test, IMAGES // 2)
    text = TEXT.format(train=len(train), test=len(test), epochs=EPOCHS, tuned=len(data[0][0]), decay=DECAY)
    made = study.chapter(TITLE, text)
    made.under_table = note(train.labels, test.labels, KINDS[train.kind].noun)
    for stage in answers[TRAINED]:
        scores = {name: found[stage] for name, found in answers.items()}
        made.add(f"linear_after_{stage}", f"linear probe after {stage}", scores | {study.raw: pixels}, percent=True)
    scores = {n: {stage: float(a.mean()) for stage, a in found.items()} for n, found in answers.items()}
    made.curves["guillotine"] = scores | {study.raw: float(pixels.mean())}
    curves = {n: scores[n] for n in (TRAINED, study.start)}
    made.pictures.append(_curve(curves, float(pixels.mean()), test.labels, study.raw))
    if not study.projectors:
        made.notes.append(
            "No projector was exported with the encoder: `keep_projector=True` in the training exports it."
        )
    for key, title, models, decay in _ways(study):
        tuned = {n: tuned_answers(m, *data, epochs=EPOCHS, batch_size=32, layer_decay=decay) for n, m in models.items()}
        made.add(key, title, tuned | {study.raw: None}, percent=True)
    return made


def _ways(study):
    """Key, title, models and layer-wise decay of each way of fine-tuning."""
    yield "tuned", "fine-tuning", study.encoders, 1.0
    yield "tuned_layerwise", f"fine-tuning, layer-wise decay {DECAY}", study.encoders, DECAY
    if study.projectors:
        whole = {name: with_projector(study.encoders[name], one) for name, one in study.projectors.items()}
        yield "tuned_projector", "fine-tuning from the projector's first layer", whole, 1.0


def guillotine(model, study: Study, train, test, projector=None) -> dict[str, np.ndarray]:
    """Answers of a linear probe after each stage of the encoder and, if given, of its projector.

    Args:
        model: the encoder.
        study: of the examples.
        train, test: labelled parts of the data.
        projector: features of the encoder -> embeddings.

    Returns:
        Name of the stage -> whether the probe is right for each test example (examples,).
    """
    sides = [tapped(model, study.batches(part)) for part in (train, test)]
    if projector is not None:
        last = next(reversed(sides[0]))
        sides = [side | _renamed(tapped(projector, [side[last]])) for side in sides]
    return {stage: _probe(sides[0][stage], sides[1][stage], train, test) for stage in sides[0]}


def _renamed(features):
    return {f"projector {number}": x for number, x in zip(itertools.count(1), features.values(), strict=False)}


def _probe(train_x, test_x, train, test):
    return linear.linear_answers(train_x, train.labels, test_x, test.labels, seeds=1)[0]


def _curve(scores, pixels, labels, raw):
    stages = list(scores[TRAINED])
    curves = {name: 100 * np.array(list(found.values())) for name, found in scores.items()}

    def draw(axes, _):
        charts.lines(axes, {name: (range(len(ys)), ys) for name, ys in curves.items()}, legend=False)
        axes.axhline(100 * pixels, color=charts.GRAY, ls=":", label=raw)
        charts.from_chance(axes, 100 / len(np.unique(labels)), 100 * pixels, *curves.values())
        axes.set_xticks(range(len(stages)), map(charts.plain, stages), rotation=30, ha="right", fontsize=8)
        axes.legend(fontsize=8)

    image = charts.panels(["Linear probe by depth"], draw, "stage, from the input on", "accuracy (%)", 6.4, 4.6)
    caption = (
        "Accuracy of a linear probe after each stage; the last stage of the encoder is its output. "
        f"One test example is {100 / len(labels):.2g} points."
    )
    return Picture("guillotine", "Guillotine curve", caption, image)
