"""An index of an exported encoder from the command line and from Python, and its pages for all kinds of data."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sslzoo.__main__ import main
from sslzoo.data import load_parts
from sslzoo.evaluation import indexing, neighbours
from sslzoo.evaluation.indexing import build_index, open_index
from sslzoo.evaluation.neighbours import Index
from sslzoo.reports import choosing, searching

MODEL = Path(__file__).parents[1] / "exported_models/simclr_fashion_mnist"
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of images of two classes, bright above or below, with a copy in the test part, and its index."""
    place = tmp_path_factory.mktemp("work")
    for number in range(60):
        image = RNG.integers(0, 90, (28, 28)).astype("uint8")
        image[slice(0, 14) if number % 2 else slice(14, 28)] += 150
        name = f"{'train' if number < 40 else 'test'}/{'upper' if number % 2 else 'lower'}/{number:02}.png"
        (place / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / "data" / name)
    Image.open(place / "data/train/upper/05.png").save(place / "data/test/upper/copy.png")
    build_index(MODEL, place / "data", out=str(place / "index"))
    return place


def command(capsys, *words, status=0):
    try:
        main([str(word) for word in words])
        code = 0
    except SystemExit as stop:
        code = stop.code
    said = capsys.readouterr()
    assert code == status, said.err
    return said.out if status == 0 else said.err


def test_the_folder_holds_features_ids_and_the_identity_of_encoder_and_data(folder):
    index = open_index(folder / "index")
    assert index.features.shape == (61, 2304) and set(index.columns) == {"split", "label", "class", "path"}
    settings = json.loads((folder / "index/index.json").read_text())
    assert settings["identity"] == indexing.identity(MODEL) and settings["data"] == str(folder / "data")
    assert {name: part["count"] for name, part in settings["parts"].items()} == {"train": 40, "test": 21}
    assert index.name_of(40) == index.columns["path"][40] and index.class_of(40) in ("upper", "lower")
    assert not [file for file in (folder).iterdir() if file.name.startswith(".")]


