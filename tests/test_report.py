"""Reports and comparisons as a user asks for them: every number beside its baselines, one page, honest intervals."""

import json
import re
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from sslzoo import encoders, heads
from sslzoo.__main__ import main
from sslzoo.data import from_array
from sslzoo.data.dataset import Splits
from sslzoo.evaluators.report import Row
from sslzoo.export import export, read_projector, write_projector
from sslzoo.report import board, depth, places, projectors, report, robustness
from sslzoo.report.front import Front
from sslzoo.report.page import as_html
from sslzoo.report.study import Chapter, Picture, Study

SIDE = 8
COLUMNS = ["trained", "untrained", "raw pixels"]


def pictures(count, seed=0):
    """Noise with a bright row or a bright column, and which of the two."""
    random = np.random.default_rng(seed)
    images, labels = random.uniform(0, 0.6, (count, SIDE, SIDE, 1)), np.arange(count) % 2
    images[labels == 0, 3] += 0.4
    images[labels == 1, :, 3] += 0.4
    return images.astype("float32"), labels


def conv6(seed=0):
    keras.utils.set_random_seed(seed)
    return encoders.make("conv6", (SIDE, SIDE, 1), width=0.125)


def splits():
    return Splits(from_array(*pictures(100)), from_array(*pictures(60, seed=1)))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A report on a conv6 with weights of another seed, with TensorBoard beside it."""
    place = tmp_path_factory.mktemp("report")
    folder = report(conv6(1), splits(), str(place / "out"), tensorboard=str(place / "board"), untrained=conv6())
    return folder, place / "board"


def test_every_chapter_has_every_number_beside_its_baselines(made):
    told = json.loads((made[0] / "report.json").read_text())
    titles = [
        "With labels",
        "Without labels",
        "By depth",
        "Places",
        "Robustness",
        "Clusters, outliers, near-duplicates",
    ]
    titles += ["Projections and neighbours"]
    assert list(told["chapters"]) == titles
    for chapter in told["chapters"].values():
        for metric in {row["metric"] for row in chapter["scores"]}:
            columns = [row["features"] for row in chapter["scores"] if row["metric"] == metric]
            assert columns == COLUMNS, metric
    assert told["facts"]["judged on"] == "array: 100 training and 60 test images at 8 px"


def test_the_page_needs_nothing_but_itself_and_shows_every_picture(made):
    page = (made[0] / "report.html").read_text()
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert all(source.startswith(("data:", "#")) for source in sources)
    assert "http" not in re.sub(r"<img[^>]*>", "", page)
    files = sorted(path.stem for path in (made[0] / "pictures").glob("*.png"))
    assert len(files) == page.count("<img ")
    assert {"pca", "tsne", "confusion", "neighbours", "kernels", "maps", "attention", "spectrum"} <= set(files)
    assert {"guillotine", "reliability", "corruptions", "clusters", "outliers", "duplicates", "scores"} <= set(files)
    markdown = (made[0] / "report.md").read_text()
    assert all(f"(pictures/{name}.png)" in markdown for name in files)


def test_tensorboard_gets_pictures_histograms_and_a_projector(made):
    folder = made[1]
    vectors = np.loadtxt(folder / "features.tsv", delimiter="\t")
    labels = (folder / "labels.tsv").read_text().split()
    assert vectors.shape == (60, 64) and len(labels) == 60
    config = (folder / "projector_config.pbtxt").read_text()
    assert all(name in config for name in ("features.tsv", "labels.tsv", "sprite.png", "single_image_dim: 8"))
    sprite = tf.io.decode_png((folder / "sprite.png").read_bytes())
    assert sprite.shape == (8 * SIDE, 8 * SIDE, 3)  # 64 places for 60 images
    events = next(folder.glob("events*")).read_bytes()
    for tag in (b"report/guillotine", b"weights/conv1/kernel", b"report trained/k-NN, 20 neighbours"):
        assert tag in events


def test_the_sprite_has_the_images_row_by_row(tmp_path):
    images = np.linspace(0, 1, 5)[:, None, None, None] * np.ones((5, 4, 4, 1))
    assert board._sprite(tmp_path / "sprite.png", images) == 4
    sheet = tf.io.decode_png((tmp_path / "sprite.png").read_bytes()).numpy()
    assert [sheet[4 * (k // 3), 4 * (k % 3), 0] for k in range(5)] == [0, 64, 128, 191, 255]


def test_names_from_outside_are_escaped_and_missing_scores_are_a_dash():
    chapter = Chapter("<b>", "a & b", [Row("<i>", "trained", None)], [Picture("p", "<u>", "c", b"x")], notes=["<s>"])
    page = as_html(Front("<script>"), [chapter])
    assert not re.search(r"<(script|b|i|u|s)>", page)
    assert "<td>-</td>" in page


def test_the_guillotine_goes_on_into_a_projector():
    study = Study({"trained": [conv6()], "untrained": [conv6(1)]}, splits(), SIDE)
    projector = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dense(6), keras.layers.ReLU(), keras.layers.Dense(2)]
    )
    found = depth.guillotine(study.encoders["trained"], study, study.train, study.test, projector)
    assert list(found) == ["tanh1", "pool2", "tanh3", "pool4", "features", "projector 1", "projector 2"]
    assert all(right.dtype == bool and right.shape == (60,) for right in found.values())


def test_a_projector_that_was_kept_is_probed_beside_one_with_new_weights(tmp_path):
    projector = heads.mlp(64, 6, 2)
    export(conv6(), tmp_path / "encoder", pictures(4)[0], {})
    write_projector(projector, tmp_path / "encoder", 64)
    kept = projectors(read_projector(tmp_path / "encoder"), {"trained": conv6(), "untrained": conv6(1)})
    features = np.random.default_rng(0).normal(size=(5, 64)).astype("float32")
    np.testing.assert_allclose(kept["trained"](features), projector(features), atol=1e-6)
    assert not np.allclose(kept["untrained"].get_weights()[0], projector.get_weights()[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # as Keras does where a weight has no part in the loss
        told = depth.chapter(Study({"trained": [conv6()], "untrained": [conv6(1)]}, splits(), SIDE, kept))
    for metric in ("linear probe after projector 2", "fine-tuning from the projector's first layer"):
        assert {row.features for row in told.rows if row.metric == metric} == set(COLUMNS)


def test_a_classifier_that_is_blind_is_as_robust_as_it_is_bad():
    study = Study({"trained": [conv6()], "untrained": [conv6(1)]}, splits(), SIDE)
    blind = {name: lambda images: np.ones((len(images), 3), "float32") for name in ("trained", "untrained")}
    study.functions = blind  # a cached property: what stands there is used
    found = {(row.metric, row.features): row.mean for row in robustness.chapter(study).rows}
    assert found["clean", "trained"] == found["mean of all corruptions", "trained"]
    assert found["kept of the clean accuracy", "trained"] == 1.0


@pytest.mark.parametrize(("name", "knobs"), [("vit_tiny", dict(depth=1)), ("resnet18", dict(width=0.125)), ("mlp", {})])
def test_places_of_transformers_and_residual_nets_are_probed_and_shown(name, knobs):
    models = {who: [encoders.make(name, (SIDE, SIDE, 1), **knobs)] for who in ("trained", "untrained")}
    chapter = places.chapter(Study(models, splits(), SIDE))
    titles = {picture.title for picture in chapter.pictures}
    shown = {"First-layer kernels", "Feature maps", "Energy of the last feature map"}
    shown = {"First-layer kernels", "Attention of the class token"} if name == "vit_tiny" else shown
    assert shown - ({"Feature maps", "Energy of the last feature map"} if name == "mlp" else set()) <= titles
    assert len(chapter.rows) == (0 if name == "mlp" else 6)
    assert bool(chapter.notes) == (name == "mlp")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Three exports, the first two of the same weights, and a folder of images."""
    place = tmp_path_factory.mktemp("compare")
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        export(conv6(seed), place / name, pictures(4)[0], {"name": name})
    for image, label in zip(*pictures(80), strict=True):
        file = place / "images" / ("row", "column")[label] / f"{hash(image.tobytes())}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(tf.io.encode_png(np.uint8(255 * image)).numpy())
    return place


