"""The founding notebook: autoencoders and SimCLR on Conv6, single, or over alpha or the strength of the views."""

from pathlib import Path

import sslzoo
from sslzoo.commands import script

ALPHAS = tuple(10.0**power for power in range(-5, 2))
STRENGTHS = (0.0, 0.1, 0.25, 0.5, 1.0)
METHODS = {"ae_single": "autoencoder", "ae_parallel": "parallel_autoencoder", "simclr": "simclr"}
FIGURES = {"linear": "linear probe accuracy", "knn": "k-NN accuracy", "accuracy": "k-means accuracy"}


def notebook(
    usl_type: str = "ae_single",
    denoising: bool = False,
    alpha: float = 0.1,
    exp_type: str = "single",
    usl_epochs: int = 400,
    le_epochs: int = 300,
    usl_lr: float = 1e-4,
    le_lr: float = 1e-3,
    layerwise: bool = False,
    usl_data: str = "cifar100",
    le_data: str = "cifar10",
    embedding_loss: str = "mse",
    strength: float = 0.25,
    latent_dim: int = 64,
    width: float = 1.0,
    batch_size: int = 512,
    max_images: int | None = None,
    seeds: int = 1,
    name: str | None = None,
    runs: str = "runs",
    export_to: str = "exported_models",
    resume: bool = False,
    overwrite: bool = False,
    mlflow: bool = False,
):
    """Pretrains Conv6 on one dataset and evaluates it on another, in one run or a sweep.

    A linear probe is trained for le_epochs on frozen features; k-NN uses 10 neighbours, and k-means uses one cluster
    per class. The untrained encoder and raw pixels are the baselines. The output is a table, a plot, a journal and the
    exported encoders.

    Args:
        usl_type: "ae_single", "ae_parallel" or "simclr".
        denoising: the target of autoencoders is the clean image.
        alpha: weight of the embedding term of ae_parallel.
        exp_type: "single" run, or a sweep over "alpha" (1e-5 to 10) or "strength" (0 to 1).
        usl_epochs: epochs of the pretraining, of each stage if layer-wise.
        le_epochs: epochs of the linear probe.
        usl_lr: learning rate of Adam in the pretraining.
        le_lr: learning rate of Adam for the linear probe.
        layerwise: train one block of the encoder after the other.
        usl_data: dataset of the pretraining.
        le_data: dataset of the evaluation.
        embedding_loss: embedding loss of ae_parallel: "mse", "l1", "cosine", "nt_xent" or "barlow_twins".
        strength: strength of the colour jitter.
        latent_dim: dimension of the sixth layer.
        width: factor of the channels of Conv6.
        batch_size: number of images of a step.
        max_images: maximum number of training images of each dataset, drawn with a fixed seed.
        seeds: number of runs of every setting.
        name: name of the experiment and its folder; notebook_USL-TYPE_EXP-TYPE if None.
        runs: folder of the experiment's folder.
        export_to: folder of the experiment's exported encoders.
        resume: continue an interrupted experiment.
        overwrite: replace the experiment of this name.
        mlflow: log to MLflow; the runs are nested under the experiment.
    """
    given = dict(locals())
    from sslzoo.catalog.knobs import nearest
    from sslzoo.tuning import sweep

    swept = {"single": {}, "alpha": {"alpha": ALPHAS}, "strength": {"strength": STRENGTHS}}
    for knob, known in (("usl_type", METHODS), ("exp_type", swept)):
        if given[knob] not in known:
            raise ValueError(nearest(knob, given[knob], known))
    if exp_type == "alpha" and usl_type != "ae_parallel":
        raise ValueError(
            f"alpha weighs the embedding term of ae_parallel, {usl_type} has none: usl_type='ae_parallel' has one"
        )
    name = name or f"notebook_{usl_type}_{exp_type}"
    places = ("name", "runs", "export_to", "resume", "overwrite", "mlflow")
    settings = {knob: value for knob, value in given.items() if knob not in places}
    knob, values = next(iter(swept[exp_type].items()), ("alpha", (alpha,)))
    with sweep.Sweep(name, settings, runs, resume, overwrite, mlflow) as experiment:
        exports = str(Path(export_to) / name)
        probe = Probe(usl_data, le_data, max_images, le_epochs, le_lr)

        def train(knobs: dict, run: str, again: bool) -> dict:
            result = _pretrain(given | knobs, run, again, exports, experiment)
            figures = probe.encoder(result.encoder)
            experiment.add(result, figures, baselines)
            return figures | {"verdict": result.verdict}

        pixels = experiment.run({"encoder": "raw pixels"}, lambda *_: probe.raw_pixels())
        for seed in range(seeds):
            untrained = experiment.run(
                {"encoder": "untrained", "seed": seed}, lambda knobs, *_: probe.untrained(width, knobs["seed"])
            )
            baselines = {"untrained": untrained, "raw pixels": pixels}
            for value in values:
                experiment.run({knob: value, "seed": seed}, train)
        judged_on = f"{len(probe.splits.test)} test images of {probe.name}"
        _report(experiment, knob, len(values) > 1, sweep.command(notebook, settings), judged_on)
    return experiment.rows


