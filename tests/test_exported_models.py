"""The encoders that come with the project: small, loadable, as good as their cards say; and the index of any folder."""

import json
from pathlib import Path

import pytest
from families import spread

from sslzoo.data import load
from sslzoo.data.named import FASHION_MNIST
from sslzoo.evaluation import baseline, judging
from sslzoo.evaluation.index import index, write_index
from sslzoo.evaluators.knn import knn
from sslzoo.exports.savedmodel import load_encoder, read_facts
from sslzoo.views import inputs

FOLDER = Path(__file__).parents[1] / "exported_models"
EXPORTS = sorted(FOLDER.glob("*_fashion_mnist"))
EVERY_EXPORT = pytest.mark.parametrize("path", EXPORTS, ids=lambda path: path.name)


def test_there_are_three_of_different_families():
    assert len(EXPORTS) >= 3
    assert len({read_facts(path)["method"] for path in EXPORTS}) == len(EXPORTS)


@EVERY_EXPORT
def test_an_export_is_small_and_its_card_names_the_command(path):
    assert sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) <= 3e6
    command = read_facts(path)["command"]
    assert command.startswith(f"python recipes/{path.name}.py") and command in (path / "README.md").read_text("utf-8")


@pytest.mark.parametrize("name", spread([path.name for path in EXPORTS], ("simclr_fashion_mnist",)))
@pytest.mark.skipif(not FASHION_MNIST.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_an_export_is_as_good_as_its_card_says(name):
    path = FOLDER / name
    facts = read_facts(path)
    encoder, size = load_encoder(path), facts["encoder"]["image_shape"][0]
    splits = judging.judged(load("fashion_mnist"), facts)
    train, test = (inputs.encode(encoder, part, size) for part in splits)
    told = {row["features"]: row["mean"] for row in facts["scores"] if row["metric"].startswith("k-NN")}
    assert knn(train, splits.train.labels, test, splits.test.labels) == pytest.approx(told["trained"], abs=5e-4)
    assert told["trained"] > told["untrained"]
    start = baseline.restore(path)
    train, test = (inputs.encode(start, part, size) for part in splits)
    assert knn(train, splits.train.labels, test, splits.test.labels) == pytest.approx(told["untrained"], abs=5e-4)


def test_the_index_is_that_of_the_cards():
    assert (FOLDER / "README.md").read_text("utf-8") == index(FOLDER)
    for path in EXPORTS:
        assert f"[{path.name}]({path.name}/README.md)" in index(FOLDER)


def test_an_index_sets_each_number_beside_its_baselines(tmp_path):
    scores = [
        {"metric": "k-NN, 20 neighbours", "features": name, "mean": mean}
        for name, mean in (("trained", 0.875), ("untrained", 0.8), ("raw pixels", 0.79))
    ]
    encoder = {"name": "mlp", "features": 64}
    (tmp_path / "a").mkdir()
    new = [{**row, "metric": "of another title", "key": "knn", "percent": True} for row in scores]
    new[0]["gains"] = {"untrained": [0.075, 0.05, 0.1]}
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "recipe.json").write_text(json.dumps({"method": "moco", "encoder": encoder, "scores": new}))
    facts = {"method": "simclr", "encoder": encoder, "scores": scores, "data": "digits: 9 images; fingerprint f"}
    (tmp_path / "a" / "recipe.json").write_text(json.dumps(facts))
    line, of_new = write_index(tmp_path).read_text("utf-8").splitlines()[-2:]
    assert "| 87.5 / 80.0 / 79.0 (+7.5 [+5.0, +10.0]) |" in of_new
    assert line == "| [a](a/README.md) | simclr | mlp | digits: 9 images | 64 | 0.0 |  | 87.5 / 80.0 / 79.0 |  |"
    (tmp_path / "README.md").write_text("My own words.")
    assert write_index(tmp_path).read_text("utf-8") == "My own words."
