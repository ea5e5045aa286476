"""Reports and comparisons: scores with their baselines and intervals, the page, its pictures, data without labels."""

import dataclasses
import html
import json
import re
import shutil
import sys
import types
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import sslzoo
from sslzoo import encoders
from sslzoo.__main__ import main
from sslzoo.data import from_array
from sslzoo.data.dataset import Splits
from sslzoo.evaluation.index import index
from sslzoo.evaluators import dense, few_shot, mlp, outliers, overlap, retrieval
from sslzoo.evaluators.report import Row
from sslzoo.exports.card import card
from sslzoo.exports.savedmodel import export, read_facts, read_projector, write_projector
from sslzoo.layers import heads
from sslzoo.reports import CHAPTERS, board, charts, depth, groups, labels, looks, places, projectors, report, robustness
from sslzoo.reports.front import Front, read_history
from sslzoo.reports.page import as_html
from sslzoo.reports.study import Chapter, Picture, Study
from sslzoo.reports.text import as_json, escaped
from sslzoo.utils.plots import class_style, plain

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
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(looks, "_umap", lambda features: {})
        folder = report(conv6(1), splits(), str(place / "out"), tensorboard=str(place / "board"), untrained=conv6())
    return folder, place / "board"


def test_umap_is_drawn_where_it_is_installed(monkeypatch):
    points = types.SimpleNamespace(fit_transform=lambda x: x[:, :2])
    monkeypatch.setitem(sys.modules, "umap", types.SimpleNamespace(UMAP=lambda **_: points))
    x = np.ones((5, 3))
    assert looks._umap({"trained": x})["trained"].shape == (5, 2)
    monkeypatch.setitem(sys.modules, "umap", None)
    assert looks._umap({"trained": x}) == {}


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.parametrize(
    ("name", "knobs"),
    [
        ("vit_tiny", dict(depth=1)),
        pytest.param("resnet18", dict(width=0.125), marks=pytest.mark.long),
        ("mlp", {}),
    ],
)
def test_places_of_transformers_and_residual_nets_are_probed_and_shown(name, knobs):
    models = {who: [encoders.make(name, (SIDE, SIDE, 1), **knobs)] for who in ("trained", "untrained")}
    chapter = places.chapter(Study(models, splits(), SIDE))
    titles = {picture.title for picture in chapter.pictures}
    shown = {"First-layer kernels", "Feature maps", "Energy of the last feature map"}
    shown = {"First-layer kernels", "Attention"} if name == "vit_tiny" else shown
    assert shown - ({"Feature maps", "Energy of the last feature map"} if name == "mlp" else set()) <= titles
    assert len(chapter.rows) == (0 if name == "mlp" else 6)
    assert bool(chapter.notes) == (name == "mlp")


