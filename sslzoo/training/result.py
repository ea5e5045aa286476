"""The result of a pretraining."""

import base64
import html
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from sslzoo.evaluators.scores import Scores
from sslzoo.exports.contract import HISTORY
from sslzoo.model import SSLModel
from sslzoo.training.plan import Plan

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(repr=False)
class Result:
    """The trained model, its folders, the verdict, and the scores if the data has labels.

    Attributes:
        model: the trained method.
        run: folder of the run.
        plan: the plan of the experiment, with data, views and encoder.
        encoder: the exported encoder, with calibrated BatchNorm statistics.
        untrained: the encoder with the weights before the first step, also calibrated.
        exported: folder of the export; None if there is none.
        verdict: one line on whether training improved the features, with intervals.
        probe: one line on the scores of the data `probe`, which `scores` has; "" without such data.
        kept: scores of the trained encoder and of its start on the data `keep`.
        scores: scores of the trained encoder, the untrained encoder and raw pixels.
    """

    model: SSLModel
    run: Path
    plan: Plan
    encoder: keras.Model | None = None
    untrained: keras.Model | None = None
    exported: Path | None = None
    verdict: str = ""
    probe: str = ""
    scores: Scores = field(default_factory=Scores)
    kept: Scores = field(default_factory=Scores)

    @property
    def history(self) -> dict[str, list[Any]]:
        """Figure -> values from epoch 0 (before training) to the last epoch; None if an epoch has no value."""
        file = self.run / HISTORY
        lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []
        return {name: [line.get(name) for line in lines] for name in dict.fromkeys(n for line in lines for n in line)}

    def plot(self) -> "Figure":
        """Plots the loss and the online k-NN (the rank for data without labels) over the epochs with matplotlib."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7, 2.6), layout="constrained")
        history = self.history
        second = "knn" if "knn" in history else "rank"
        for axes, name in zip(figure.subplots(1, 2), ("loss", second), strict=True):
            axes.plot(history.get("epoch", []), history.get(name, []), marker=".")
            axes.set_xlabel("epoch")
            axes.set_title({"knn": "k-NN accuracy (online)"}.get(name, name))
            axes.grid(alpha=0.3)
        return figure

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} of {self.plan.name}", f"  verdict: {self.verdict}", f"  run: {self.run}"]
        lines += [f"  export: {self.exported}"] * bool(self.exported)
        return "\n".join(lines) + (f"\n\n{self.scores}" if self.scores else "")

    def _repr_html_(self) -> str:
        png = io.BytesIO()
        self.plot().savefig(png, format="png", dpi=90)
        picture = f'<img alt="training curve" src="data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}">'
        facts = {"verdict": self.verdict, "run": self.run, "export": self.exported or "none"}
        rows = "".join(f"<tr><th>{name}</th><td>{html.escape(str(value))}</td></tr>" for name, value in facts.items())
        table = self.scores._repr_html_() if self.scores else ""
        return f"<b>{html.escape(self.plan.name)}</b><table>{rows}</table>{picture}{table}"
