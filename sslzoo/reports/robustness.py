"""Chapter: accuracy of a linear probe, fitted to clean images, on corrupted ones."""

import numpy as np

from sslzoo.evaluators import corruptions
from sslzoo.evaluators.report import note
from sslzoo.reports import charts
from sslzoo.reports.study import Chapter, Picture, Study

PIXELS = True
TITLE, LABELS = "Robustness", True
IMAGES = 300
TEXT = (
    "The linear probe of the first chapter, fitted to clean images, on {images} test images with corruptions of seven "
    "kinds and five severities. Each line is the mean over the severities. The last line is the accuracy as a share of "
    "that on the clean images; it is a ratio and has no interval."
)


def chapter(study: Study) -> Chapter:
    """Accuracy under corruptions."""
    images, labels = study.few(study.test, IMAGES)
    made = study.chapter(TITLE, TEXT.format(images=len(images)))
    made.under_table = note(study.train.labels, labels)
    right = {name: found == labels for name, found in _answers(study, images).items()}
    _rows(made, right)
    kinds = corruptions.names()
    curves = {
        kind: {
            name: [float(np.mean(r[0])), *r[1:].reshape(len(kinds), -1, len(labels))[k].mean(1).tolist()]
            for name, r in right.items()
        }
        for k, kind in enumerate(kinds)
    }
    made.curves["corruptions"] = curves
    shown = {kind: {name: curve[name] for name in study.shown if name in curve} for kind, curve in curves.items()}
    made.pictures += [_curves(shown, study, len(labels)), _examples(images[0])]
    return made


def _answers(study, images):
    """Name -> classes found (1 + kinds * severities, images): of the clean images, then of each corruption in turn."""
    ways = [(kind, severity) for kind in corruptions.names() for severity in corruptions.SEVERITIES]
    features: dict[str, list] = {name: [] for name in study.functions}
    for way in [None, *ways]:
        seen = corruptions.corrupt(images, *way) if way else images
        for name, encode in study.functions.items():
            features[name].append(encode(seen))
    return {name: study.answers(name, np.concatenate(x)).reshape(-1, len(images)) for name, x in features.items()}


def _rows(made, right):
    kinds = corruptions.names()
    made.add("clean", "clean", {name: r[0].astype("float64") for name, r in right.items()}, percent=True)
    by_kind = {name: r[1:].reshape(len(kinds), -1, r.shape[1]).mean(1) for name, r in right.items()}
    for number, kind in enumerate(kinds):
        made.add(
            f"corrupted_{kind.replace(' ', '_')}",
            kind,
            {name: values[number] for name, values in by_kind.items()},
            percent=True,
        )
    mean = {name: values.mean(0) for name, values in by_kind.items()}
    made.add("corrupted", "mean of all corruptions", mean, percent=True)
    kept = {name: float(mean[name].mean() / max(r[0].mean(), 1e-9)) for name, r in right.items()}
    made.add("kept", "kept of the clean accuracy", kept, percent=True)


def _curves(curves, study, count):
    average = {n: np.mean([c[n] for c in curves.values()], axis=0) for n in next(iter(curves.values()))}
    every = {"mean of all": average} | curves
    lows = [100 * np.min(values) for series in every.values() for values in series.values()]

    def draw(axes, kind):
        series = {name: (range(6), 100 * np.asarray(values)) for name, values in every[kind].items()}
        charts.lines(axes, series, legend=kind == "mean of all")
        charts.from_chance(axes, 100 / len(np.unique(study.train.labels)), lows)

    image = charts.panels(list(every), draw, "severity (0 = clean)", "accuracy (%)", width=2.4)
    caption = f"Accuracy of the probe by severity of the corruption; one image is {100 / count:.2g} points."
    return Picture("corruptions", "Corruption curves", caption, image)


def _examples(image):
    kinds, severities = corruptions.names(), corruptions.SEVERITIES
    cells = [[image, *(corruptions.corrupt(image[None], kind, s)[0] for s in severities)] for kind in kinds]
    drawn = charts.sheet(cells, kinds, ["clean", *(f"severity {s}" for s in severities)])
    return Picture("corrupted", "The corruptions", "One test image in every kind and severity.", drawn)
