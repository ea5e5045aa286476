"""The founding journal: SimCLR over embedding sizes, numbers of classes and principal components, in MLflow."""

import json
from pathlib import Path

import sslzoo
from sslzoo.commands import script

FIGURES = ("loss", "loss_excess", "accuracy", "ari", "nmi", "silhouette", "davies_bouldin", "explained_variance")


def embedding_size(
    embedding_sizes: tuple[int, ...] = (128, 32, 16, 8),
    num_classes: tuple[int, ...] = (3, 5, 10),
    pca_components: tuple[int, ...] = (50, 20, 7, 3),
    clustered: str = "features",
    full_grid: bool = False,
    data: str = "fashion_mnist",
    width: float = 0.25,
    epochs: int = 5,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    temperature: float = 0.5,
    max_images: int | None = 6000,
    seeds: int = 3,
    name: str = "embedding_size",
    runs: str = "runs",
    export_to: str = "exported_models",
    resume: bool = False,
    overwrite: bool = False,
    mlflow: bool = False,
):
    """Trains SimCLR on Conv6 for each setting, clusters the features, and writes a journal of all runs.

    The first value of each list is its default. The other values vary one list at a time, or in all combinations with
    full_grid.

    Args:
        embedding_sizes: dimensions of the embedding.
        num_classes: numbers of classes of the data to train and evaluate on.
        pca_components: numbers of principal components before k-means; every run is evaluated with each of them.
        clustered: "features" of the encoder, or the "embedding" of the loss.
        full_grid: combine every embedding size with every number of classes.
        data: labelled images.
        width: factor of the channels of Conv6.
        epochs: passes over the data.
        batch_size: number of images of a step.
        learning_rate: learning rate of Adam.
        temperature: temperature of NT-Xent.
        max_images: maximum number of training images, drawn with a fixed seed.
        seeds: number of runs of every setting.
        name: name of the sweep and its folder.
        runs: folder of the sweep's folder.
        export_to: folder of the sweep's exported encoders.
        resume: continue an interrupted sweep.
        overwrite: replace the sweep of this name.
        mlflow: log to MLflow; the runs are nested under the sweep.
    """
    given = dict(locals())
    from sslzoo.catalog.knobs import nearest
    from sslzoo.data import load, restrict
    from sslzoo.tuning import sweep

    if clustered not in ("features", "embedding"):
        raise ValueError(nearest("clustered", clustered, ("features", "embedding")))
    if clustered == "embedding" and max(pca_components) > min(embedding_sizes):
        raise ValueError(
            f"{max(pca_components)} principal components of an embedding of {min(embedding_sizes)} dimensions: "
            "omit the larger --pca_components, or use --clustered features"
        )
    splits = {count: restrict(load(data), count, max_images) for count in num_classes}
    places = ("name", "runs", "export_to", "resume", "overwrite", "mlflow")
    settings = {knob: value for knob, value in given.items() if knob not in places}
    with sweep.Sweep(name, settings, runs, resume, overwrite, mlflow) as experiment:
        exports = str(Path(export_to) / name)
        judge = Judge(pca_components, experiment, sweep.command(embedding_size, settings))

        def train(knobs: dict, run: str, again: bool) -> dict:
            result = _pretrain(given | knobs, run, again, exports, experiment)
            return judge.run(result, splits[knobs["num_classes"]], clustered, knobs)

        for size, count in _settings(embedding_sizes, num_classes, full_grid):
            if count not in judge.baselines:
                judge.measure_baselines(splits[count], count, width)
            for seed in range(seeds):
                experiment.run({"embedding_size": size, "num_classes": count, "seed": seed}, train)
        _report(experiment, given, sweep.command(embedding_size, settings))
    return experiment.rows


def _settings(sizes: tuple[int, ...], counts: tuple[int, ...], full_grid: bool) -> list[tuple[int, int]]:
    if full_grid:
        return [(size, count) for size in sizes for count in counts]
    return [(size, counts[0]) for size in sizes] + [(sizes[0], count) for count in counts[1:]]


