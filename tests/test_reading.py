"""How data are read (labels, splits, value_range, scan) can be said at every command that takes data."""

import inspect
import shutil

import numpy as np
import pytest
from PIL import Image

import sslzoo
from sslzoo.data.packing import pack
from sslzoo.data.service import serve_data
from sslzoo.evaluation import sources
from sslzoo.exports.savedmodel import read_facts
from sslzoo.views import inputs

READING = ("labels", "splits", "value_range", "scan")


@pytest.mark.parametrize(
    "function", [sslzoo.pretrain, sslzoo.evaluate, sslzoo.compare, sslzoo.report, sslzoo.embed, pack, serve_data]
)
def test_every_door_takes_the_arguments_of_load(function):
    packing = {"scan"} if function is pack else set()  # it decodes all files anyway
    assert set(READING) - packing <= set(inspect.signature(function).parameters)


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


@pytest.mark.long
def test_a_training_reads_the_data_as_it_is_told(folder):
    reading = dict(labels=str(folder / "classes.csv"), splits="train=one,test=two", value_range="0,4095")
    result = sslzoo.pretrain(
        "simclr", str(folder / "data"), "mlp", epochs=1, batch_size=8, units=8, hidden_dim=8, projection_dim=4,
        runs=str(folder / "runs"), export_to=None, **reading,
    )  # fmt: skip
    assert {row.features for row in result.scores} >= {"trained", "untrained", "raw pixels"}
    assert '"value_range": "0,4095"' in (result.run / "settings.json").read_text()


@pytest.mark.long
def test_evaluate_compare_and_embed_shrink_a_folder_as_its_training_did(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(60):
        path = tmp_path / "data" / ("train", "test")[number % 2] / "ab"[number % 4 // 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (90, 70), "uint8")).save(path)
    data = str(tmp_path / "data")
    result = sslzoo.pretrain(
        "simclr", data, "mlp", image_size=16, epochs=1, batch_size=8, units=8, hidden_dim=8, projection_dim=4,
        runs=str(tmp_path / "runs"), export_to=str(tmp_path / "exports"),
    )  # fmt: skip
    assert '"max_size": 32' in (result.run / "settings.json").read_text(), "not 256, the default of data.load"
    card = next(row.mean for row in result.scores if row.features == "trained" and row.key == "silhouette")
    scores = sslzoo.evaluate(str(result.exported), data, evaluators=("clustering",))
    assert card == next(row.mean for row in scores if row.features == "trained" and row.key == "silhouette")
    compared = sources.read(data, read_facts(result.exported)).train
    assert compared.shape[:2] == (32, 32) and compared.fingerprint() in read_facts(result.exported)["knobs"]["data"]
    copy = shutil.copytree(result.exported, tmp_path / "exports/copy")
    both = sslzoo.compare([str(result.exported), str(copy)], data)
    knn = next(row.mean for row in result.scores if row.features == "trained" and row.key == "knn")
    assert next(iter(both.encoders.values())).scores["knn"].mean == knn
    sslzoo.embed(result.exported, data, str(tmp_path / "all.npz"))
    with np.load(tmp_path / "all.npz") as table:
        embedded = table["features"][table["split"] == "train"]
    expected = inputs.encode(sslzoo.load_encoder(result.exported), compared, 16)
    np.testing.assert_allclose(np.sort(embedded, axis=0), np.sort(expected, axis=0), atol=1e-5)
