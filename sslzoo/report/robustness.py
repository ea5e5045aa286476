"""Chapter: what noise, blur and the like do to a probe that was trained on clean images."""

import numpy as np

from sslzoo import corruptions
from sslzoo.report import charts
from sslzoo.report.study import Chapter, Picture, Study

IMAGES = 300
TEXT = (
    "The linear probe of the first chapter, fitted to clean images, on {images} test images that were corrupted in "
    "seven ways and five severities. Each line is the mean over the severities; the last is what is kept of the "
    "accuracy on the same images when they are clean."
)


def chapter(study: Study) -> Chapter:
    """Accuracy under corruptions."""
    images, labels = study.few(study.test, IMAGES)
    made = Chapter("Robustness", TEXT.format(images=len(images)))
    clean = {name: _accuracy(study, name, images, labels) for name in study.functions}
    curves = {kind: {name: [clean[name]] for name in clean} for kind in corruptions.names()}
    for kind, severity in ((k, s) for k in curves for s in corruptions.SEVERITIES):
        spoiled = corruptions.corrupt(images, kind, severity)
        for name in clean:
            curves[kind][name].append(_accuracy(study, name, spoiled, labels))
    _rows(made, clean, curves)
    made.curves["corruptions"] = curves
    made.pictures += [_curves(curves), _examples(images[0])]
    return made


def _accuracy(study, name, images, labels):
    found = study.probabilities(name, study.functions[name](images)).argmax(1)
    return float(np.mean(study.probes[name].classes_[found] == labels))


def _rows(made, clean, curves):
    means = {kind: {n: float(np.mean(c[1:])) for n, c in curve.items()} for kind, curve in curves.items()}
    made.add("clean", clean, percent=True)
    for kind, scores in means.items():
        made.add(kind, scores, percent=True)
    mean = {n: float(np.mean([scores[n] for scores in means.values()])) for n in clean}
    made.add("mean of all corruptions", mean, percent=True)
    made.add("kept of the clean accuracy", {n: mean[n] / max(clean[n], 1e-9) for n in clean}, percent=True)


def _curves(curves):
    average = {n: np.mean([c[n] for c in curves.values()], axis=0) for n in next(iter(curves.values()))}
    every = {"mean of all": average} | curves

    def draw(axes, kind):
        series = {name: (range(6), 100 * np.asarray(values)) for name, values in every[kind].items()}
        charts.lines(axes, series, legend=kind == "mean of all")
        axes.set_ylim(0, 102)

    image = charts.panels(list(every), draw, "severity (0 = clean)", "accuracy (%)", width=3.1)
    caption = "Accuracy of the probe as the images get worse."
    return Picture("corruptions", "Corruption curves", caption, image)


def _examples(image):
    kinds, severities = corruptions.names(), corruptions.SEVERITIES
    cells = [[image, *(corruptions.corrupt(image[None], kind, s)[0] for s in severities)] for kind in kinds]
    drawn = charts.sheet(cells, kinds, ["clean", *(f"severity {s}" for s in severities)])
    return Picture("corrupted", "The corruptions", "One test image in every kind and severity.", drawn)