def _pretrain(knobs: dict, name: str, resume: bool, exports: str, experiment):
    return sslzoo.pretrain(
        "simclr",
        knobs["data"],
        "conv6",
        width=knobs["width"],
        projection_dim=knobs["embedding_size"],
        hidden_dim=256,
        temperature=knobs["temperature"],
        epochs=knobs["epochs"],
        batch_size=knobs["batch_size"],
        optimizer="adam",
        learning_rate=knobs["learning_rate"],
        learning_rate_rule="none",
        min_scale=0.3,
        strength=0.5,
        classes=knobs["num_classes"],
        max_images=knobs["max_images"],
        seed=knobs["seed"],
        name=name,
        runs=str(experiment.folder),
        export_to=exports,
        evaluate=False,
        resume=resume,
        overwrite=not resume,
        mlflow=experiment.mlflow,
    )


class Judge:
    """Clusters the test images by their first principal components, and plots them.

    Args:
        components: numbers of principal components to try.
        experiment: the sweep.
        command: command line that the pictures show.
    """

    def __init__(self, components: tuple[int, ...], experiment, command: str):
        self.components, self.experiment, self.command = components, experiment, command
        self.baselines: dict[int, dict] = {}

    def figures(self, features, labels) -> dict[str, float]:
        """Returns figures by name, "ari" for the first number of components and "ari, pca 20" for others."""
        from sslzoo.evaluators.clustering import clustering
        from sslzoo.evaluators.projection import pca

        found = {}
        for count in self.components:
            reduced = pca(features, count)
            scores = clustering(reduced.points, labels) | {"explained_variance": float(reduced.explained.sum())}
            found |= {key if count == self.components[0] else f"{key}, pca {count}": v for key, v in scores.items()}
        return found

    def measure_baselines(self, parts, count: int, width: float) -> None:
        """Returns the figures of raw pixels and of an untrained encoder."""
        import keras

        height, side, channels = parts.test.shape

        from sslzoo.views import inputs

        def untrained(*_):
            keras.utils.set_random_seed(0)
            encoder = sslzoo.encoders.make("conv6", (height, side, channels), width=width)
            return self.figures(inputs.encode(encoder, parts.test, height), parts.test.labels)

        def pixels(*_):
            return self.figures(inputs.pixels(parts.test, height), parts.test.labels)

        measured = {"untrained": untrained, "raw pixels": pixels}
        self.baselines[count] = {
            name: self.experiment.run({"encoder": name, "num_classes": count}, measure)
            for name, measure in measured.items()
        }

    def run(self, result, parts, clustered: str, knobs: dict) -> dict:
        """Returns the figures of one run, and adds them to its card, the pictures of its folder and MLflow."""
        import keras

        encoder = result.encoder
        if clustered == "embedding":
            encoder = keras.Sequential([encoder, result.model.projector])
        from sslzoo.views import inputs

        features = inputs.encode(encoder, parts.test, result.plan.size)
        last = json.loads((result.run / "metrics.jsonl").read_text("utf-8").splitlines()[-1])
        figures = {name: last[name] for name in ("loss", "loss_excess")} | self.figures(features, parts.test.labels)
        explained = self._draw(features, parts.test, result.run)
        self.experiment.add(
            result,
            figures,
            self.baselines[knobs["num_classes"]],
            series={"explained_variance_ratio": explained},
            parameters=knobs | {"n_components_PCA": self.components},
        )
        return figures | {"verdict": result.verdict}

    def _draw(self, features, test, folder: Path) -> list[float]:
        """Writes pca.png and tsne.png; returns the share of the variance along each principal component."""
        from sslzoo.evaluators.projection import pca, tsne
        from sslzoo.utils import plots

        names, reduced = test.class_names, pca(features, self.components[0])
        shares = [
            f"principal component {k + 1} ({share:.0%} of the variance)"
            for k, share in enumerate(reduced.explained[:2])
        ]
        title = f"{folder.name}: test images of {test.name}"
        some = slice(0, 2000)
        plots.scatter(
            reduced.points[some, :2], test.labels[some], names, shares, title, folder / "pca.png", self.command
        )
        points, rows = tsne(features, images=1000)
        axes = ("t-SNE 1 (no unit)", "t-SNE 2 (no unit)")
        plots.scatter(points, test.labels[rows], names, axes, title, folder / "tsne.png", self.command)
        return [float(share) for share in reduced.explained]


