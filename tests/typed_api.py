"""Uses of the public API as users with a type checker write them; test_typing.py checks them, nothing runs them."""

from pathlib import Path
from typing import Any, assert_type

import numpy as np

import sslzoo
from sslzoo.evaluation.comparison import Comparison
from sslzoo.evaluation.neighbours import Index
from sslzoo.evaluators.scores import Scores
from sslzoo.reports.benefit import Benefit
from sslzoo.training.result import Result
from sslzoo.tuning.search import Search

images, labels = np.zeros((64, 8, 8, 1), "uint8"), np.arange(64) % 4
path = Path("exported_models/simclr_digits")


def trainings() -> None:
    result = sslzoo.pretrain("simclr", images, encoder="resnet18", width=0.5, epochs=50)
    assert_type(result, Result | None)
    assert result is not None
    assert_type(result.scores, Scores)
    assert_type(result.history, dict[str, list[Any]])
    assert_type(result.exported, Path | None)
    assert_type(sslzoo.draw_views("simclr", images), Path)
    assert_type(sslzoo.tune("simclr_digits", trials=2), Search)
    recipe = sslzoo.Recipe("simclr", "digits", "conv6", epochs=2)
    recipe.main()


def judgements() -> None:
    encoder = sslzoo.load_encoder(path)
    for one in (encoder, path, str(path)):
        assert_type(sslzoo.evaluate(one, (images, labels), image_size=8), Scores)
        sslzoo.report(one, (images, labels), out=Path("report"))
        assert_type(sslzoo.benefit(one, "digits", seeds=1), Benefit)
    assert_type(sslzoo.compare([path, str(path)], (images, labels)), Comparison)
    assert_type(sslzoo.doctor(methods="simclr"), list[str])


def files() -> None:
    assert_type(sslzoo.embed(path, images, Path("features.npz")), Path)
    assert_type(sslzoo.export(path, ("keras", "onnx")), dict[str, float | str])
    assert_type(sslzoo.pack(images, "packed", overwrite=True), Path)
    assert_type(sslzoo.record("CartPole-v1", "cart.npz", episodes=2), Path)
    sslzoo.import_weights("weights.safetensors", "resnet50", path)
    sslzoo.load_text(path)
    assert_type(sslzoo.build_index(path, images), Index)
    assert_type(sslzoo.open_index("indexes/simclr_digits"), Index)
    sslzoo.serve_data(images, port=5050)


class Own(sslzoo.SSLModel):
    """A method of a user's own."""

    def __init__(self, encoder: Any, weight: float = 1.0, **kwargs: Any):
        super().__init__(encoder, **kwargs)
        self.weight = weight


class Features(sslzoo.EncoderTransformer):
    """A transformer of a user's own."""
