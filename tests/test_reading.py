"""How data are read (labels, splits, value_range) can be said at every command that takes data."""

import inspect

import numpy as np
import pytest
from PIL import Image

import sslzoo
from sslzoo.data.packing import pack
from sslzoo.data.service import serve_data

READING = ("labels", "splits", "value_range")


@pytest.mark.parametrize(
    "function", [sslzoo.pretrain, sslzoo.evaluate, sslzoo.compare, sslzoo.report, sslzoo.embed, pack, serve_data]
)
def test_every_door_takes_the_arguments_of_load(function):
    assert set(READING) <= set(inspect.signature(function).parameters)


@pytest.fixture
def folder(tmp_path):
    """Two classes of 12-bit images in 16-bit files, in folders of unusual names, with a CSV file of other classes."""
    rng, lines = np.random.default_rng(0), []
    for part, count in (("one", 24), ("two", 16)):
        for number in range(count):
            pixels = rng.normal(900, 100, (8, 8))
            pixels[:, 4 * (number % 2) :][:, :4] += 2500
            pixels = np.clip(pixels, 0, 4095).astype("uint16")
            path = tmp_path / "data" / part / f"{number:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
            lines.append(f"{part}/{path.name},{'right' if number % 2 else 'left'}")
    (tmp_path / "classes.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_an_evaluation_reads_the_data_as_it_is_told(folder):
    encoder = sslzoo.encoders.mlp((8, 8, 1), units=8)
    reading = dict(labels=str(folder / "classes.csv"), splits="train=one,test=two")
    scores = sslzoo.evaluate(
        encoder, str(folder / "data"), image_size=8, evaluators=("knn",), k=5, value_range="0,4095", **reading
    )
    raw = next(row for row in scores if row.features == "raw pixels")
    assert raw.mean > 0.9, "the classes of the CSV file are told apart by the bright half"


def test_a_training_reads_the_data_as_it_is_told(folder):
    reading = dict(labels=str(folder / "classes.csv"), splits="train=one,test=two", value_range="0,4095")
    result = sslzoo.pretrain(
        "simclr", str(folder / "data"), "mlp", epochs=1, batch_size=8, units=8, hidden_dim=8, projection_dim=4,
        runs=str(folder / "runs"), export_to=None, **reading,
    )  # fmt: skip
    assert {row.features for row in result.scores} >= {"trained", "untrained", "raw pixels"}
    assert '"value_range": "0,4095"' in (result.run / "settings.json").read_text()