def _report(experiment, given: dict, command: str) -> None:
    """Writes the journal: the conclusions, the table of all settings, and the loss over the embedding size."""
    from sslzoo.evaluators.report import grid
    from sslzoo.tuning import sweep

    rows = [{"encoder": "trained", "embedding_size": "", **row} for row in experiment.rows]
    by = ("encoder", "num_classes", "embedding_size")
    table = grid([*by, *FIGURES], [[*key, *cells] for key, cells in sweep.means(rows, by, FIGURES)])
    trained = [row for row in rows if row["encoder"] == "trained"]
    _draw_loss(rows, given, experiment.folder / "loss.png", command)
    scores = [f"ari{f', pca {count}' * (k > 0)}" for k, count in enumerate(given["pca_components"])]
    others = grid([*by, *scores], [[*key, *cells] for key, cells in sweep.means(rows, by, tuple(scores))])
    points = "\n".join(f"- {line}" for line in _key_points(trained, rows, given))
    experiment.write_journal(
        f"# {experiment.folder.name}\n\n    {command}\n\n{points}\n\n"
        f"Mean and deviation over {given['seeds']} seeds, with {given['pca_components'][0]} principal components:\n\n"
        f"{table}\n\nAdjusted Rand index with fewer components:\n\n{others}\n\n![loss](loss.png)\n"
    )


def _draw_loss(rows: list[dict], given: dict, path: Path, command: str) -> None:
    from sslzoo.losses import nt_xent_baseline
    from sslzoo.utils import plots

    some = [row for row in rows if row["encoder"] == "trained" and row["num_classes"] == given["num_classes"][0]]
    random = {
        size: nt_xent_baseline(given["batch_size"], size, temperature=given["temperature"])
        for size in given["embedding_sizes"]
    }
    panels = {
        "NT-Xent (nats)": {
            "trained": [(row["embedding_size"], row["loss"]) for row in some],
            "random directions, theory": list(random.items()),
        },
        "NT-Xent minus that of random directions (nats)": {
            "trained": [(row["embedding_size"], row["loss_excess"]) for row in some]
        },
        "k-means, adjusted Rand index": {"trained": [(row["embedding_size"], row["ari"]) for row in some]},
    }
    levels = {
        row["encoder"]: row["ari"]
        for row in rows
        if row["encoder"] != "trained" and row["num_classes"] == given["num_classes"][0]
    }
    lines = {"k-means, adjusted Rand index": levels}
    plots.curves(panels, "embedding size (dimensions)", path, command, log=True, lines=lines)


def _key_points(trained: list[dict], rows: list[dict], given: dict) -> list[str]:
    """Returns the conclusions in words; an effect is stated only if it exceeds the spread over seeds."""
    from sslzoo.tuning import sweep

    count = given["num_classes"][0]
    some = [row for row in trained if row["num_classes"] == count]
    others = [row for row in rows if row["encoder"] != "trained" and row["num_classes"] == count]
    baselines = {row["encoder"]: [row["ari"]] for row in others}
    return [
        sweep.effect(some, "embedding_size", "loss", {}, higher=False),
        sweep.effect(some, "embedding_size", "loss_excess", {}, higher=False),
        f"{sweep.effect(some, 'embedding_size', 'ari', baselines)} ({count} classes)",
    ]


if __name__ == "__main__":
    script(embedding_size)
