"""RandBit: bits that all views of an image share, and how many of them suppress what a contrastive method learns."""

import zlib
from pathlib import Path

import numpy as np

import sslzoo
from sslzoo.commands import script

FIGURES = ("knn", "linear", "loss")


def rand_bit(
    methods: tuple[str, ...] = ("simclr",),
    bits: tuple[int, ...] = (0, 2, 4, 8, 12, 16),
    data: str = "fashion_mnist",
    width: float = 0.25,
    epochs: int = 6,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    temperature: float = 0.1,
    min_scale: float = 0.5,
    max_images: int | None = 6000,
    seeds: int = 1,
    name: str = "rand_bit",
    runs: str = "runs",
    resume: bool = False,
    overwrite: bool = False,
    mlflow: bool = False,
):
    """Trains Conv6 on images with further channels that hold bits of the image's checksum, and judges its features.

    The bits are constant within an image and equal in all its views. A contrastive loss can match views by them alone:
    with b bits it falls by up to b log(2) without a look at the image, and the k-NN and linear accuracy of classes
    falls with every bit (Chen, Luo and Li, arXiv 2011.02803, section 5). Views are crops, which keep the bits.

    Args:
        methods: names of methods; each gets those of temperature and hidden_dim 256 that it has.
        bits: numbers of bits, each a channel.
        data: labelled images.
        width: factor of the channels of Conv6.
        epochs: passes over the data.
        batch_size: number of images of a step.
        learning_rate: learning rate of Adam.
        temperature: temperature of contrastive methods.
        min_scale: smallest share of the area that a crop keeps.
        max_images: maximum number of training images, drawn with a fixed seed.
        seeds: number of runs of every setting.
        name: name of the sweep and its folder.
        runs: folder of the sweep's folder.
        resume: continue an interrupted sweep.
        overwrite: replace the sweep of this name.
        mlflow: log to MLflow; the runs are nested under the sweep.
    """
    given = dict(locals())
    from sslzoo.catalog.ranges import check_number
    from sslzoo.data import load, restrict
    from sslzoo.tuning import sweep

    for count in bits:
        check_number("bits", count, 0, 32, whole=True)
    parts = restrict(load(data), None, max_images)
    places = ("name", "runs", "resume", "overwrite", "mlflow")
    settings = {knob: value for knob, value in given.items() if knob not in places}
    with sweep.Sweep(name, settings, runs, resume, overwrite, mlflow) as experiment:

        def train(knobs: dict, run: str, again: bool) -> dict:
            return _train(given | knobs, parts, run, again, experiment)

        for method in methods:
            for count in bits:
                for seed in range(seeds):
                    experiment.run({"method": method, "bits": count, "seed": seed}, train)
        _report(experiment, given, sweep.command(rand_bit, settings))
    return experiment.rows


def with_bits(images: np.ndarray, count: int) -> np.ndarray:
    """Adds channels that are 0 or 255 by the lowest bits of each image's checksum.

    Args:
        images: uint8 (n, height, width, channels).
        count: number of bits, at most 32.

    Returns:
        uint8 (n, height, width, channels + count).
    """
    sums = np.array([zlib.crc32(image.tobytes()) for image in images], "int64")
    values = (sums[:, None] >> np.arange(count)) & 1
    shape = (*images.shape[:3], count)
    planes = np.broadcast_to(255 * values[:, None, None].astype("uint8"), shape)
    return np.concatenate([images, planes], axis=-1)


def _train(knobs: dict, parts, name: str, resume: bool, experiment) -> dict[str, float]:
    """Trains with one setting; returns the last loss, and the accuracy of k-NN and of a linear probe."""
    import json

    from sslzoo import catalog
    from sslzoo.data.arrays import splits_of
    from sslzoo.evaluators import Study
    from sslzoo.evaluators.judge import run
    from sslzoo.views import inputs

    size = max(parts.train.shape[:2])
    pairs = [(with_bits(_pixels(part, size), knobs["bits"]), part.labels) for part in parts]
    own = dict(temperature=knobs["temperature"], hidden_dim=256)
    own = {knob: value for knob, value in own.items() if knob in catalog.method_knobs(knobs["method"])}
    result = sslzoo.pretrain(
        knobs["method"],
        pairs[0],
        "conv6",
        width=knobs["width"],
        preset="crop_flip",
        min_scale=knobs["min_scale"],
        flip=False,
        epochs=knobs["epochs"],
        batch_size=knobs["batch_size"],
        optimizer="adam",
        learning_rate=knobs["learning_rate"],
        learning_rate_rule="none",
        seed=knobs["seed"],
        name=name,
        runs=str(experiment.folder),
        export_to=None,
        evaluate=False,
        resume=resume,
        overwrite=not resume,
        mlflow=experiment.mlflow,
        **own,
    )
    features = [inputs.encode(result.encoder, part, size) for part in splits_of(*pairs)]
    study = Study(*features, *(part.labels for part in parts))
    last = json.loads((result.run / "metrics.jsonl").read_text("utf-8").splitlines()[-1])
    linear = next(run("softmax", study, epochs=20)).mean
    return {"knn": next(run("knn", study)).mean, "linear": linear, "loss": last["loss"]}


def _pixels(part, size: int) -> np.ndarray:
    from sslzoo.views import inputs

    return np.concatenate([np.round(255 * batch).astype("uint8") for batch in inputs.images(part, size)])


def _report(experiment, given: dict, command: str) -> None:
    """Writes the journal: the table of all settings, and the accuracy over the number of bits."""
    from sslzoo.evaluators.report import grid
    from sslzoo.tuning import sweep
    from sslzoo.utils import plots

    by = ("method", "bits")
    table = grid([*by, *FIGURES], [[*key, *cells] for key, cells in sweep.means(experiment.rows, by, FIGURES)])
    titles = {"knn": "k-NN accuracy", "linear": "accuracy of a linear probe", "loss": "loss (nats)"}
    panels = {
        title: {
            method: [(row["bits"], row[figure]) for row in experiment.rows if row["method"] == method]
            for method in given["methods"]
        }
        for figure, title in titles.items()
    }
    plots.curves(panels, "shared bits", Path(experiment.folder) / "bits.png", command)
    experiment.write_journal(f"# {experiment.folder.name}\n\n    {command}\n\n{table}\n\n![bits](bits.png)\n")


if __name__ == "__main__":
    script(rand_bit)