class Probe:
    """Evaluates encoders on one dataset, at the image size of the dataset of the pretraining.

    Args:
        trained_on: dataset of the pretraining.
        data, max_images: dataset of the evaluation, and its maximum number of training images.
        epochs, learning_rate: epochs and learning rate of the linear probe.
    """

    def __init__(self, trained_on: str, data: str, max_images: int | None, epochs: int, learning_rate: float):
        from sslzoo.data import restrict
        from sslzoo.views.of_images import choose_size

        self.splits = restrict(sslzoo.data.load(data), None, max_images)
        images = sslzoo.data.load(trained_on).train
        self.name, self.size = self.splits.train.name, choose_size(images)
        self.options = dict(epochs=epochs, learning_rate=learning_rate)
        if self.splits.test is None:
            raise ValueError(f"{self.name} has no labels: --le_data is what encoders are judged on")
        if images.shape[-1] != self.splits.train.shape[-1]:
            raise ValueError(
                f"{images.name} has {images.shape[-1]} channels, {self.name} {self.splits.train.shape[-1]}"
            )

    def encoder(self, encoder) -> dict[str, float]:

        from sslzoo.views import inputs

        return self.features(*(inputs.encode(encoder, part, self.size) for part in self.splits))

    def untrained(self, width: float, seed: int) -> dict[str, float]:
        import keras

        keras.utils.set_random_seed(seed)
        return self.encoder(
            sslzoo.encoders.make("conv6", (self.size, self.size, self.splits.train.shape[-1]), width=width)
        )

    def raw_pixels(self) -> dict[str, float]:

        from sslzoo.views import inputs

        return self.features(*(inputs.pixels(part, self.size) for part in self.splits))

    def features(self, train_x, test_x) -> dict[str, float]:
        from sslzoo.evaluators.clustering import clustering
        from sslzoo.evaluators.knn import knn
        from sslzoo.evaluators.softmax import trained_probe

        data = train_x, self.splits.train.labels, test_x, self.splits.test.labels
        found = clustering(test_x, self.splits.test.labels)
        return {"linear": trained_probe(*data, **self.options), "knn": knn(*data, k=10), **found}


def _pretrain(knobs: dict, name: str, resume: bool, exports: str, experiment):
    """Pretrains and exports one encoder of the experiment."""
    own = {
        "ae_single": ("latent_dim", "denoising"),
        "ae_parallel": ("latent_dim", "denoising", "alpha", "embedding_loss"),
    }
    chosen = {knob: knobs[knob] for knob in own.get(knobs["usl_type"], ())}
    if knobs["usl_type"] == "simclr":
        chosen = {"projection_dim": knobs["latent_dim"], "hidden_layers": 0, "temperature": 0.5}
    return sslzoo.pretrain(
        METHODS[knobs["usl_type"]],
        knobs["usl_data"],
        "conv6",
        width=knobs["width"],
        epochs=knobs["usl_epochs"],
        batch_size=knobs["batch_size"],
        optimizer="adam",
        learning_rate=knobs["usl_lr"],
        learning_rate_rule="none",
        weight_decay=0.0,
        max_images=knobs["max_images"],
        layerwise=knobs["layerwise"],
        preset="notebook",
        strength=knobs["strength"],
        clean=knobs["denoising"],
        seed=knobs["seed"],
        name=name,
        runs=str(experiment.folder),
        export_to=exports,
        evaluate=knobs["layerwise"],
        resume=resume,
        overwrite=not resume,
        mlflow=experiment.mlflow,
        **chosen,
    )


def _report(experiment, knob: str, swept: bool, command: str, judged_on: str) -> None:
    """Writes the journal with its table and, for a sweep, its plot."""
    from sslzoo.evaluators.report import grid
    from sslzoo.tuning import sweep
    from sslzoo.utils import plots

    figures = (*FIGURES, "ari", "nmi")
    rows = [{"encoder": "trained", knob: "", **row} for row in experiment.rows]
    lines = [[*key, *cells] for key, cells in sweep.means(rows, ("encoder", knob), figures)]
    text = f"# {experiment.folder.name}\n\n    {command}\n\njudged on {judged_on}; mean and deviation over seeds\n\n"
    text += grid(["encoder", knob, *figures], lines) + "\n"
    if swept:
        trained = [row for row in rows if row["encoder"] == "trained"]
        levels = {name: [row for row in rows if row["encoder"] == name] for name in ("untrained", "raw pixels")}
        panels = {label: {"trained": [(row[knob], row[f]) for row in trained]} for f, label in FIGURES.items()}
        lines = {
            label: {name: sum(row[f] for row in some) / len(some) for name, some in levels.items()}
            for f, label in FIGURES.items()
        }
        label = {"alpha": "alpha, weight of the embedding term", "strength": "strength of the colour jitter"}[knob]
        label += f"\n({judged_on})"
        plots.curves(panels, label, experiment.folder / "plot.png", command, log=knob == "alpha", lines=lines)
        said = [
            sweep.effect(trained, knob, figure, {name: [r[figure] for r in some] for name, some in levels.items()})
            for figure in FIGURES
        ]
        text += "\n" + "\n".join(f"- {line}" for line in said) + f"\n\n![{knob}](plot.png)\n"
    experiment.write_journal(text)


if __name__ == "__main__":
    script(notebook)