def write_small(place, data, chapters, monkeypatch, **knobs):
    """A report of some chapters; what report.json holds, and its folder."""
    monkeypatch.setattr("sslzoo.reports.CHAPTERS", chapters)
    monkeypatch.setattr(looks, "_umap", lambda features: {})  # its import compiles for many seconds
    folder = report(conv6(1), data, str(place), **knobs)
    return json.loads((folder / "report.json").read_text()), folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A pretraining on the digits that was exported."""
    place = tmp_path_factory.mktemp("trained")
    knobs = dict(epochs=2, batch_size=64, max_images=300, optimizer="adam", hidden_dim=16, projection_dim=8, units=16)
    places = dict(runs=str(place / "runs"), export_to=str(place / "exports"), name="one", preset="digits")
    return sslzoo.pretrain("simclr", "digits", "mlp", **knobs, **places)


@pytest.fixture
def reported(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("sslzoo.reports.CHAPTERS", (labels,))
    return report(trained.exported, "digits", str(tmp_path / "out"))


@pytest.mark.long
def test_the_report_agrees_with_the_card_to_the_last_digit(trained, reported):
    told = json.loads((reported / "report.json").read_text())
    card = read_facts(trained.exported)["scores"]
    assert card and told["chapters"]["With labels"]["scores"][: len(card)] == card
    assert told["facts"]["judged on"] == "digits: 300 training and 300 test images at 8 px"


def test_the_first_screen_has_verdict_scores_curve_views_and_facts(trained, reported):
    told = json.loads((reported / "report.json").read_text())
    page = (reported / "report.html").read_text()
    first = page[: page.index("<nav>")]
    assert told["verdict"] == trained.verdict and trained.verdict.split(":")[0] in first
    assert re.findall(r"<h3>([^<]*)</h3>", first) == ["Main scores", "Training", "Views", "Facts"]
    assert [line["epoch"] for line in told["history"]] == [0, 1, 2]
    assert {"method", "data", "encoder", "epochs", "time", "command"} <= set(told["facts"])
    assert "https://arxiv.org/abs/2002.05709" in told["facts"]["method"]


@pytest.mark.long
def test_what_an_export_does_not_know_is_left_out(trained, tmp_path, monkeypatch):
    old = tmp_path / "old"
    shutil.copytree(trained.exported, old)
    for name in ("metrics.jsonl", "views.png", "untrained.npz"):
        (old / name).unlink(missing_ok=True)
    facts = read_facts(old)
    (old / "recipe.json").write_text(json.dumps({"encoder": facts["encoder"]}))
    monkeypatch.setattr("sslzoo.reports.CHAPTERS", (labels,))
    folder = report(old, "digits", str(tmp_path / "out"), max_images=100)
    told = json.loads((folder / "report.json").read_text())
    assert told["history"] == [] and "method" not in told["facts"]
    assert "the untrained encoder: k-NN" in told["verdict"]
    assert sorted(path.stem for path in (folder / "pictures").glob("*.png")) == ["confusion", "reliability", "scores"]
    columns = ["trained", "untrained (mean of 3 seeds)", "raw pixels"]
    scores = told["chapters"]["With labels"]["scores"]
    for metric in {row["metric"] for row in scores}:
        assert [row["features"] for row in scores if row["metric"] == metric] == columns, metric
    assert all(row["std"] is not None for row in scores if row["features"] == columns[1] and row["mean"] is not None)
    gains = next(row["gains"] for row in scores if row["features"] == "trained" and row["metric"].startswith("MLP"))
    assert list(gains) == columns[1:]


def test_a_damaged_history_is_read_as_far_as_it_goes(tmp_path):
    file = tmp_path / "metrics.jsonl"
    file.write_text('{"epoch": 0, "loss": 1.5, "knn": null}\n{"epoch": 1, "loss": 1.0}\n[1]\n{"loss": 3}\n{"epo')
    assert read_history(file) == [{"epoch": 0, "loss": 1.5}, {"epoch": 1, "loss": 1.0}]
    assert read_history(tmp_path / "none") == []


def test_values_of_images_have_the_mean_of_the_score():
    x, y = np.random.default_rng(0).normal(size=(200, 5)), np.arange(200) % 3
    x[:, 0] += y
    train, test = (x[:100], y[:100]), (x[100:], y[100:])
    assert mlp.mlp_answers(*train, *test).mean() == mlp.mlp_probe(*train, *test)
    assert few_shot.few_shot_episodes(x, y, 3).mean() == few_shot.few_shot(x, y, 3)[0]
    for name, values in retrieval.retrieval_answers(x, y).items():
        assert values.shape == (200,) and values.mean() == retrieval.retrieval(x, y)[name]


def test_values_of_scenes_have_the_score_of_all():
    random = np.random.default_rng(0)
    maps, masks = random.normal(size=(20, 4, 4, 3)), random.integers(0, 3, (20, 8, 8))
    maps += dense.shrink_masks(masks, (4, 4), 3)[..., None]
    given = maps[:10], masks[:10], maps[10:], masks[10:]
    counts = dense.segmentation_counts(*given)
    assert counts.shape == (10, 3, 3) and counts.sum((1, 2)).tolist() == [64] * 10
    assert dense.iou_of(counts) == dense.segmentation_probe(*given)
    chapter = Chapter("", "")
    chapter.add("iou", "iou", {"trained": counts, "untrained": counts[:, ::-1]}, statistic="iou")
    assert chapter.rows[0].mean == dense.iou_of(counts) and chapter.rows[0].gains["untrained"].mean > 0


def test_encoders_of_one_column_are_merged_and_gains_are_over_their_mean():
    chapter = Chapter("", "", columns={"untrained 1": "untrained (mean)", "untrained 2": "untrained (mean)"})
    right = {"trained": np.ones(50), "untrained 1": np.zeros(50), "untrained 2": np.arange(50) % 2}
    chapter.add("accuracy", "accuracy", right, percent=True)
    chapter.add(
        "rank", "rank", {"trained": 7.6, "untrained 1": 2.0, "untrained 2": 4.0, "raw pixels": None}, whole=True
    )
    assert [(row.features, str(row)) for row in chapter.rows] == [
        ("trained", "100.0 %"),
        ("untrained (mean)", "25.0 +- 35.4 %"),
        ("trained", "8"),
        ("untrained (mean)", "3 +- 1"),
        ("raw pixels", "-"),
    ]
    assert chapter.rows[0].gains["untrained (mean)"].mean == 0.75 and not chapter.rows[2].gains
    assert charts.style("untrained 2") == charts.style("untrained (mean of 3 seeds)") == charts.STYLES["untrained"]


@pytest.mark.parametrize(
    ("untrained", "raw", "marked"),
    [(0.2, 0.3, "better"), (0.2, 0.9, ""), (0.5, 0.3, ""), (0.9, 0.9, "")],
)
def test_the_trained_score_is_marked_only_where_it_beats_every_baseline(untrained, raw, marked):
    def right(share):
        return (np.arange(200) < 200 * share).astype(float)

    chapter = Chapter("a", "b")
    chapter.add(
        "x", "x", {"trained": right(0.5), "untrained": right(untrained), "raw pixels": right(raw)}, percent=True
    )
    page = as_html(Front("t"), [chapter])
    own = re.search(r"<td>x</td><td([^>]*)>50.0 %</td>", page)[1]
    assert own == (f" class={marked}" if marked else "")
    for name, share in (("untrained", untrained), ("raw pixels", raw)):
        text = re.escape(html.escape(chapter.rows[0].gain(name)))
        kind = " class=better" if share < 0.5 else " class=worse" if share > 0.5 else ""
        assert re.search(f"<td{kind}>{text}</td>", page), name


def test_ten_classes_have_ten_colours_and_more_have_other_markers():
    styles = [tuple(class_style(number).values()) for number in range(100)]
    assert len({colour for colour, _ in styles[:10]}) == len({marker for _, marker in styles[:10]}) == 10
    assert len(set(styles)) == 100


def test_a_confusion_matrix_grows_with_its_classes():
    few, many = (charts.matrix_width([f"class {number}" for number in range(count)]) for count in (3, 17))
    assert few < many <= charts.WIDTH
    images = [charts.panels(["a", "b"], lambda axes, _: None, width=width) for width in (few, many)]
    shapes = [tf.io.decode_png(image).shape for image in images]
    assert shapes[0][1] > shapes[0][0] and shapes[1][0] > shapes[1][1], "fewer panels in a row"


EVIL = ("<img src=x onerror=alert(1)>", r"$\frac{a}$ | \frac{a} [b](javascript:c)")


@pytest.mark.long
def test_names_of_classes_and_files_can_neither_run_nor_end_a_report(tmp_path, monkeypatch):
    named = [
        dataclasses.replace(
            part, class_names=EVIL, name=EVIL[0], files=tuple(f"{EVIL[k % 2]}/{k}" for k in range(len(part)))
        )
        for part in splits()
    ]
    told, folder = write_small(tmp_path, Splits(*named), (labels, groups, looks), monkeypatch, untrained=conv6())
    assert told["chapters"][groups.TITLE]["curves"]["outliers"][0][0].startswith(EVIL)
    for file in ("report.html", "report.md"):
        text = (folder / file).read_text()
        assert EVIL[0] not in text and "](javascript" not in text
    assert "onerror" in (folder / "report.md").read_text()
    assert escaped(EVIL[1]) == r"$\\frac{a}$ \| \\frac{a} \[b\](javascript:c)"


def test_numbers_that_json_does_not_have_become_null():
    chapter = Chapter("a", "b", [Row("x", "trained", float("nan"))], curves={"c": [float("inf"), 1.0]})
    told = json.loads(as_json(Front("t"), [chapter]))["chapters"]["a"]
    assert told["scores"][0]["mean"] is None and told["curves"] == {"c": [None, 1.0]}


def test_text_is_drawn_as_it_stands():
    assert plain("latin\udce9.png") == r"latin\udce9.png", "file names need not be text"
    assert plain("$a$\nb") == r"\$a\$ b" and plain("_a") == " _a" and plain("abcdef", 4) == "abc\u2026"


@pytest.mark.long
def test_a_report_without_labels_has_what_needs_none(tmp_path, monkeypatch, capsys):
    images = pictures(100)[0]
    images[7] = images[3]
    images[11] = 1 - images[11]
    files = tuple(f"folder/{number}.png" for number in range(100))
    data = Splits(dataclasses.replace(from_array(images), files=files))
    told, folder = write_small(tmp_path, data, CHAPTERS, monkeypatch, untrained=conv6())
    said = capsys.readouterr().out
    titles = ["Without labels", "Places", groups.TITLE, looks.TITLE]
    assert list(told["chapters"]) == titles
    assert [line.split(",")[0] for line in said.splitlines() if line.startswith("report:")] == [
        f"report: {title.split(',')[0]}" for title in titles
    ]
    assert re.search(r"report: Places, 2 of 4, \d+ s", said)
    first = told["chapters"][groups.TITLE]["curves"]
    assert first["near-duplicates"][0][:2] == ["folder/3.png", "folder/7.png"]
    assert "folder/11.png" in [name for name, _ in first["outliers"][:3]]
    shown = {path.stem for path in (folder / "pictures").iterdir()}
    assert {"spectrum", "kernels", "clusters", "outliers", "duplicates", "pca", "tsne", "neighbours"} <= shown
    assert told["facts"]["labels"].startswith("none")


@pytest.mark.long
def test_a_training_without_labels_ends_with_a_report(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sslzoo.reports.CHAPTERS", (labels, groups))
    knobs = dict(epochs=1, batch_size=32, hidden_dim=16, projection_dim=8, units=16, export_to=None, preset="digits")
    data = pictures(60)[0]
    result = sslzoo.pretrain("simclr", data, "mlp", runs=str(tmp_path), name="bare", **knobs)
    assert f"report: {result.run / 'report.html'}" in capsys.readouterr().out
    assert {"report.html", "report.md", "report.json", "pictures"} <= {path.name for path in result.run.iterdir()}
    assert (result.run / "pictures" / "clusters.png").exists()


def test_outliers_are_far_from_their_neighbours_and_duplicates_near():
    random = np.random.default_rng(0)
    x = random.normal(size=(50, 8)) + 5
    x[4], x[9] = -x[4], 2 * x[30]
    rows, similarity = overlap.neighbours(x, 5)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    whole = unit.astype("float32") @ unit.astype("float32").T - 9 * np.eye(50)
    np.testing.assert_array_equal(rows, np.argsort(-whole, 1, kind="stable")[:, :5])  # 9 and 30 are equally near
    np.testing.assert_allclose(similarity, np.sort(whole, 1)[:, ::-1][:, :5], atol=1e-6)
    assert outliers.outliers(similarity, 3).rows[0] == 4
    pairs = outliers.near_duplicates(rows, similarity, 6)
    assert pairs.rows[0].tolist() == [9, 30] and len({tuple(pair) for pair in pairs.rows.tolist()}) == 6


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


@pytest.mark.long
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
    assert table[2].count("[") == 2 and table[3].count("[") == 4, "the first one has its untrained baseline alone"
    assert table[5].count("[") == 2, "raw pixels have no untrained baseline"
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


def judged_on(train, test, **knobs):
    """Scores of a conv6; `train` and `test` are labels."""
    data = Splits(*(from_array(pictures(len(labels))[0], np.asarray(labels)) for labels in (train, test)))
    return sslzoo.evaluate(conv6(1), data, untrained=conv6(), seeds=2, **knobs)


@pytest.mark.parametrize(
    ("train", "test", "told", "keys"),
    [
        ([0] * 20, [0] * 6, ["linear: the train labels hold a single class", "clustering: .*1 clusters, 6"], {"knn"}),
        (np.arange(48) % 12, np.arange(12), ["clustering: .*12 clusters, 12 examples"], {"knn", "linear_1"}),
        ([*np.arange(20) % 4, 4], np.arange(8) % 4, ["classes 4 have no test images"], {"knn", "ari"}),
        (np.arange(20) % 4, np.arange(8) % 6, ["classes 4, 5 have no training images"], {"knn", "ari"}),
        (np.arange(20) % 4, [0], ["one answer is 100 points", "clustering: .*1 clusters"], {"knn"}),
    ],
)
def test_what_few_images_do_not_allow_is_left_out_in_words(train, test, told, keys):
    scores = judged_on(train, test)
    assert keys <= set(scores.to_dict()["trained"])
    for words in told:
        assert re.search(words, "\n".join(scores.notes)), scores.notes


def test_hopeless_data_are_refused_in_one_line_by_evaluate_and_noted_by_score():
    from sslzoo.evaluation import judging

    data = Splits(from_array(*pictures(20)), from_array(*pictures(6)))
    with pytest.raises(
        ValueError, match="nothing can be computed: left out: clustering: .*2 clusters, 1 examples"
    ) as caught:
        sslzoo.evaluate(
            conv6(), data._replace(test=data.test.take([0])), untrained=conv6(1), evaluators=["clustering"], clusters=2
        )
    assert "\n" not in str(caught.value)
    colour = data._replace(test=from_array(np.repeat(pictures(6)[0], 3, -1), pictures(6)[1]))
    scores = judging.score({"trained": [conv6()]}, colour, SIDE)
    assert scores == [] and "not judged: the encoder takes images of 1 channels" in scores.notes[0]
    unlabelled = data._replace(test=from_array(pictures(6)[0]))
    with pytest.raises(ValueError, match="the test part has no labels"):
        sslzoo.evaluate(conv6(), unlabelled)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "labels",
    [[0, 1, 0], pytest.param([0], marks=pytest.mark.long), pytest.param([0, 1, 2, 3, 0, 1], marks=pytest.mark.long)],
)
def test_a_report_on_few_test_images_is_written(tmp_path, monkeypatch, labels):
    monkeypatch.setattr(looks, "_umap", lambda features: {})
    monkeypatch.setattr("sslzoo.reports.CHAPTERS", tuple(c for c in CHAPTERS if c is not depth))
    data = Splits(from_array(*pictures(60)), from_array(pictures(len(labels))[0], np.asarray(labels)))
    made = report(conv6(1), data, str(tmp_path / "out"), untrained=conv6())
    assert made.html.exists() and any("few_shot" in note for note in made.notes)
    assert str(made).startswith(f"report on {made.title}: {tmp_path}") and made.title in made._repr_html_()


@pytest.mark.parametrize("name", ["pictures/holiday.png", "pictures", "report.md", "report.html", "report.json"])
def test_a_report_replaces_nothing_of_the_user(tmp_path, monkeypatch, name):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine")
    with pytest.raises(ValueError, match=f"{name} was not written by sslzoo.*out=") as caught:
        report(conv6(1), splits(), str(tmp_path), untrained=conv6())
    assert "\n" not in str(caught.value) and file.read_text() == "mine"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file]


@pytest.mark.long
def test_a_report_replaces_its_own_files_unless_they_were_changed(tmp_path, monkeypatch):
    for _ in range(2):
        write_small(tmp_path, splits(), (groups,), monkeypatch, untrained=conv6())
    (tmp_path / "report.md").write_text((tmp_path / "report.md").read_text() + "my remark")
    with pytest.raises(ValueError, match=r"report\.md was not written by sslzoo, or was changed since"):
        write_small(tmp_path, splits(), (groups,), monkeypatch, untrained=conv6())


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "[here](http://x)", "a | b", "line\n# line"])
def test_names_in_cards_and_their_index_are_text(tmp_path, name):
    facts = {"encoder": {"name": name, "parameters": 1, "features": 2, "image_shape": [8, 8, 1]}, "loads": {name: 0.0}}
    facts |= {"name": name, "method": name, "data": name, "command": name, "judged on": name, "scores_markdown": "x"}
    text = card(facts)
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "recipe.json").write_text(json.dumps(facts))
    table = index(tmp_path)
    for page in (text, table):
        outside = re.sub(r"`[^`]*`", "", page)  # code is shown literally
        assert "<img" not in outside and "[here](" not in outside and "\n# line" not in page
    line = table.splitlines()[-1]
    assert line.replace("\\|", "").count("|") == table.splitlines()[-2].count("|")