def test_compared_encoders_stand_side_by_side_with_intervals(exported, capsys):
    main(["compare", *(str(exported / name) for name in ("one", "same", "other")), "--data", str(exported / "images")])
    said = capsys.readouterr().out
    lines = {line.split(" | ")[0].strip("| "): line.split(" | ") for line in said.splitlines() if line.startswith("|")}
    assert [name for name in lines if name in ("one", "same", "other", "raw pixels")] == [
        "one",
        "same",
        "other",
        "raw pixels",
    ]
    table = said.split("\n\n")[1].splitlines()
    assert table[3].count("+0.0 [+0.0, +0.0] %") == 2
    assert table[2].count("[") == 0 and table[5].count("[") == 2
    assert lines["same"][1] == "100 %"  # the last table is that of shared neighbours


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["compare", "one", "--data", "images"], "two encoders or more"),
        (["compare", "one", "nowhere", "--data", "images"], "nowhere holds no exported encoder"),
        (["evaluate", "one", "--data", "images", "--all", "--max-images", "5"], "take 50 or more"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(exported, monkeypatch, capsys, words, told):
    monkeypatch.chdir(exported)
    with pytest.raises(SystemExit) as stop:
        main(words)
    error = capsys.readouterr().err
    assert stop.value.code == 2 and told in error and error.count("\n") == 1
    assert not (exported / "reports").exists()
