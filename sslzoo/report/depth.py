"""Chapter: which depth of the encoder is best, and how far it gets when its weights move."""

import itertools

import numpy as np

from sslzoo.evaluators import linear
from sslzoo.finetuning import fine_tune
from sslzoo.report import charts
from sslzoo.report.study import RAW, TRAINED, Chapter, Picture, Study
from sslzoo.taps import tapped, with_projector

IMAGES = 2000  # to fit a probe to, half as many to test it
EPOCHS = 5
DECAY = 0.75
TEXT = (
    "Guillotine (arXiv 2206.13378): a linear probe after every stage, {train} images to fit and {test} to test it; "
    "where an earlier stage wins, cut there. Layers of the projector come last, where it was kept. "
    "Maps are averaged to at most 1024 numbers. Fine-tuning moves all weights "
    "for {epochs} epochs over {tuned} images; with layer-wise decay each stage learns at {decay} times the rate of the "
    "next; from the projector's first layer is SimCLR v2's way (arXiv 2006.10029). The untrained encoder's figure is "
    "plain supervised training on the same images."
)


def chapter(study: Study) -> Chapter:
    """Guillotine curve and fine-tuning."""
    train, test = study.train.sample(IMAGES), study.test.sample(IMAGES // 2)
    scores = {n: guillotine(m, study, train, test, study.projectors.get(n)) for n, m in study.encoders.items()}
    pixels = _probe(
        *(np.concatenate([study.functions[RAW](b) for b in study.batches(p)]) for p in (train, test)), train, test
    )
    data = study.few(study.train, IMAGES), study.few(study.test, IMAGES // 2)
    text = TEXT.format(train=len(train), test=len(test), epochs=EPOCHS, tuned=len(data[0][0]), decay=DECAY)
    made = Chapter("By depth", text)
    for stage in scores[TRAINED]:
        made.add(f"linear probe after {stage}", {n: s[stage] for n, s in scores.items()} | {RAW: pixels}, percent=True)
    made.curves["guillotine"] = scores | {RAW: pixels}
    made.pictures.append(_curve(scores, pixels))
    if not study.projectors:
        made.notes.append("No projector was exported with the encoder: `sslzoo train --keep-projector` keeps it.")
    whole = {n: with_projector(study.encoders[n], p) for n, p in study.projectors.items()}
    ways = [("fine-tuning", study.encoders, 1.0), (f"fine-tuning, layer-wise decay {DECAY}", study.encoders, DECAY)]
    ways += [("fine-tuning from the projector's first layer", whole, 1.0)] if whole else []
    for title, models, decay in ways:
        tuned = {n: fine_tune(m, *data, epochs=EPOCHS, batch_size=32, layer_decay=decay) for n, m in models.items()}
        made.add(title, tuned | {RAW: None}, percent=True)
    return made


def guillotine(model, study: Study, train, test, projector=None) -> dict[str, float]:
    """Accuracy in [0, 1] of a linear probe after each stage of the encoder and, if given, of its projector.

    Args:
        model: the encoder.
        study: gives the images their size.
        train, test: labelled parts of the data.
        projector: features of the encoder -> embeddings.
    """
    sides = [tapped(model, study.batches(part)) for part in (train, test)]
    if projector is not None:
        last = next(reversed(sides[0]))
        sides = [side | _renamed(tapped(projector, [side[last]])) for side in sides]
    return {stage: _probe(sides[0][stage], sides[1][stage], train, test) for stage in sides[0]}


def _renamed(features):
    return {f"projector {number}": x for number, x in zip(itertools.count(1), features.values(), strict=False)}


def _probe(train_x, test_x, train, test):
    return linear.linear_probe(train_x, train.labels, test_x, test.labels)


def _curve(scores, pixels):
    stages = list(scores[TRAINED])

    def draw(axes, _):
        charts.lines(axes, {n: (range(len(s)), [100 * v for v in s.values()]) for n, s in scores.items()}, legend=False)
        axes.axhline(100 * pixels, color=charts.GRAY, ls=":", label=RAW)
        axes.set_xticks(range(len(stages)), stages, rotation=30, ha="right", fontsize=8)
        axes.legend(fontsize=8)

    image = charts.panels(["Linear probe by depth"], draw, "stage, from the images on", "accuracy (%)", 6.4)
    caption = "Accuracy of a linear probe after each stage; `features` is the encoder's output."
    return Picture("guillotine", "Guillotine curve", caption, image)