def test_search_is_brute_force_by_row_and_by_file(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    index = open_index("index")
    centred = index.features - index.features.mean(0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    said = command(capsys, "search", "index", "7", "--k", "5")
    cosines = unit @ unit[7]
    cosines[7] = -2
    rows = np.argsort(-cosines)[:5]
    page = searching.search("index", 7, k=5)
    assert page.found[0].tolist() == [rows.tolist()]
    np.testing.assert_allclose(page.found[1][0], cosines[rows], atol=1e-5)
    assert f"{cosines[rows[0]]:.4f}" in said and "page: neighbours/index-search/report.html" in said
    image = page.folder / "pictures/neighbours.png"
    assert Image.open(image).size[0] > 400 and "data:image/png" in page.html.read_text()
    found = searching.search("index", folder / "data/train/upper/05.png", k=2).found
    paths = [str(index.columns["path"][row]) for row in found[0][0]]
    assert {path.rsplit("/", 1)[-1] for path in paths} == {"05.png", "copy.png"}
    np.testing.assert_allclose(found[1], 1, atol=1e-5)
    array = np.stack([np.asarray(Image.open(folder / "data/train/upper/05.png"))] * 3)
    assert searching.search(index, array, k=2).found[0].shape == (3, 2)


def test_the_planted_copy_is_found(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    said = command(capsys, "duplicates", "index", "--similarity", "0.9999")
    assert "1 pairs of similarity 0.9999 or more in 1 groups, 1 with equal features, 1 across splits" in said
    lines = list(csv.DictReader((folder / "neighbours/index-duplicates/table.csv").open()))
    assert {line["name"].rsplit("/", 1)[-1] for line in lines} == {"05.png", "copy.png"}
    assert len(searching.duplicates("index", 0.9999, split="train").found.rows) == 0


def test_classes_are_separable_and_anomalies_found(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    found = choosing.calibrate("index", 0.0, pairs=500).found
    assert found.auc == 1.0 and found.chosen.recall == found.chosen.precision == 1.0
    assert "ROC AUC 1.0000" in command(capsys, "calibrate", "index", "--pairs", "400")
    page = choosing.anomaly("index", normal="upper")
    assert page.found["auc"] == 1.0 and (np.diff(page.found["scores"]) <= 0).all()
    upper = page.found["rows"][-11:]
    assert all(open_index("index").class_of(row) == "upper" for row in upper)
    command(capsys, "anomaly", "index")
    own = choosing.anomaly("index", reference="train", split="train", neighbours=3)
    features = open_index("index").features[:40]
    distance = np.linalg.norm(features[:, None] - features[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    expected = np.sort(distance, axis=1)[:, :3].mean(1)
    np.testing.assert_allclose(own.found["scores"], np.sort(expected)[::-1], rtol=1e-3)


@pytest.mark.parametrize("strategy", ["typical", "k_centre"])
def test_selection_covers_both_classes_and_writes_a_table(folder, monkeypatch, capsys, strategy):
    monkeypatch.chdir(folder)
    said = command(capsys, "select", "index", "--count", "2", "--by", strategy, "--out", strategy)
    assert "of 2 classes" in said
    lines = list(csv.DictReader((folder / strategy / "table.csv").open()))
    assert {line["class"] for line in lines} == {"upper", "lower"} and len(lines) == 2
    chosen = [int(line["row"]) for line in lines]
    more = choosing.select("index", 5, strategy, labelled=f"{strategy}/table.csv").found
    assert not set(more) & set(chosen)
    np.testing.assert_array_equal(more, choosing.select("index", 5, strategy, labelled=chosen).found)


@pytest.mark.parametrize(
    "words, said",
    [
        (("search", "nowhere", "1"), "nowhere is no index: `sslzoo index MODEL --data DATA` makes one"),
        (("search", "index", "61"), "query=61: rows of the index are 0 to 60"),
        (("search", "index", "no.png"), "is neither a row of the index nor a file"),
        (("search", "index", "1", "--k", "61"), "k must be 1 to 60"),
        (("duplicates", "index", "--similarity", "2"), "similarity must be at least 0 and at most 1"),
        (("duplicates", "index", "--split", "val"), "the index has train, test"),
        (("calibrate", "index", "--false-positives", "3"), "false_positives must be at least 0 and at most 1"),
        (("anomaly", "index", "--normal", "middle"), "no class 'middle': there are lower, upper"),
        (("select", "index", "--count", "41"), "there are 40 examples without a label"),
        (("select", "index", "--count", "2", "--by", "best"), "no strategy 'best'"),
        (("select", "index", "--count", "2", "--labelled", "3,x"), "'x' is no row"),
        (("select", "index", "--count", "2", "--labelled", "45"), "labelled holds 45, which is no row of split"),
        (("index", MODEL, "--data", "digits", "--out", "data"), "data exists and is no index"),
        (("index", MODEL, "--data", "digits", "--backend", "fast"), "choose one of exact, faiss"),
        (("index", "nowhere", "--data", "digits"), "holds no exported encoder"),
    ],
)
def test_bad_words_are_one_line(folder, monkeypatch, capsys, words, said):
    monkeypatch.chdir(folder)
    error = command(capsys, *words, status=2)
    line = error.strip().split("\n")[-1].replace("--false-positives", "false_positives").replace("--", "")
    assert said in line.replace(" index MODEL data", " index MODEL --data")
    assert "Traceback" not in error


def test_changed_data_and_damaged_indexes_are_refused(folder, tmp_path):
    build_index(MODEL, folder / "data", out=str(tmp_path / "index"))
    settings = json.loads((tmp_path / "index/index.json").read_text())
    settings["parts"]["train"]["fingerprint"] = "0" * 16
    (tmp_path / "index/index.json").write_text(json.dumps(settings))
    page = searching.search(tmp_path / "index", 1, out=str(tmp_path / "page"))
    assert any("has changed since the index was made" in note for note in page.notes), "without pictures, with a note"
    settings["identity"] = "0" * 16
    (tmp_path / "index/index.json").write_text(json.dumps(settings))
    with pytest.raises(ValueError, match="has changed since the index was made"):
        searching.search(tmp_path / "index", folder / "data/train/upper/05.png", out=str(tmp_path / "page"))
    (tmp_path / "index/features.npy").write_bytes(b"none")
    with pytest.raises(ValueError, match="damaged index"):
        open_index(tmp_path / "index")


def test_a_failed_index_leaves_the_earlier_one(folder, monkeypatch):
    before = (folder / "index/index.json").read_bytes()
    monkeypatch.setattr("sslzoo.evaluation.indexing.json.dumps", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        build_index(MODEL, folder / "data", out=str(folder / "index"))
    assert (folder / "index/index.json").read_bytes() == before and len(list((folder / "index").iterdir())) == 3


def test_the_graph_of_faiss_finds_the_exact_neighbours(folder, tmp_path):
    pytest.importorskip("faiss")
    exact = open_index(folder / "index")
    build_index(MODEL, folder / "data", out=str(tmp_path / "index"), backend="faiss")
    graph = open_index(tmp_path / "index")
    assert (tmp_path / "index" / neighbours.GRAPH).is_file()
    for own in (None, np.arange(20)):
        (_, similarities), expected = (
            graph.search(graph.features[:20], 5, own),
            exact.search(graph.features[:20], 5, own),
        )
        np.testing.assert_allclose(similarities, expected[1], atol=1e-4)


TEXTS = [f"the word {number} and {'cat' if number % 2 else 'dog'}" for number in range(30)]
OF_KINDS = {
    "series": (RNG.normal(size=(30, 50, 2)).astype("float32"), {}),
    "audio": (RNG.normal(size=(30, 4000)).astype("float32") / 9, dict(sample_rate=4000)),
    "rows": ({"age": RNG.normal(size=30), "city": ["bonn", "aachen"] * 15}, {}),
    "text": (TEXTS, {}),
}


@pytest.mark.parametrize("kind", OF_KINDS)
def test_pages_show_examples_of_every_kind(kind, tmp_path):
    data, options = OF_KINDS[kind]
    part = load_parts(data, kind=kind, **options)["train"]
    features = RNG.normal(size=(len(part), 8)).astype("float32")
    features[1] = features[0]
    parts = {"train": dict(count=len(part), fingerprint="")}
    settings = dict(encoder="none", data=kind, named=False, kind=kind, backend="exact", parts=parts)
    columns = {"split": np.array(["train"] * len(part)), "label": np.arange(len(part)) % 2}
    index = Index(features, columns, settings, given={"train": part})
    made = [
        searching.search(index, 0, k=3, out=str(tmp_path / "search")),
        searching.duplicates(index, 0.99, out=str(tmp_path / "duplicates")),
        choosing.anomaly(index, out=str(tmp_path / "anomaly")),
        choosing.select(index, 4, out=str(tmp_path / "select")),
        choosing.calibrate(index, pairs=50, out=str(tmp_path / "calibrate")),
    ]
    for page in made:
        assert not page.notes and list((page.folder / "pictures").glob("*.png")), page
        assert page.verdict in str(page) and "<table>" in page.html.read_text()
    assert made[0].found[0][0, 0] == 1 and made[1].found.rows.tolist() == [[0, 1]]
